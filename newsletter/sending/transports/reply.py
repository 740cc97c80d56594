"""A server's answers, read safely whatever bytes they are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST_LINE = 4096  # RFC 5321 4.5.3.1.5 says 512; real servers send policy texts of 2 KB
MOST_LINES = 200
_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
GARBAGE = 0
_USUAL = 60  # letters of a line that is worth remembering


@dataclass(frozen=True)
class Reply:
    """One answer. `code` is 0 for bytes that are no SMTP answer; `text` is one line, printable, at most 500 letters;
    `enhanced` is its RFC 3463 status (`5.1.1`) or empty."""

    code: int
    text: str
    enhanced: str = ""


class ReplyReader:
    """Bytes in, answers out. Once garbage was read there is no telling where the next answer starts."""

    def __init__(self) -> None:
        self._data, self._at = b"", 0  # what has come, and how far it is read
        self._lines: list[bytes] = []
        self._code = b""

    @property
    def leftover(self) -> bool:
        """Bytes have come that belong to no answer yet: a server that speaks before it is asked."""
        return self._at < len(self._data) or bool(self._lines)

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> Reply | None:
        """The next whole answer, or None when more bytes are needed."""
        while True:
            end = self._data.find(b"\n", self._at)
            if end < 0:
                return self._garbage() if len(self._data) - self._at > LONGEST_LINE else None
            line = self._data[self._at : end].rstrip(b"\r")
            self._at = end + 1
            if not self._lines and line[3:4] == b" " and len(line) <= _USUAL and (known := _whole(line)):
                return known
            found = _LINE.fullmatch(line)
            if not found or len(line) > LONGEST_LINE or (self._lines and found[1] != self._code):
                self._lines.append(line)
                return self._garbage()
            self._code = found[1]
            self._lines.append(found[3] or b"")
            if found[2] != b"-":
                return self._reply(int(found[1]))
            if len(self._lines) >= MOST_LINES:
                return self._garbage()

    def _reply(self, code: int) -> Reply:
        text = _words(self._lines)
        self._lines = []
        found = _ENHANCED.match(text)
        return Reply(code, text, found[0] if found else "")

    def _garbage(self) -> Reply:
        text = _words([*self._lines, self._data[self._at : self._at + 200]])
        self._lines, self._data, self._at = [], b"", 0
        return Reply(GARBAGE, f"not an SMTP answer: {text}"[:500])


@lru_cache(maxsize=512)
def _whole(line: bytes) -> Reply | None:
    """An answer of one short line; servers say the same few ones over and over, four times a mail."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    text = _words([found[3]])
    status = _ENHANCED.match(text)
    return Reply(int(found[1]), text, status[0] if status else "")


def _words(lines: list[bytes]) -> str:
    """One printable line: control characters become blanks, bytes that are no UTF-8 become �."""
    text = b" ".join(lines)[:4000].decode("utf-8", "replace")
    if text.isprintable() and "  " not in text:
        return text.strip()[:500]
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:500]


def parse_lines(words: bytes | str, code: int = GARBAGE) -> Reply:
    """An answer that smtplib has read already."""
    text = _words(words.encode("utf-8", "replace").splitlines() if isinstance(words, str) else words.splitlines())
    found = _ENHANCED.match(text)
    return Reply(code if 200 <= code <= 599 else GARBAGE, text, found[0] if found else "")
