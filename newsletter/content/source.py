"""A written file as lines, and the way back from any word in it to its line and column."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.problems import Where

# What lxml refuses in a text (XML 1.0, section 2.2): they would stop the whole mail, so they never get far.
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Source:
    """One file of the workspace, read. `name` is what Problems call it; relative paths start in `folder`."""

    name: str
    folder: Path
    lines: tuple[str, ...]

    @classmethod
    def of(cls, text: str, name: str, folder: Path) -> Source:
        """Split at CR LF, LF or CR only: other separators, such as U+2028, are letters of the text."""
        return cls(name, folder, tuple(re.split(r"\r\n|\n|\r", text)))

    def where(self, line: int, column: int | None = None, end: int | None = None) -> Where:
        """The place at `line` and `column`, both from 1, with the line itself for the caret."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Where(self.name, line, column, end, text)


@dataclass(frozen=True)
class Line:
    """A line with its fields already turned into slots; `column()` leads back to the line as written."""

    number: int
    text: str
    # (start in text, end in text, start as written, end as written) of each replacement, from left to right
    moved: tuple[tuple[int, int, int, int], ...] = field(default=())

    def column(self, index: int) -> int:
        """The column, from 1, of the letter that stands at `index` (from 0) of `text`."""
        nearest = bisect_right(self.moved, index, key=lambda move: move[0]) - 1
        if nearest < 0:
            return index + 1
        _, end, written, written_end = self.moved[nearest]
        return written + 1 if index < end else written_end + index - end + 1

    def columns(self, start: int, end: int) -> tuple[int, int]:
        """The first column and one past the last of `text[start:end]` as written; at least one letter wide."""
        last = max(end - 1, start)
        for begin, stop, _, written_end in self.moved:
            if begin <= last < stop:
                return self.column(start), written_end + 1
        return self.column(start), self.column(last) + 1
