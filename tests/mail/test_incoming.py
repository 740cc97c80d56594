"""Incoming mail: what it says, within limits, and never an error."""

from __future__ import annotations

import json
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail import charsets
from newsletter.mail.header_reading import content_type, identifiers, mailboxes, words
from newsletter.mail.incoming import MOST_ATTACHMENTS, read
from tests.conftest import CORPORA

REPLY = b"""Received: from x by y\r
Delivered-To: reply+abc@reply.example\r
From: =?utf-8?q?Ann_O=27Neill?= <Ann@Example.org>\r
To: Staffordshire Commissioner <reply+abc@reply.example>, "Jo, the other" <jo@x.example>\r
Subject: =?utf-8?b?UmU6IENhZg==?= =?utf-8?b?w6k=?=\r
Message-ID: <1@example.org>\r
In-Reply-To: <m@reply.example>\r
References: <a@x.example>\r
 <m@reply.example>\r
Content-Type: text/plain; charset="utf-8"\r
\r
Thank you \xe2\x80\x93 see you there.\r
"""


def test_a_plain_reply_is_understood() -> None:
    mail = read(REPLY)
    assert (mail.from_name, mail.from_address) == ("Ann O'Neill", "Ann@example.org")
    assert mail.subject == "Re: Café"
    assert mail.recipients == ("reply+abc@reply.example", "jo@x.example")
    assert (mail.message_id, mail.in_reply_to) == ("1@example.org", ("m@reply.example",))
    assert mail.references == ("a@x.example", "m@reply.example")
    assert mail.text == "Thank you – see you there."
    assert mail.header("Received") == "from x by y" and mail.all("nothing") == ()
    assert mail.faults == ()


def test_text_is_preferred_to_html_and_files_are_named() -> None:
    message = EmailMessage()
    message["From"] = "ann@example.org"
    message.set_content("The words.")
    message.add_alternative("<p>Other words</p>", subtype="html")
    message.add_attachment(b"%PDF" * 100, maintype="application", subtype="pdf", filename="../../Plan für März.pdf")
    mail = read(message.as_bytes())
    assert mail.text == "The words." and not mail.text_from_html
    (file,) = mail.attachments
    assert (file.name, file.content_type, file.size) == ("_.._Plan für März.pdf", "application/pdf", 400)
    assert mail.parts[0] == "multipart/mixed"


def test_without_a_text_part_the_words_of_the_html_are_read() -> None:
    message = EmailMessage()
    message.set_content("<div>Yes &amp; no<br>Sam</div><blockquote>old</blockquote>", subtype="html")
    mail = read(message.as_bytes())
    assert (mail.text, mail.text_from_html) == ("Yes & no\nSam\n>\n> old", True)


def test_a_forwarded_mail_is_a_file_and_not_the_persons_words() -> None:
    message = EmailMessage()
    message.set_content("See below.")
    inner = EmailMessage()
    inner.set_content("Somebody else's words")
    message.add_attachment(inner)
    mail = read(message.as_bytes())
    assert mail.text == "See below." and mail.attachments[0].content_type == "message/rfc822"


def test_a_bounce_says_that_it_is_one() -> None:
    raw = b'Content-Type: multipart/report; report-type="delivery-status"; boundary=b\n\n--b\n\nhuman\n--b\n'
    mail = read(raw + b"Content-Type: message/delivery-status\n\nStatus: 5.1.1\n\n--b--\n")
    assert (mail.content_type, mail.report_type) == ("multipart/report", "delivery-status")
    assert mail.parts == ("multipart/report", "text/plain", "message/delivery-status")


