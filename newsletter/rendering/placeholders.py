"""Stand-ins for all that is not design: texts, addresses and ranges pass through the tools as plain letters."""

from __future__ import annotations

import re
from contextvars import ContextVar

from newsletter.content.model import marker_pattern
from newsletter.rendering.model import Condition, Context, Hole, Piece


class Placeholders:
    """What the tokens of one rendering stand for.

    A *literal* (`Zq<nonce>l0007qZ`) is a text known today that must not be read as MJML or HTML; *html*
    (`Zq<nonce>h0007qZ`) is running text that MJML need not see, so that typing in it compiles no MJML; a *mark*
    (`<!--Zq<nonce>o0002qZ-->` … `c0002`) is one end of a range that only some people get. Slots of the issue
    (`Zq<nonce>v0007qZ`, content.model.marker) may stand inside a literal.
    """

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self.literals: list[str] = []
        self.htmls: list[str] = []
        self.conditions: dict[Condition, int] = {}  # each with its index
        self._numbers: dict[str, int] = {}

    def literal(self, text: str) -> str:
        """A token for `text`; the same text gets the same token, so that equal input gives equal bytes."""
        number = self._numbers.setdefault(text, len(self.literals))
        if number == len(self.literals):
            self.literals.append(text)
        return f"Zq{self.nonce}l{number:04d}qZ"

    def html(self, html: str) -> str:
        """A token for a piece of finished HTML; `with_html` puts it back after MJML and before inlining."""
        self.htmls.append(html)
        return f"Zq{self.nonce}h{len(self.htmls) - 1:04d}qZ"

    def with_html(self, text: str) -> str:
        """`text` with every piece of HTML put back."""
        return re.sub(rf"Zq{self.nonce}h(\d{{4,}})qZ", lambda match: self.htmls[int(match[1])], text)

    def condition(self, condition: Condition) -> int:
        """Index of a condition; an equal one is used again, so that equal ranges make no new variants."""
        return self.conditions.setdefault(condition, len(self.conditions))

    def mark(self, condition: int, *, opens: bool) -> str:
        """The comment for one end of a range. Comments stay put even between `<tr>` (measured in every tool)."""
        return f"<!--Zq{self.nonce}{'o' if opens else 'c'}{condition:04d}qZ-->"

    def text_of(self, text: str) -> str:
        """`text` with every literal put back as it was; slots stay."""
        return re.sub(rf"Zq{self.nonce}l(\d{{4,}})qZ", lambda match: self.literals[int(match[1])], text)

    def split(self, text: str, context: Context) -> list[Piece]:
        """A text without literals as raw strings and holes for its slots."""
        parts = marker_pattern(self.nonce).split(text)
        pieces: list[Piece] = []
        for index, part in enumerate(parts):
            if index % 2:
                pieces.append(Hole(int(part), context))
            elif part:
                pieces.append(part)
        return pieces


current: ContextVar[Placeholders] = ContextVar("placeholders")  # of the rendering that this thread is working on
