"""Files of a mail: typed by their bytes, within limits, programs refused, nothing altered."""

from __future__ import annotations

import io
import random
import time
import zipfile
from email.message import EmailMessage

import pytest

from newsletter.mail import attachments, file_names, file_types
from newsletter.mail.attachments import Limits, extract


def mail_with(*files: tuple[str, bytes], kind: str = "application/octet-stream") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@x.example", "b@y.example", "Files"
    mail.set_content("See the files.")
    for name, data in files:
        mail.add_attachment(data, *kind.split("/"), filename=name)
    return mail.as_bytes()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def ftyp(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0" + brand


SAMPLES = {
    "image/jpeg": b"\xff\xd8\xff\xe1\0\x10Exif\0\0",
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/gif": b"GIF89a\1\0\1\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/heic": ftyp(b"heic"),
    "image/heif": ftyp(b"mif1"),
    "image/tiff": b"II*\0\x08\0\0\0",
    "image/bmp": b"BM\x46\0\0\0\0\0\0\0\x36\0",
    "video/mp4": ftyp(b"isom"),
    "video/quicktime": ftyp(b"qt  "),
    "video/3gpp": ftyp(b"3gp5"),
    "video/webm": b"\x1aE\xdf\xa3\x01\0",
    "video/x-msvideo": b"RIFF\x24\0\0\0AVI LIST",
    "audio/mp4": ftyp(b"M4A "),
    "audio/mpeg": b"ID3\x04\0\0",
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "audio/amr": b"#!AMR\n\x3c",
    "audio/ogg": b"OggS\0\x02",
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "application/zip": zipped("a.txt"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": zipped(
        "[Content_Types].xml", "word/document.xml"
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": zipped(
        "[Content_Types].xml", "xl/workbook.xml"
    ),
    "application/x-ole-storage": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100,
    "application/ms-tnef": b"\x78\x9f\x3e\x22\x01\0",
    "application/rtf": b"{\\rtf1\\ansi hello}",
    "application/gzip": b"\x1f\x8b\x08\0",
    "text/plain": "Möhren, 3 Stück".encode(),
    "text/html": b"<!DOCTYPE html><p>x",
    "image/svg+xml": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "text/calendar": b"BEGIN:VCALENDAR\r\nVERSION:2.0",
    "text/vcard": b"BEGIN:VCARD\r\nVERSION:4.0",
    "application/octet-stream": b"\x01\x02\x03\x04",
    "application/x-empty": b"",
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_is_what_its_first_bytes_say(kind: str) -> None:
    [file] = extract(mail_with(("holiday.jpg", SAMPLES[kind])))
    assert (file.content_type, file.refused, file.data) == (kind, "", SAMPLES[kind])


@pytest.mark.parametrize(
    "name, data",
    [
        ("photo.jpg", b"MZ\x90\0\x03\0\0\0"),
        ("a", b"\x7fELF\x02\x01\x01\0"),
        ("a.pdf", b"\xcf\xfa\xed\xfe\x07\0\0\1"),
        ("a.pdf", b"\xca\xfe\xba\xbe\0\0\0\2"),
        ("readme.txt", b"#!/bin/sh\nrm -rf ~"),
        ("lnk", b"L\0\0\0\x01\x14\x02\0\0\0\0\0"),
        ("film.mp4", b"\0" * 32769 + b"CD001\1"),
        ("letter.js", b"alert(1)"),
        ("letter.pdf.vbs", b"x"),
        ("letter.bat. ", b"x"),
        ("holiday.SCR", b"x"),
        ("x.hta", b"<p>"),
        ("x.ps1", b"x"),
        ("form.docm", zipped("[Content_Types].xml", "word/document.xml")),
        ("form.docx", zipped("[Content_Types].xml", "word/vbaProject.bin")),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "_VBA_PROJECT".encode("utf-16-le")),
        ("x.zip", zipped("a/invoice.exe")),
        ("x.zip", zipped("META-INF/MANIFEST.MF", "A.class")),
    ],
)
def test_programs_are_refused_with_words_and_the_rest_is_kept(name: str, data: bytes) -> None:
    bad, good = extract(mail_with((name, data), ("lamp.jpg", SAMPLES["image/jpeg"])))
    assert bad.refused and bad.data == b"" and bad.size == len(data)
    assert good.data == SAMPLES["image/jpeg"] and not good.refused


@pytest.mark.parametrize(
    "name, data",
    [("MZ.txt", b"MZ was the mark on the van."), ("bmx.txt", b"BMX bikes"), ("notes.txt", b"install setup.exe?")],
)
def test_a_letter_is_no_program(name: str, data: bytes) -> None:
    [file] = extract(mail_with((name, data)))
    assert (file.content_type, file.refused) == ("text/plain", "")


def test_a_file_that_is_too_big_is_refused_alone() -> None:
    found = extract(mail_with(("big", b"x" * 3000), ("small", b"y")), Limits(each=2000))
    assert [(file.size, bool(file.refused)) for file in found] == [(3000, True), (1, False)]
    found = extract(mail_with(("a", b"x" * 900), ("b", b"y" * 900), ("c", b"z")), Limits(in_all=1000))
    assert [bool(file.refused) for file in found] == [False, True, False]
    found = extract(mail_with(*((f"f{n}", b"x") for n in range(25))))
    assert sum(1 for file in found if not file.refused) == 20 and len(found) == 25


def test_the_files_of_a_mail_of_50_mb_are_found_and_its_words_too() -> None:
    from newsletter.mail import incoming

    data = random.Random(1).randbytes(24 * 1024 * 1024)
    raw = mail_with(("film.mov", ftyp(b"qt  ") + data), ("also.bin", data[: 13 * 1024 * 1024]))
    assert 50_000_000 < len(raw) < 50 * 1024 * 1024
    began = time.process_time()
    found = extract(raw)
    assert found[0].content_type == "video/quicktime" and not any(file.refused for file in found)
    assert found[0].data[20:] == data
    assert incoming.read(raw).text == "See the files."
    assert time.process_time() - began < 15


INNER = b"From: x@evil.example\nSubject: Pay\n and pay\nReceived: (a\n\tb)\n\nClick here\n"


def sent_along(inner: bytes) -> bytes:
    head = b'From: a@x.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="q"\n\n--q\n\nLook\n'
    return head + b"--q\nContent-Type: message/rfc822\n\n" + inner + b"\n--q--\n"


@pytest.mark.parametrize("raw", [sent_along(INNER), sent_along(INNER).replace(b"\n", b"\r\n")], ids=["LF", "CRLF"])
def test_a_mail_sent_along_is_a_file_with_its_own_bytes(raw: bytes) -> None:
    [file] = extract(raw)
    assert file.name == "message.eml" and file.data in raw
    assert file.data.replace(b"\r\n", b"\n").strip() == INNER.strip()


def test_what_cannot_be_copied_exactly_is_not_copied() -> None:
    [file] = extract(sent_along(INNER.replace(b"Subject: ", b"Subject:    ")))
    assert file.data == b"" and "whole message" in file.refused


def test_words_are_no_file_and_a_picture_in_the_text_is_one() -> None:
    mail = EmailMessage()
    mail.set_content("Words")
    mail.add_alternative("<p>Words</p>", subtype="html")
    mail.get_payload()[1].add_related(SAMPLES["image/png"], "image", "png", cid="<1>")
    [file] = extract(mail.as_bytes())
    assert file.content_type == "image/png" and file.name == "unnamed"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 1000,
        b"Content-Type: multipart/mixed; boundary=q\n\n" + b"--q\n\nx\n" * 30_000,
        b"Content-Type: multipart/mixed; boundary=q\n\n" + b"--q\nContent-Type: image/png\n\nx\n" * 1_000,
        b"Content-Type: message/rfc822\n\n" * 300,
        b"Content-Type: application/x\nContent-Transfer-Encoding: base64\n\n" + b"=?!" * 100_000,
        b"Content-Type: application/x\nContent-Transfer-Encoding: x-uuencode\n\nbegin 666 ../../x\n" + b"\xff" * 9_000,
        b'Content-Type: image/png; name="' + b"a" * 100_000 + b'"\n\nx',
    ],
    ids=["nothing", "nul", "parts", "files", "nested", "base64", "uuencode", "name"],
)
def test_hostile_mail_gives_few_files_and_no_error(raw: bytes) -> None:
    began = time.process_time()
    assert len(extract(raw)) <= 110
    assert time.process_time() - began < 10


