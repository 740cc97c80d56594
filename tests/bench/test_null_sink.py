"""The sink that judges the soak: it counts every mail once, however its bytes are cut on the way."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.null_sink import Talk

MAIL = (
    b"EHLO here\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ann@town.example>\r\nDATA\r\n"
    b"DKIM-Signature: v=1\r\nSubject: x\r\n\r\n..dot\r\nRCPT TO:<nobody@town.example>\r\n.\r\n"
    b"MAIL FROM:<a@b.example>\r\nRCPT TO:<ben@town.example>\r\nDATA\r\nSubject: y\r\n\r\nz\r\n.\r\nQUIT\r\n"
)
WORDS = [b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 10_000])
def test_mails_are_counted_and_answered_however_the_bytes_are_cut(step: int) -> None:
    counts: Counter[bytes] = Counter()
    talk = Talk(None, counts)  # type: ignore[arg-type]
    answers = b"".join(talk.feed(MAIL[at : at + step]) for at in range(0, len(MAIL), step))
    last_lines = [line for line in answers.splitlines() if line[3:4] == b" "]
    assert [line[:3] for line in last_lines] == WORDS
    assert counts == {b"ann@town.example": 1, b"ben@town.example": 1}
    assert (talk.mails, talk.signed, talk.over) == (2, 1, True)


def test_a_mail_without_its_dot_has_not_arrived() -> None:
    counts: Counter[bytes] = Counter()
    talk = Talk(None, counts)  # type: ignore[arg-type]
    talk.feed(MAIL[: MAIL.index(b"\r\n.\r\n") + 3])
    assert not counts and talk.mails == 0
