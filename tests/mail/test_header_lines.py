"""Header lines: what people read comes back exactly, what machines read is never touched."""

from __future__ import annotations

import email
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail import headers
from newsletter.problems import NewsletterError

anything = st.text(st.characters(exclude_categories=()), max_size=300)
CONTROLS = [
    "\r\nBcc: eve@example.org",
    "\n",
    "\r",
    "\0",
    "\t",
    "\x0b",
    "\x0c",
    "\x1b",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
]


def value_of(line: str) -> str:
    """The unfolded value, as a mail program gets it."""
    assert line.endswith("\r\n") and "\n" not in line.replace("\r\n", "")
    for part in line[:-2].split("\r\n"):
        assert len(part) <= 998 and part.strip(), line
    message = email.message_from_string(line.replace("\r\n", "\n"))
    assert len(message) == 1 and not message.defects
    return str(next(iter(message.values()))).replace("\n", "")


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


@given(anything)
def test_any_subject_comes_back_exactly_or_is_refused(subject: str) -> None:
    try:
        line = headers.text("Subject", subject)
    except NewsletterError as error:
        assert error.problems[0].code == "bad-header-value"
        return
    assert line.isascii()
    value = value_of(line)
    assert (decoded(value) if "=?" in value else value) == subject
    assert all(len(part) <= 78 for part in line.split("\r\n")) or "=?" not in line


@given(anything)
def test_any_name_comes_back_exactly_beside_its_address_or_is_refused(name: str) -> None:
    try:
        line = headers.mailbox("To", name, "ann@example.org")
    except NewsletterError as error:
        assert error.problems[0].code == "bad-header-value"
        return
    assert line.isascii()
    display, address = parseaddr(value_of(line))
    assert address == "ann@example.org"
    assert (decoded(display) if "=?" in display else display) == name


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_and_line_breaks_are_refused_everywhere(control: str) -> None:
    for make in (
        lambda: headers.text("Subject", f"Hello{control}there"),
        lambda: headers.mailbox("To", f"Ann{control}", "ann@example.org"),
        lambda: headers.structured("List-Id", f"<a{control}b>"),
    ):
        with pytest.raises(NewsletterError) as caught:
            make()
        assert caught.value.problems[0].code == "bad-header-value"
        assert control not in caught.value.problems[0].message


@pytest.mark.parametrize("length", [40, 68, 69, 70, 76, 77, 78, 79, 80, 120, 300, 900, 980])
@pytest.mark.parametrize("name", ["List-Unsubscribe", "References", "In-Reply-To", "Feedback-ID", "Message-ID"])
def test_a_long_token_is_never_encoded_cut_or_folded_away(name: str, length: int) -> None:
    tokens = tuple(f"<{letter * (length - 2)}>" for letter in "abc")
    line = headers.structured(name, *tokens)
    assert "=?" not in line
    assert value_of(line).split() == list(tokens)


def test_a_token_that_fits_on_no_line_is_refused() -> None:
    with pytest.raises(NewsletterError, match="List-Unsubscribe"):
        headers.structured("List-Unsubscribe", "x" * 981)


def test_a_plain_subject_stays_readable_in_the_source() -> None:
    assert headers.text("Subject", "Is it you? #1 worry: what to do") == "Subject: Is it you? #1 worry: what to do\r\n"


def test_a_long_plain_subject_is_folded_at_its_blanks() -> None:
    line = headers.text("Subject", "word " * 40 + "end")
    assert "=?" not in line and max(map(len, line.split("\r\n"))) <= 78
    assert value_of(line) == "word " * 40 + "end"


def test_a_mostly_plain_subject_is_encoded_so_that_its_source_can_be_read() -> None:
    line = headers.text("Subject", "Tea, cake and café chat on Thursday in the town hall")
    assert line.startswith("Subject: =?utf-8?q?Tea")


def test_a_subject_in_another_script_takes_the_shorter_encoding() -> None:
    assert "=?utf-8?b?" in headers.text("Subject", "مرحبا بكم في الرسالة الشهرية")


def test_text_that_looks_encoded_is_not_decoded_by_readers() -> None:
    trick = "=?utf-8?q?Hi=0D=0ABcc=3A_eve=40example.org?="
    assert decoded(value_of(headers.text("Subject", trick))) == trick


@pytest.mark.parametrize("name", ["Okafor, Sam", 'Sam "the man" Okafor', "Dr. Sam", "sam@home", "back\\slash", "(Sam)"])
def test_a_plain_name_with_signs_is_quoted(name: str) -> None:
    line = headers.mailbox("From", name, "sam@example.org")
    assert line.startswith('From: "') and parseaddr(value_of(line)) == (name, "sam@example.org")