def test_archives_that_lie_are_only_archives() -> None:
    whole = zipped(*(f"{n}.txt" for n in range(50)))
    rng = random.Random(4)
    for _ in range(200):
        broken = bytearray(whole[: rng.randrange(4, len(whole))])
        for _ in range(3):
            broken[rng.randrange(4, len(broken))] = rng.randrange(256)
        assert file_types.sniff(bytes(broken)) == "application/zip"
        file_types.refusal("a.zip", bytes(broken))


@pytest.mark.parametrize(
    "name, safe",
    [
        ("lamp.jpg", "lamp.jpg"),
        ("../../etc/passwd", "_._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\Windows\\x.txt", "C__Windows_x.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("///", "unnamed"),
        (".bashrc", "bashrc"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1.jpg", "_Com1.jpg"),
        ("a\0b.txt", "ab.txt"),
        ("a\r\nb\x1b[2J.txt", "a b [2J.txt"),
        ("gpj.\u202eexe.jpg", "gpj. exe.jpg"),
        ("-rf", "_-rf"),
        ("~x", "_~x"),
        ("a.txt. .", "a.txt"),
        ("x:y.txt", "x_y.txt"),
        ("ffôn.jpg", "ffôn.jpg"),
    ],
)
def test_names_reach_no_folder_and_no_device(name: str, safe: str) -> None:
    assert file_names.safe(name) == safe


def test_names_are_short_and_never_twice() -> None:
    assert len(file_names.safe("a" * 500 + ".jpg")) <= 130 and file_names.safe("a" * 500 + ".jpg").endswith(".jpg")
    taken: list[str] = []
    for _ in range(3):
        taken.append(file_names.safe("Photo.JPG" if taken else "photo.jpg", taken))
    assert taken == ["photo.jpg", "Photo (2).JPG", "Photo (3).JPG"]
    assert len(file_names.safe("ü" * 300 + ".jpg").encode()) < 255


def test_one_mail_never_has_two_files_of_one_name() -> None:
    found = extract(mail_with(("a.txt", b"1"), ("A.TXT", b"2"), ("../a.txt", b"3")))
    assert len({file.name.casefold() for file in found}) == 3
    assert attachments.BY_MAIL.each == 25 * 1024 * 1024