@pytest.mark.parametrize(
    ("raw", "declared", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), "iso-8859-1", "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), "", "Grüße"),
        ("“ja”".encode("cp1252"), "us-ascii", "“ja”"),
        ("привет".encode("koi8-r"), "KOI8-R", "привет"),
        ("日本".encode("iso2022_jp"), "iso-2022-jp", "日本"),
        ("日本".encode("cp932"), "windows-31j", "日本"),
        ("שלום".encode("iso8859_8"), "iso-8859-8-i", "שלום"),
        (b"+ADw-script+AD4-", "utf-7", "+ADw-script+AD4-"),
        (b"\\x3cscript\\x3e", "unicode_escape", "\\x3cscript\\x3e"),
        (b"x\x00y", "utf-8", "x\ufffdy"),
        (b"plain", "x-unknown-8bit", "plain"),
        ("\ufeffmark".encode(), "utf8mb4", "mark"),
    ],
)
def test_bytes_become_text_by_a_short_list_of_character_sets(raw: bytes, declared: str, text: str) -> None:
    assert charsets.decode(raw, declared) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9?=", "café"),
        ("=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),  # one character in two words
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?iso-8859-1?q?a=E9?=\r\n =?utf-8?q?b?=", "aéb"),
        ("=?utf-8?q?Hi=0D=0ABcc=3A_x?=", "Hi Bcc: x"),
        ("=?utf-8?b?not base64!?=", "=?utf-8?b?not base64!?="),
        ("=?utf-8?b?%%%?=", ""),
        ("=?utf-7?q?+ADw-?=", "+ADw-"),
        ("=?utf-8*en?q?x?=", "x"),
        ("tab\there\x1b[31m\u2028next", "tab here [31m next"),
    ],
)
def test_encoded_words_are_decoded_to_one_line(value: str, expected: str) -> None:
    assert words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann <ann@x.example>", [("Ann", "ann@x.example")]),
        ("ann@x.example (Ann (the first))", [("Ann the first", "ann@x.example")]),
        ('"Oakley, Ann" <ann@x.example>, bob@x.example', [("Oakley, Ann", "ann@x.example"), ("", "bob@x.example")]),
        ('"a \\"b\\" c" <ann@x.example>', [('a "b" c', "ann@x.example")]),
        ("alice@example.org)bob@example.com", [("", "")]),
        ("undisclosed-recipients:;", []),
        ("a@b.co\r\nBcc: evil@x.example", [("", "")]),
        ("<>", []),
        ("(" * 500 + "a@b.co", []),
        ("=?utf-8?q?Zo=C3=AB?= <zoe@x.example>", [("Zoë", "zoe@x.example")]),
    ],
)
def test_names_and_addresses_are_taken_apart(value: str, expected: list[tuple[str, str]]) -> None:
    found = mailboxes(value)
    assert [(name, address) for name, address in found if address] == [pair for pair in expected if pair[1]]
    assert len(found) <= max(1, len(expected))


def test_two_senders_are_none() -> None:
    mail = read(b"From: ann@x.example, eve@x.example\n\nhi")
    assert mail.from_address == ""


def test_content_types_of_the_wild() -> None:
    assert content_type('text/PLAIN; charset="UTF-8"; x=y') == ("text/plain", {"charset": "UTF-8", "x": "y"})
    assert content_type("application/pdf; name*=utf-8''Pl%C3%A4ne.pdf")[1] == {"name": "Pläne.pdf"}
    assert content_type("a/b; name*0=one; name*1=two")[1] == {"name": "onetwo"}
    assert content_type('a/b; name="=?utf-8?q?Pl=C3=A4ne?="')[1] == {"name": "Pläne"}
    assert content_type("")[0] == ""
    assert identifiers("<a@b> junk <c@d>") == ("a@b", "c@d")


nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1000))
many = b"Content-Type: multipart/mixed; boundary=a\n\n"
HOSTILE = {
    "10,000 parts": (many + b"--a\n\nx\n" * 10_000, "too-many-parts"),
    "1,900 parts": (many + b"--a\n\nx\n" * 1_900, "too-many-parts"),
    "1,000 levels": (nested, "too-deep"),
    "1,000 forwards": (b"Content-Type: message/rfc822\n\n" * 1000, "too-deep"),
    "60 levels of 100,000 lines": (nested[:4000] + b"x\n" * 100_000, "too-deep"),
    "a header of 10 MB": (b"Subject: " + b"a" * 10_000_000 + b"\n\nx", "headers-too-long"),
    "a subject of 5,000 words": (b"Subject: " + b"=?utf-8?b?aGk=?= " * 5000 + b"\n\nx", "headers-too-long"),
    "100,000 folds": (b"Subject: " + b"a\n " * 100_000 + b"\n\nx", "headers-too-long"),
    "20,000 parameters": (b"Content-Type: text/plain" + b";a=b" * 20_000 + b"\n\nx", "headers-too-long"),
    "parameters in a part": (many + b"--a\nContent-Type: text/plain" + b";a=b" * 500_000 + b"\n\nhi\n--a--", ""),
    "a million headers in a part": (many + b"--a\n" + b"a:\n" * 1_000_000 + b"\nx", "unreadable"),
    "500 comments": (b"From: " + b"(" * 500 + b"a@b.co\n\nx", ""),
    "5,000 addresses": (b"To: " + b"a@b.example, " * 4900 + b"\n\nx", ""),
    "open tags": (b"Content-Type: text/html\n\n" + b"<a " * 200_000, ""),
    "open comments": (b"Content-Type: text/html\n\n" + b"<!--" * 200_000, ""),
    "open styles": (b"Content-Type: text/html\n\n" + b"<style>" * 100_000, ""),
    "100,000 levels of div": (b"Content-Type: text/html\n\n" + b"<div>" * 100_000 + b"x", ""),
    "entities": (b"Content-Type: text/html\n\n" + b"&amp" * 200_000, ""),
    "2 MB of text": (b"Content-Type: text/plain\n\n" + b"word " * 400_000, "text-cut"),
    "50 MB and more": (b"Subject: big\n\n" + bytes(50 * 1024 * 1024 + 1), "too-big"),
    "nothing": (b"", ""),
    "zeros": (bytes(1000), ""),
    "no boundary": (b"Content-Type: multipart/mixed\n\nhello", ""),
    "an unknown encoding": (b"Content-Transfer-Encoding: x-own\n\nhello", ""),
    "broken base64": (b"Content-Transfer-Encoding: base64\n\nabc$$$d\n", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_in_moments_and_says_what_was_left_out(name: str) -> None:
    raw, fault = HOSTILE[name]
    began = time.process_time()
    mail = read(raw)
    spent = time.process_time() - began
    assert spent < 8, f"{spent:.1f} s"  # the worst of them takes 2 s; the standard parser minutes
    assert fault in mail.faults if fault else mail.faults == ()
    assert len(mail.text) <= 1_000_000


def test_the_headers_of_a_mail_that_is_too_much_still_count() -> None:
    mail = read(b"From: ann@x.example\nSubject: Hello\n" + HOSTILE["10,000 parts"][0])
    assert (mail.from_address, mail.subject, mail.text) == ("ann@x.example", "Hello", "")


def test_the_words_before_what_is_too_much_still_count() -> None:
    forwarded = b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(12))
    words = b"--b0\nContent-Type: text/plain\n\nHe is at the door.\n"
    raw = b"From: ann@x.example\nContent-Type: multipart/mixed; boundary=b0\n\n" + words + forwarded + b"x\n" * 500_000
    mail = read(raw)
    assert mail.text.startswith("He is at the door.") and mail.faults == ("too-deep",)
    assert mail.attachments == () and mail.html == ""


def test_files_are_listed_up_to_a_number() -> None:
    raw = many + b"--a\nContent-Type: image/png\n\nx\n" * 150 + b"--a--\n"
    assert len(read(raw).attachments) == MOST_ATTACHMENTS


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    check(raw)


pieces = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=a\r\n",
        b"Content-Type: text/html; charset=\xff\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''%ff\r\n",
        b"Subject: =?utf-8?b?////?= =?x?q?=?=\r\n",
        b"From: \xff <\xfe@\xfd>\r\n",
        b"\r\n",
        b"\n",
        b"--a\r\n",
        b"--a--\r\n",
        b"\xe2\x82 text < &#xD800; &#0; <p\r\n",
        b"=E2=\r\n",
        b"Message-ID: <>\r\n",
        b" folded\r\n",
    ]
)


@given(st.lists(pieces, max_size=25).map(b"".join))
def test_any_odd_mail_is_read(raw: bytes) -> None:
    check(raw)


def check(raw: bytes) -> None:
    mail = read(raw)
    assert "unreadable" not in mail.faults
    for _, value in mail.headers:
        assert "\n" not in value and "\r" not in value
    for line in (mail.subject, mail.from_name, *(file.name for file in mail.attachments)):
        assert line == charsets.one_line(line)
    json.dumps(mail.text).encode("utf-8")
    mail.text.encode("utf-8")
    assert "\0" not in mail.text


@pytest.mark.skipif(not (CORPORA / "bounces").is_dir(), reason="the corpus of real mail lies beside the project only")
def test_every_real_mail_of_the_corpus_is_read_without_a_fault() -> None:
    files = sorted((CORPORA / "bounces").glob("*.eml"))
    assert files
    for path in files:
        mail = read(path.read_bytes())
        assert mail.faults == (), path.name
        assert mail.header("from") and mail.parts, path.name


def test_words_behind_a_photo_inside_the_html_are_read() -> None:
    photo = b'<img src="data:image/jpeg;base64,' + b"QUJD" * 1_000_000 + b'">'
    mail = read(b"Content-Type: text/html\n\n<p>Before</p>" + photo + b"<p>After</p>")
    assert mail.text.split() == ["Before", "After"] and mail.faults == ()
    assert len(mail.html) < 200


def test_html_is_there_for_cleaning_and_not_when_it_was_cut() -> None:
    assert read(b"Content-Type: text/html\n\n<b>Hi</b>").html == "<b>Hi</b>"
    assert read(b"Content-Type: text/plain\n\nHi").html == ""
    assert read(b"Content-Type: text/html\n\n" + b"<b>Hi</b> " * 200_000).html == ""
