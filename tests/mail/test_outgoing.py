"""The whole mail: its headers, its parts, and what must never be written."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.mail import outgoing
from newsletter.mail.outgoing import Common, Person
from newsletter.problems import NewsletterError
from tests.mail.examples import COMMON, TOKEN, Image, person
from tests.mail.oracle import lines, read, with_email_message

GOLDEN = Path(__file__).parent / "golden"
SUBJECT = ("Is it you? #1 worry: what to do",)
TEXT = ("Dear ", 0, ",\n\nReply by 5pm.\n.\nFrom now on: ", 1, "\n")
HTML = ('<p lang="en-GB">Dear ', 0, ',</p>\n<p><a href="', 1, '">Reply</a> – it’s quick</p>\n')
VALUES = ("Ann", f"mailto:reply+{TOKEN}@reply.staffordshire.example?subject=Re%3A%20Is%20it%20you%3F")


def build(**changes: object) -> bytes:
    common = replace(COMMON, **changes)  # type: ignore[arg-type]
    return outgoing.compile(common, SUBJECT, TEXT, HTML).build(VALUES, person())


def golden(name: str, raw: bytes) -> None:
    """Compare with tests/mail/golden; a file that is not there is written, and must be looked at and committed."""
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
        pytest.fail(f"{path.name} was written: look at it and commit it")
    assert raw == path.read_bytes()


def test_a_bulk_mail_is_byte_for_byte_as_agreed() -> None:
    golden("bulk.eml", build())


def test_a_mail_with_a_picture_is_byte_for_byte_as_agreed() -> None:
    image = Image(b"\x89PNG\r\n\x1a\n" + bytes(range(90)))
    html = (f'<img src="cid:{image.cid}" alt="">', 0)
    compiled = outgoing.compile(COMMON, SUBJECT, TEXT, html, [image])
    golden("picture.eml", compiled.build(VALUES, person()))


def test_a_mail_in_urdu_is_byte_for_byte_as_agreed() -> None:
    common = replace(COMMON, language="ur", from_name="سام", list_title="پیغامات")
    text = ("السلام علیکم ", 0, "\n" + "یہ ایک پیغام ہے۔ " * 12 + "\n")
    html = ('<p dir="rtl">' + "یہ ایک پیغام ہے۔ " * 12, 0, "</p>\n")
    golden(
        "urdu.eml", outgoing.compile(common, ("پیغام برائے ", 0), text, html).build(("عائشہ",), person(name="عائشہ"))
    )


def test_a_notice_is_byte_for_byte_as_agreed() -> None:
    common = Common("Newsletter", "news@example.org", COMMON.date, auto_submitted="auto-generated")
    raw = outgoing.notice(common, "jo@example.org", f"{TOKEN}@example.org", "It works", "This mail came through.\n")
    golden("notice.eml", raw)


def test_it_is_the_mail_that_emailmessage_would_have_made() -> None:
    image = Image(b"\x89PNG....")
    compiled = outgoing.compile(COMMON, SUBJECT, TEXT, HTML, [image])
    ours = read(compiled.build(VALUES, person()))
    filled = ["".join(VALUES[piece] if isinstance(piece, int) else piece for piece in part) for part in (TEXT, HTML)]
    theirs = read(with_email_message(COMMON, SUBJECT[0], filled[0], filled[1], person(), [image]))
    assert ours.text.rstrip() == theirs.text.rstrip()
    assert ours.html.rstrip() == theirs.html.rstrip()
    assert ours.images == theirs.images
    same = set(theirs.headers) - {"content-type"}
    assert set(ours.headers) == set(theirs.headers)
    flat = {name: " ".join(value.split()) for name, value in ours.headers.items()}
    assert {name: flat[name] for name in same} == {name: " ".join(theirs.headers[name].split()) for name in same}


def test_the_headers_of_bulk_mail_are_all_there_once() -> None:
    headers = read(build()).headers
    assert headers["list-id"] == "Community messages <all-residents.reply.staffordshire.example>"
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert headers["precedence"] == "bulk"
    assert headers["x-auto-response-suppress"] == "OOF, AutoReply"
    assert headers["feedback-id"].count(":") == 3
    assert headers["content-language"] == "en-GB"
    assert headers["date"] == "Tue, 24 Nov 2026 10:00:00 +0000"
    assert headers["mime-version"] == "1.0"
    assert "auto-submitted" not in headers
    assert f"<https://news.staffordshire.example/u/{TOKEN}>" in headers["list-unsubscribe"]
    assert (
        f"<mailto:unsubscribe+{TOKEN}@reply.staffordshire.example?subject=unsubscribe>" in headers["list-unsubscribe"]
    )


def test_a_notice_is_not_bulk_and_asks_for_no_automatic_answer() -> None:
    common = Common("Newsletter", "news@example.org", COMMON.date, auto_submitted="auto-replied")
    common = replace(common, in_reply_to="<a@b.example>", references=("<x@b.example>", "<a@b.example>"))
    headers = read(outgoing.notice(common, "jo@example.org", "m@example.org", "Thank you", "…\n")).headers
    assert headers["auto-submitted"] == "auto-replied"
    assert headers["in-reply-to"] == "<a@b.example>"
    assert not {"list-id", "list-unsubscribe", "precedence", "feedback-id"} & set(headers)


def test_text_comes_first_and_html_last() -> None:
    message = email.message_from_bytes(build())
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_inline_pictures_travel_with_the_html() -> None:
    image = Image(bytes(500))
    message = email.message_from_bytes(outgoing.compile(COMMON, SUBJECT, TEXT, HTML, [image]).build(VALUES, person()))
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    picture = list(message.walk())[-1]
    assert picture["Content-ID"] == f"<{image.cid}>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_payload(decode=True) == image.data


def test_every_line_ends_in_crlf_and_fits() -> None:
    raw = build()
    assert raw.isascii() and raw.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\r\n." not in raw and b"\r\nFrom " not in raw


def test_without_https_there_is_no_promise_of_one_click() -> None:
    one = person()._replace(unsubscribe_url=f"http://127.0.0.1:8000/u/{TOKEN}")
    headers = read(outgoing.compile(COMMON, SUBJECT, TEXT).build(VALUES, one)).headers
    assert "list-unsubscribe-post" not in headers and "127.0.0.1" in headers["list-unsubscribe"]


def test_an_international_domain_is_in_ascii_everywhere() -> None:
    raw = outgoing.compile(replace(COMMON, from_address="sam@münchen.example"), SUBJECT, TEXT).build(
        VALUES, person(to="ann@例え.jp")
    )
    assert raw.isascii()
    assert read(raw).headers["from"] == "Sam Okafor <sam@xn--mnchen-3ya.example>"
    assert read(raw).headers["to"] == "Ann Oakley <ann@xn--r8jz45g.jp>"


def test_a_recipient_beyond_ascii_stands_in_utf_8_and_is_never_mangled() -> None:
    raw = outgoing.compile(COMMON, SUBJECT, TEXT).build(VALUES, person(to="jörg@example.org"))
    assert "To: Ann Oakley <jörg@example.org>\r\n".encode() in raw
    assert b"=?" not in raw.split(b"\r\nTo:")[1].split(b"\r\n")[0]


def test_a_sender_that_most_servers_would_refuse_is_refused_here() -> None:
    for bad in ("jörg@example.org", "nobody", "a@b@c"):
        with pytest.raises(NewsletterError) as caught:
            outgoing.compile(replace(COMMON, from_address=bad), SUBJECT, TEXT)
        assert caught.value.problems[0].code == "bad-sender"


def test_a_recipient_that_is_no_address_is_refused() -> None:
    with pytest.raises(NewsletterError) as caught:
        outgoing.compile(COMMON, SUBJECT, TEXT).build(VALUES, person(to="ann@example.org\r\nBcc: eve@example.org"))
    assert caught.value.problems[0].code == "bad-address"


INJECTIONS = ["x\r\nBcc: eve@example.org", "x\ny", "x y", "x<y>", "x\0", "ü", "x" * 2000]


@pytest.mark.parametrize("bad", INJECTIONS)
@pytest.mark.parametrize("field", ["message_id", "reply_to", "unsubscribe_url", "unsubscribe_mailto"])
def test_nothing_can_be_smuggled_into_a_header_that_machines_read(field: str, bad: str) -> None:
    compiled = outgoing.compile(COMMON, SUBJECT, TEXT)
    with pytest.raises(NewsletterError) as caught:
        compiled.build(VALUES, person()._replace(**{field: bad}))
    assert caught.value.problems[0].code == "bad-header-value"


@pytest.mark.parametrize(
    "changes",
    [
        {"list_id": "a b"},
        {"list_id": "x\r\nBcc: e@x"},
        {"list_title": "x\r\nBcc: e@x"},
        {"feedback_id": "a:b:c:d:e"},
        {"feedback_id": "a b"},
        {"language": "en\r\nBcc: e@x"},
        {"from_name": "x\r\nBcc: e@x"},
        {"reply_name": "x\nBcc: e@x"},
    ],
)
def test_nothing_can_be_smuggled_into_what_everybody_gets(changes: dict[str, str]) -> None:
    with pytest.raises(NewsletterError) as caught:
        build(**changes)
    assert caught.value.problems[0].code == "bad-header-value"


@pytest.mark.parametrize("length", [40, 77, 78, 80, 120, 300, 700])
def test_long_links_reach_the_header_as_they_are(length: int) -> None:
    url = "https://news.staffordshire.example/u/" + "a" * (length - 37)
    one = person()._replace(unsubscribe_url=url, message_id="m" * 64 + "@" + "d" * 60 + ".example")
    raw = outgoing.compile(COMMON, SUBJECT, TEXT).build(VALUES, one)
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"=?" not in head
    assert f"<{url}>".encode() in head


def test_the_same_person_gets_the_same_bytes_at_every_attempt() -> None:
    assert build() == build()


def test_parts_are_cut_by_a_line_that_no_body_can_hold() -> None:
    boundary = re.search(rb'boundary="([^"]+)"', build())
    assert boundary and b"=_" in boundary[1]
    hostile = (f"--{boundary[1].decode()}--\n",)
    assert read(outgoing.compile(COMMON, SUBJECT, hostile, hostile).build((), person())).text == lines(hostile[0])


def test_a_mail_can_be_plain_text_only() -> None:
    message = email.message_from_bytes(outgoing.compile(COMMON, SUBJECT, TEXT).build(VALUES, person()))
    assert message.get_content_type() == "text/plain"


def test_a_date_without_time_zone_cannot_slip_in() -> None:
    naive = replace(COMMON, date=datetime(2026, 11, 24, 10, 0, tzinfo=UTC).replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        outgoing.compile(naive, SUBJECT, TEXT)


def test_a_person_needs_only_an_address_and_a_message_id() -> None:
    raw = outgoing.compile(replace(COMMON, list_id=""), SUBJECT, TEXT).build(
        VALUES, Person("a@example.org", "m@x.example")
    )
    assert read(raw).headers["to"] == "a@example.org"
