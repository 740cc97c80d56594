"""Wraps plain text at 72 columns: wide letters count twice, marks not at all, addresses are never broken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

COLUMNS = 72
Width = Callable[[str], int]


def width(text: str) -> int:
    """Columns that `text` takes in a fixed-width window."""
    if text.isascii():
        return len(text)
    return sum(_letter(letter) for letter in text)


def _letter(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def wrap(text: str, first: str = "", rest: str = "", columns: int = COLUMNS, measure: Width = width) -> str:
    """`text` in lines of at most `columns`, the first beginning with `first`, the others with `rest`.

    Breaks at blanks (not at no-break spaces) and, in scripts without blanks, between wide letters. A word that is
    longer than a line stays whole: a broken address is a dead one.
    """
    lines: list[str] = []
    line, used, indent = "", 0, first
    for word, glued in _words(text):
        size, gap = measure(word), 0 if glued or not line else 1
        if line and used + gap + size > columns - measure(indent):
            lines.append(f"{indent}{line}".rstrip(" "))
            line, used, gap, indent = "", 0, 0, rest
        line += " " * gap + word
        used += gap + size
    lines.append(f"{indent}{line}".rstrip(" "))
    return "\n".join(lines)


def _words(text: str) -> list[tuple[str, bool]]:
    """Words, and whether each hangs on the one before without a blank (a run of wide letters may be cut)."""
    found: list[tuple[str, bool]] = []
    for word in re.findall(r"[^ \t\n\r\f\v]+", text):
        if word.isascii() or "://" in word:
            found.append((word, False))
            continue
        # Closing punctuation stays with the letter before it (、。」 may not begin a line).
        parts = re.findall(r"[^\u1100-\U0003ffff]+|[\u1100-\U0003ffff][\u3001\u3002\u300d\uff01\uff0c\uff1f]*", word)
        if not any(_letter(letter) == 2 for letter in word):
            parts = [word]
        found += [(part, number > 0) for number, part in enumerate(parts)]
    return found
