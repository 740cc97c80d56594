"""Files that came with a message: kept under their hash, found again unaltered, handed out under safe names."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest

from newsletter.problems import NewsletterError
from tests.replies.conftest import Post

JPEG = b"\xff\xd8\xff\xe1\0\x10Exif\0\0GPS 52.8 -2.1"
HASH = hashlib.sha256(JPEG).hexdigest()


def mail(to: str, *files: tuple[str, bytes], number: int = 1) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ameera <ameera@example.net>", to, "Re: lamp"
    message["Message-ID"] = f"<{number}@mail.example.net>"
    message.set_content(f"The lamp {number}")
    for name, data in files:
        message.add_attachment(data, "application", "octet-stream", filename=name)
    return message.as_bytes()


def came(post: Post, *files: tuple[str, bytes], number: int = 1):  # type: ignore[no-untyped-def]
    from newsletter.replies import intake
    from newsletter.replies.models import Attachment

    sent = post.sent_to(f"ameera{number}@example.net")
    assert intake.accept(mail(sent.reply, *files, number=number), sent.reply).kind == "person"
    return list(Attachment.objects.filter(message__message_id__startswith=f"{number}@").order_by("id"))


def kept(post: Post) -> list[Path]:
    return [path for path in (post.workspace.root / "var" / "attachments").rglob("*") if path.is_file()]


def test_a_picture_is_kept_as_it_came_for_our_eyes_only(post: Post) -> None:
    [row] = came(post, ("lamp.jpg", JPEG))
    assert (row.name, row.content_type, row.size, row.sha256) == ("lamp.jpg", "image/jpeg", len(JPEG), HASH)
    path = post.workspace.root / "var" / "attachments" / HASH[:2] / HASH
    assert path.read_bytes() == JPEG  # with what the camera wrote into it: it may be evidence
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_the_same_file_twice_lies_there_once(post: Post) -> None:
    came(post, ("a.jpg", JPEG), ("b.jpg", JPEG))
    came(post, ("c.jpg", JPEG), number=2)
    assert len(kept(post)) == 1


def test_a_program_is_named_but_not_kept(post: Post) -> None:
    bad, good = came(post, ("invoice.pdf.exe", b"MZ\x90\0\x03"), ("lamp.jpg", JPEG))
    assert "can run as programs" in bad.refused or "Windows program" in bad.refused
    assert bad.sha256 == "" and bad.size == 5
    assert [path.name for path in kept(post)] == [good.sha256]


def test_show_lists_the_files_and_writes_copies(post: Post, tmp_path: Path) -> None:
    came(post, ("lamp.jpg", JPEG), ("LAMP.jpg", b"other"), ("../../../evil.txt", b"x"), ("run.js", b"x"))
    ran = post.workspace.run("replies", "show", "1")
    assert f"File  lamp.jpg  image/jpeg  {len(JPEG)} bytes  SHA-256 {HASH}" in ran.out
    assert "File  run.js  1 byte  not kept: Files that end in .js" in ran.out
    assert "--save-files DIR" in ran.out
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "lamp.jpg").write_text("mine")
    ran = post.workspace.run("replies", "show", "1", "--save-files", str(folder))
    assert ran.exit == 0, ran.err
    assert (folder / "lamp.jpg").read_text() == "mine"
    assert (folder / "lamp (2).jpg").read_bytes() == JPEG
    assert len(list(folder.iterdir())) == 4 and not list(tmp_path.glob("*.txt"))
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in folder.iterdir() if path.name != "lamp.jpg")
    again = json.loads(post.workspace.run("replies", "show", "1", "--save-files", str(folder), "--json").out)
    assert len(again["saved_files"]) == 3 and len(list(folder.iterdir())) == 7


def test_a_link_in_the_folder_is_not_followed(post: Post, tmp_path: Path) -> None:
    came(post, ("lamp.jpg", JPEG))
    (tmp_path / "lamp.jpg").symlink_to(tmp_path / "elsewhere")
    assert post.workspace.run("replies", "show", "1", "--save-files", str(tmp_path)).exit == 0
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("what", ["missing", "altered"])
def test_a_file_that_is_not_what_came_is_said(post: Post, tmp_path: Path, what: str) -> None:
    came(post, ("lamp.jpg", JPEG), ("other.txt", b"fine"))
    [path] = [path for path in kept(post) if path.name == HASH]
    if what == "missing":
        path.unlink()
    else:
        path.write_bytes(JPEG[:-1] + b"!")
    ran = post.workspace.run("replies", "show", "1", "--save-files", str(tmp_path / "out"))
    assert ran.exit == 5 and f"attachment-{what}" in ran.out + ran.err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["other.txt"]


def test_a_refused_file_cannot_be_asked_for(post: Post) -> None:
    from newsletter.replies import enclosures

    [bad] = came(post, ("x.exe", b"MZ"))
    with pytest.raises(NewsletterError, match="was not kept"):
        enclosures.path_of(bad)


def test_a_full_disk_leaves_the_message_to_be_tried_again(post: Post) -> None:
    from newsletter.replies import enclosures, intake
    from newsletter.replies.models import Attachment

    sent = post.sent_to()
    with mock.patch.object(enclosures.os, "fsync", side_effect=OSError(28, "No space left on device")):
        assert intake.accept(mail(sent.reply, ("lamp.jpg", JPEG)), sent.reply).kind == ""
    assert not kept(post)
    assert intake.finish_unread() == 0
    assert Attachment.objects.count() == 1 and len(kept(post)) == 1


def test_bytes_go_with_the_last_message_that_has_them(post: Post) -> None:
    from newsletter.replies import enclosures

    [first] = came(post, ("a.jpg", JPEG))
    [second] = came(post, ("b.jpg", JPEG), number=2)
    first.delete()
    assert enclosures.forget([HASH]) == 0 and len(kept(post)) == 1
    second.delete()
    assert enclosures.forget([HASH, HASH, ""]) == 1 and not kept(post)
    assert enclosures.forget([HASH]) == 0


def test_no_transaction_waits_for_the_files(post: Post) -> None:
    """SQLite has one writer: a slow scanner inside the transaction would stop everybody who sends."""
    from django.db import connection

    from newsletter.replies import enclosures

    inside: list[bool] = []

    def scanned(*_: object) -> tuple[str, float]:
        inside.append(connection.in_atomic_block)
        return "", 0.0

    with mock.patch.object(enclosures, "_scanned", side_effect=scanned):
        came(post, ("a.jpg", JPEG))
    assert inside == [False]


def test_the_files_of_one_message_never_become_those_of_another(post: Post) -> None:
    from newsletter.mail import incoming
    from newsletter.replies import enclosures

    raw = mail("x@y.example", ("other.txt", b"of somebody else"), number=9)
    enclosures.prepare(raw, incoming.read(raw))
    assert [row.name for row in came(post, ("a.jpg", JPEG))] == ["a.jpg"]
    assert came(post, number=2) == []


def scanner(post: Post, code: str) -> None:
    script = post.workspace.write("scan.py", f"import sys\ndata = open(sys.argv[-1], 'rb').read()\n{code}\n")
    post.workspace.toml(f'[replies]\nscanner = "{sys.executable} {script}"\n')


def test_a_scanner_that_is_set_decides_on_each_file(post: Post) -> None:
    scanner(post, "sys.exit(1 if b'EICAR' in data else 0)")
    bad, good = came(post, ("a.txt", b"EICAR"), ("lamp.jpg", JPEG))
    assert "harmful" in bad.refused and not good.refused
    assert [path.name for path in kept(post)] == [HASH]


@pytest.mark.parametrize("code", ["sys.exit(2)", "import os; os.kill(os.getpid(), 9)"])
def test_without_a_clear_answer_nothing_is_let_through(post: Post, code: str) -> None:
    scanner(post, code)
    [row] = came(post, ("lamp.jpg", JPEG))
    assert "gave no answer" in row.refused and not kept(post)


def test_a_scanner_that_is_not_there_is_no_answer(post: Post) -> None:
    post.workspace.toml('[replies]\nscanner = "/nowhere/scan --quiet"\n')
    [row] = came(post, ("lamp.jpg", JPEG))
    assert "gave no answer" in row.refused and not kept(post)
