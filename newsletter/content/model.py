"""The Issue as values: front matter, a tree of blocks, and the fields that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from markdown_it.token import Token

from newsletter.problems import Problem, Where


class SlotKind(StrEnum):
    FIELD = "field"  # a person's own value: {{ first_name or "neighbour" }}
    SYSTEM = "system"  # ours, per person: reply_url, unsubscribe_url, view_url …


@dataclass(frozen=True)
class Slot:
    """One `{{ }}`, or one place the theme fills per person. `marker(nonce)` stands for it in every text."""

    number: int
    key: str  # field key such as "first_name", or a name of SYSTEM_SLOTS
    kind: SlotKind = SlotKind.FIELD
    fallback: str | None = None  # the text after `or`, used as it stands (its filters are applied); None = none
    filters: tuple[str, ...] = ()  # title, upper, lower, date, number; applied to the value, left to right
    where: Where | None = None


# Filled per person by `sending`; a theme may use them as {{ slot("reply_url") }}.
SYSTEM_SLOTS = {
    "reply_url": "the person's own page to answer on",
    "reply_mailto": "mailto: link with the person's signed reply address and Re: subject",
    "reply_address": "the person's signed reply address, as text",
    "unsubscribe_url": "the person's own page to leave",
    "preferences_url": "the person's own page to choose what they get",
    "view_url": "the person's own copy in the browser",
    "share_url": "the public copy, the same for everybody",
    "own_url": "the button of a mail that this person asked for, such as a confirmation",
    "rate_url": "the person's own page to say whether it was useful",
    "why": "the footer's sentence of the list through which this person was chosen",
}


def marker(nonce: str, number: int) -> str:
    """`Zq7f3a0c1dv0007qZ`: plain ASCII letters that Markdown, MJML, lxml and premailer all leave alone."""
    return f"Zq{nonce}v{number:04d}qZ"


def marker_pattern(nonce: str) -> re.Pattern[str]:
    """Finds every slot marker of this nonce; group 1 is the slot's number."""
    return re.compile(rf"Zq{nonce}v(\d{{4,}})qZ")


@dataclass(frozen=True)
class Node:
    """A block. `line` counts from 1 in the file named by `file` (an included file has its own)."""

    line: int
    file: str = field(default="issue.md", kw_only=True)
    lang: str = field(default="", kw_only=True)  # set on containers; empty = as around it


@dataclass(frozen=True)
class Prose(Node):
    """A run of paragraphs, lists and quotes as markdown-it tokens (texts may hold slot markers)."""

    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class Heading(Node):
    level: int  # 1 to 3
    tokens: tuple[Token, ...]  # the children of markdown-it's inline token


@dataclass(frozen=True)
class Table(Node):
    tokens: tuple[Token, ...]  # table_open … table_close, as markdown-it gives them


@dataclass(frozen=True)
class Picture(Node):
    src: str  # as written, relative to the issue's folder
    path: Path | None  # the file, checked to lie in the workspace; None where a Problem was reported
    alt: str  # "" = decorative on purpose
    href: str = ""
    width: int | None = None  # CSS pixels
    align: str = "center"
    caption: str = ""


@dataclass(frozen=True)
class Button(Node):
    label: str
    href: str
    style: str = "primary"  # primary | secondary
    align: str = "start"  # start (of the reading direction) | left | center | right


@dataclass(frozen=True)
class ReplyButton(Node):
    label: str
    style: str = "primary"
    align: str = "start"


@dataclass(frozen=True)
class Callout(Node):
    tone: str  # info | warning | success | quiet
    title: str
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Column(Node):
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Columns(Node):
    columns: tuple[Column, ...]
    widths: tuple[int, ...]  # per cent, summing to 100, one per column


@dataclass(frozen=True)
class Card(Node):
    title: str
    children: tuple[Node, ...]
    picture: Picture | None = None
    href: str = ""


@dataclass(frozen=True)
class Divider(Node):
    pass


@dataclass(frozen=True)
class Spacer(Node):
    height: int = 24  # CSS pixels


@dataclass(frozen=True)
class Group(Node):
    """A container that is only a `lang` around its children."""

    children: tuple[Node, ...]


@dataclass(frozen=True)
class Only(Node):
    """Children for some people: terms are joined by AND, the values of one term by OR; `negated` = `except`."""

    terms: tuple[tuple[str, tuple[str, ...]], ...]  # (("ward", ("Stafford North", "Stafford South")),)
    negated: bool
    children: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Shown(Node):
    """`:::email-only` (`mail` True) or `:::web-only` (False)."""

    mail: bool
    children: tuple[Node, ...]


@dataclass(frozen=True)
class LinkedFile:
    """A local file (PDF) behind a link: published under /i/<sha256>.<ext>, type and size said in the link text."""

    href: str  # as it stands in tokens, buttons and cards: the path relative to the issue's folder
    path: Path
    sha256: str
    extension: str
    size: int  # bytes


@dataclass(frozen=True)
class By:
    """Who sent it, as printed in the mail."""

    name: str
    role: str = ""
    area: str = ""
    organisation: str = ""


@dataclass(frozen=True)
class FrontMatter:
    """Every key of the front matter with its default; texts may hold slot markers where fields are allowed."""

    subject: str
    sender: str  # `from`, a key of [senders]
    audience: tuple[str, ...]
    preheader: str = ""
    title: str = ""  # default: the subject
    reply_to: str = "inbox"
    topic: str = ""
    template: str = "alert"
    language: str = ""
    hero: Picture | None = None
    send_at: str = ""
    archive: str = "unlisted"
    archive_at: str = ""  # not listed before; "" = with the first delivery
    corrects: str = ""  # slug of the issue whose readers, and nobody else, get this one
    sensitive: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    text: str = ""  # overrides the plain-text part; may hold slot markers
    number: str = ""
    kind: str = ""  # alert | advice | appeal | event | update
    priority: str = ""
    by: By | None = None
    purpose: str = "public task"
    useful_until: str = ""
    allow: tuple[Mapping[str, str], ...] = ()  # waivers: code, until, why
    lines: Mapping[str, int] = field(default_factory=dict)  # key → line, for Problems found later


@dataclass(frozen=True)
class Issue:
    """One issue in one language, read and checked. Errors among `problems` mean it must not be sent."""

    slug: str
    folder: Path
    file: str  # "issue.md" or "issue.cy.md"
    source: str
    sha256: str  # of the source bytes
    nonce: str  # 8 hex digits, not found in the source
    language: str
    front: FrontMatter
    nodes: tuple[Node, ...]
    slots: tuple[Slot, ...]
    files: tuple[LinkedFile, ...] = ()
    problems: tuple[Problem, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Every node, depth first, in reading order."""
        return walk(self.nodes)


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """These nodes and all within them, depth first, in reading order."""
    for node in nodes:
        yield node
        for name in ("columns", "children", "otherwise"):
            yield from walk(getattr(node, name, ()))


def plain_json(value: Any) -> Any:
    """A value of this model as JSON types, for `--json` and golden tests."""
    if isinstance(value, Token):
        inner = {"children": plain_json(value.children)} if value.children else {"content": value.content}
        attributes = {"attrs": plain_json(value.attrs)} if value.attrs else {}
        return {"type": value.type, "tag": value.tag, **attributes, **inner}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        named = {name: plain_json(getattr(value, name)) for name in value.__dataclass_fields__}
        return {"node": type(value).__name__, **named} if isinstance(value, Node) else named
    return value
