"""The frozen result of rendering, and the pieces from which each person's copy is joined."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from newsletter.content.model import Slot
from newsletter.problems import Problem


class Mode(StrEnum):
    """What the rendering is for; the same pipeline serves all of them."""

    SEND = "send"
    TEST = "test"  # banner on top, [TEST] in the subject
    OWN = "own"  # a mail that one person asked for, such as a confirmation: no links of a mailing
    WEB = "web"  # the public page: no person in it, web-only blocks shown


class Context(StrEnum):
    """Where a slot stands, which decides how its value is escaped."""

    HTML = "html"  # text between tags
    ATTRIBUTE = "attribute"  # inside a quoted attribute
    URL = "url"  # the whole of an href or src: scheme is checked
    URL_PART = "url-part"  # part of an address: percent-encoded
    PLAIN = "plain"  # the text part
    PLAIN_URL = "plain-url"  # a whole address in the text part: scheme is checked, nothing is escaped
    SUBJECT = "subject"  # a header: one line


@dataclass(frozen=True)
class Hole:
    """A slot at one kind of place."""

    slot: int  # Slot.number
    context: Context


@dataclass(frozen=True)
class Mark:
    """Start or end of a range that only some people get; ranges nest like brackets."""

    condition: int  # index into Rendered.conditions
    opens: bool


Piece = str | Hole | Mark


@dataclass(frozen=True)
class Condition:
    """As content.model.Only: AND over terms, OR over values; `negated` turns the result round."""

    terms: tuple[tuple[str, tuple[str, ...]], ...]
    negated: bool = False


@dataclass(frozen=True)
class Asset:
    """A picture or linked file that the mail points to as /i/<sha256>.<extension>, or carries inside as `cid:`."""

    sha256: str
    extension: str
    content_type: str
    data: bytes
    inline: bool  # True: sent inside the mail, `cid:…` in the HTML

    @property
    def path(self) -> str:
        return f"/i/{self.sha256}.{self.extension}"

    @property
    def cid(self) -> str:
        """What the HTML says after `cid:` and Content-ID in brackets: an addr-spec, so with an @ (RFC 2392)."""
        return f"{self.sha256}@newsletter"


@dataclass(frozen=True)
class Rendered:
    """One issue in one language, ready to be merged. `checksum` covers everything a reader could see."""

    slug: str
    language: str
    direction: str  # ltr | rtl
    theme: str
    mode: Mode
    title: str
    preheader: str
    subject: tuple[Piece, ...]
    html: tuple[Piece, ...]
    text: tuple[Piece, ...]
    slots: tuple[Slot, ...]
    conditions: tuple[Condition, ...]
    assets: tuple[Asset, ...]
    problems: tuple[Problem, ...]
    checksum: str


@dataclass(frozen=True)
class Variant:
    """A Rendered for one set of true conditions: literal strings and holes only, marks cut.

    `subject`, `html` and `text` hold literals (str) and indexes (int) into `holes`.
    """

    subject: tuple[str | int, ...]
    html: tuple[str | int, ...]
    text: tuple[str | int, ...]
    holes: tuple[Hole, ...]
