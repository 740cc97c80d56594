"""Pieces of a body: encoded once, joined in any order, decoded to exactly what was written."""

from __future__ import annotations

import base64
import quopri
import re
import smtplib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.segments import Body, base64_lines, compile_body, join_base64, quoted_printable, value
from newsletter.problems import NewsletterError
from tests.mail.oracle import lines

texts = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.sampled_from(
            [".", "..", ".\n", "From ", "From me\n", "=", "=\r\n", "\r", "\n", "\r\n", " ", "\t", "x" * 75, "x" * 76]
        ),
        st.text("a. =F", max_size=160),
    ),
    max_size=8,
).map("".join)


def assert_sound(raw: bytes) -> None:
    """At column 0, ASCII, at most 76 wide, CRLF only, nothing that SMTP or mbox would change."""
    assert raw == b"" or raw.endswith(b"\r\n")
    assert raw.isascii() and b"\0" not in raw
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    for line in raw.split(b"\r\n"):
        assert len(line) <= 76, line
        assert not line.startswith((b".", b"From ")), line
        assert not line.endswith((b" ", b"\t")), line
    assert smtplib._quote_periods(raw) == raw  # type: ignore[attr-defined]  # dot-stuffing is the identity


@given(texts)
@example("." * 200)
@example("\n" + "x" * 75 + ".")
@example("From " * 40)
@example("é" * 100)
@example("trailing \n\ttabs\t\n")
@example("a" * 73 + "é")
@example("0" * 74 + " \n")  # b2a_qp alone makes 77 columns of it
@example("." + "0" * 73 + " \n" + "." * 76 + " ")
def test_a_piece_is_sound_and_decodes_to_its_text(text: str) -> None:
    raw = quoted_printable(text)
    assert_sound(raw)
    assert quopri.decodestring(raw) == lines(text).encode()


@given(st.lists(texts, max_size=6))
def test_pieces_can_be_joined_in_any_order(pieces: list[str]) -> None:
    raw = b"".join(map(value, pieces))
    assert_sound(raw)
    # A CR at the end of one piece and an LF at the start of the next are two line breaks: pieces are texts.
    assert quopri.decodestring(raw) == "".join(map(lines, pieces)).encode()


@given(texts)
def test_the_quick_way_for_plain_values_says_the_same_as_the_long_way(text: str) -> None:
    assert quopri.decodestring(value(text)) == quopri.decodestring(quoted_printable(text))


def test_a_plain_value_is_left_readable() -> None:
    assert value("Mrs O'Neill & Sons") == b"Mrs O'Neill & Sons=\r\n"
    assert value("") == b""


@given(st.lists(st.one_of(st.sampled_from([0, 1]), texts), max_size=6), texts, texts)
def test_base64_and_quoted_printable_carry_the_same_text(pieces: list[str | int], first: str, second: str) -> None:
    values = [first, second]
    whole = "".join(lines(values[piece] if isinstance(piece, int) else piece) for piece in pieces)
    plain = tuple(piece if isinstance(piece, int) else lines(piece).encode() for piece in pieces)
    raw = join_base64(Body("base64", plain), values)
    assert base64.b64decode(raw) == whole.encode()
    assert all(len(line) <= 76 for line in raw.split(b"\r\n"))


def test_welsh_stays_quoted_printable_and_arabic_becomes_base64() -> None:
    welsh = "<p>Sut mae'r tŷ? Mae'r ysgol yn agos i'r orsaf, ac mae'r dŵr yn oer.</p>" * 20
    arabic = "<p>مرحبا بكم في الرسالة الشهرية من مفوض الشرطة</p>" * 20
    assert compile_body([welsh]).encoding == "quoted-printable"
    assert compile_body([arabic]).encoding == "base64"


def test_half_a_character_is_refused_in_words() -> None:
    with pytest.raises(NewsletterError) as caught:
        value("Ann \ud83d")
    assert caught.value.problems[0].code == "not-text"


def test_binary_is_written_in_lines() -> None:
    data = bytes(range(256)) * 3
    raw = base64_lines(data)
    assert base64.b64decode(raw) == data and raw.endswith(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) == 76


@given(st.text("a=.F/", min_size=60, max_size=400))
def test_long_addresses_are_cut_between_letters_and_never_inside_an_escape(text: str) -> None:
    assert_sound(value(text))
    assert quopri.decodestring(value(text)) == text.encode()
