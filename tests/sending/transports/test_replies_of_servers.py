"""What servers answer, read safely: many lines, odd bytes, too much, and not SMTP at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sending.transports.reply import GARBAGE, Reply, ReplyReader


def read(*chunks: bytes) -> Reply | None:
    reader = ReplyReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.next()


def test_a_plain_answer() -> None:
    assert read(b"250 2.1.0 Ok\r\n") == Reply(250, "2.1.0 Ok", "2.1.0")


def test_an_answer_of_many_lines_is_one_answer() -> None:
    assert read(b"550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist\r\n") == Reply(
        550, "5.1.1 The account 5.1.1 does not 5.1.1 exist", "5.1.1"
    )


def test_an_answer_in_pieces_is_awaited() -> None:
    assert read(b"25", b"0 O") is None
    assert read(b"25", b"0 O", b"k\r", b"\n") == Reply(250, "Ok")
    assert read(b"250-more\r\n") is None


@pytest.mark.parametrize("bare", [b"250\r\n", b"250 \r\n", b"250\n"])
def test_a_bare_code_is_an_answer(bare: bytes) -> None:
    assert read(bare) == Reply(250, "")


def test_bytes_beyond_ascii_and_control_characters_are_made_harmless() -> None:
    answer = read("550 Zugriff für \x1b[31m".encode("latin-1") + b"\0\x07\r\n")
    assert answer == Reply(550, "Zugriff f\ufffdr [31m")


def test_a_line_of_two_kilobytes_is_read_and_kept_short() -> None:
    answer = read(b"550 5.7.1 " + b"x" * 2000 + b"\r\n")
    assert answer and answer.code == 550 and answer.enhanced == "5.7.1" and len(answer.text) == 500


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\r\n",
        b"25 Ok\r\n",
        b"2500 Ok\r\n",
        b"250_Ok\r\n",
        b"999 Ok\r\n",
        b"150 Ok\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n",
        b"250-one\r\n251 two\r\n",
        b"x" * 5000,
        b"250-again\r\n" * 300,
        "２５０ Ok\r\n".encode(),
    ],
)
def test_what_is_no_answer_is_garbage(garbage: bytes) -> None:
    answer = read(garbage)
    assert answer and answer.code == GARBAGE and answer.text.startswith("not an SMTP answer")


def test_more_than_was_asked_for_is_noticed() -> None:
    reader = ReplyReader()
    reader.feed(b"250 Ok\r\n250 Ok\r\n")
    assert reader.next() == Reply(250, "Ok")
    assert reader.leftover


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_give_answers_with_one_printable_line(chunks: list[bytes]) -> None:
    reader = ReplyReader()
    for chunk in chunks:
        reader.feed(chunk)
        while answer := reader.next():
            assert answer.code == GARBAGE or 200 <= answer.code <= 599
            assert answer.text.isprintable() and len(answer.text) <= 500
