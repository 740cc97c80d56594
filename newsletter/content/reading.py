"""The door to this package: an issue's folder goes in, an Issue with everything that is wrong comes out."""

from __future__ import annotations

import hashlib
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from markdown_it.token import Token

from newsletter.config import Config
from newsletter.content.blocks import body
from newsletter.content.context import Context
from newsletter.content.fields import Fields
from newsletter.content.frontmatter import Entry, Parser, Place, Text, bounds
from newsletter.content.including import NonceTaken
from newsletter.content.keys import SHARED, WHOLE, Keys
from newsletter.content.model import FrontMatter, Issue, Node, marker, walk
from newsletter.content.places import text_of
from newsletter.content.source import Source
from newsletter.problems import Problem, has_errors

MOST_PARTS = 500  # a long newsletter has 60; the mail engine takes the square of it, 44 s for 2,700


def read(folder: Path, config: Config, language: str = "") -> Issue:
    """Read `issue.md` of this folder, or `issue.<language>.md`.

    What is wrong with it lies in `Issue.problems`; NewsletterError only when there is no readable text at all
    (missing, outside the workspace, over 1 MB, not UTF-8).
    """
    name = f"issue.{language}.md" if language else "issue.md"
    raw = text_of(folder / name, config.root, name)
    for attempt in range(8):
        try:
            return _read(folder, config, language, raw, _nonce(raw, attempt))
        except NonceTaken:
            continue
    raise AssertionError("eight hashes of one text cannot all stand in it by chance")


def headline(folder: Path, config: Config) -> str:
    """The title of an issue, else its subject, as written; the quick way for lists. Raises as `read` does."""
    name = f"issues/{folder.name}/issue.md"
    text = text_of(folder / "issue.md", config.root, name).decode()
    source = Source.of(text.removeprefix("\ufeff"), name, folder)
    entries = _entries(source, [])[0]
    texts = [entries[key].value for key in ("title", "subject") if key in entries]
    return next((text.text for text in texts if isinstance(text, Text) and text.text), "")


def _nonce(raw: bytes, attempt: int) -> str:
    """8 hex digits that do not stand in the text; the same text gives the same ones, so rendering is repeatable."""
    salt = attempt * 1000
    while (nonce := hashlib.sha256(raw + b"%d" % salt).hexdigest()[:8]).encode() in raw:
        salt += 1
    return nonce


def _read(folder: Path, config: Config, language: str, raw: bytes, nonce: str) -> Issue:
    name = f"issue.{language}.md" if language else "issue.md"
    text = raw.decode()
    source = Source.of(text.removeprefix("\ufeff"), name, folder)
    problems: list[Problem] = []
    ctx = Context(config, folder, Fields(config, nonce, problems), problems, including=((folder / name).resolve(),))
    entries, first = _entries(source, problems)
    if language:
        entries = {**_shared(folder, config), **entries}
    keys = Keys(ctx, entries, Place(source, 1, 1, max(2, len(source.lines[0]) + 1)))
    ctx.fields.language = keys.text("language") or language or config.site.language
    ctx.fields.constants = keys.constants()
    front = keys.front()
    if language and front.language and front.language.split("-")[0].lower() != language.split("-")[0].lower():
        where = source.where(front.lines["language"])
        hint = f"Write language: {language}, or rename the file to issue.{front.language}.md."
        ctx.problem("language-mismatch", f"{name} says that its language is ‘{front.language}’", hint, where)
    nodes = _not_endless(ctx, source, first, body(ctx, source, first, len(source.lines)))
    _nothing_lost(ctx, front, nodes)
    return Issue(
        slug=folder.name,
        folder=folder,
        file=name,
        source=text,
        sha256=hashlib.sha256(raw).hexdigest(),
        nonce=nonce,
        language=front.language or language or config.site.language,
        front=front,
        nodes=nodes,
        slots=tuple(ctx.fields.slots.values()),
        files=tuple(ctx.files.values()),
        problems=_sorted(problems, name),
    )


def _entries(source: Source, problems: list[Problem]) -> tuple[dict[str, Entry], int]:
    """The front matter's entries and the first line of the message."""
    first, end = bounds(source)
    if not first:
        hint = "Begin the file with ---, the lines subject:, from: and audience:, and --- again."
        problems.append(Problem("no-front-matter", "The front matter is missing", hint, source.where(1)))
        return {}, 1
    if not end:
        hint = "Put a line with --- below the last key."
        where = source.where(first, 1, 4)
        problems.append(Problem("unclosed-front-matter", "The front matter never ends", hint, where))
    parser = Parser(source, end - 1 if end else len(source.lines), problems, WHOLE, line=first + 1)
    return parser.entries(), (end or len(source.lines)) + 1


def _shared(folder: Path, config: Config) -> dict[str, Entry]:
    """What a translation takes from issue.md; that file's own Problems are told when it is read itself."""
    raw = text_of(folder / "issue.md", config.root, "issue.md")
    source = Source.of(raw.decode().removeprefix("\ufeff"), "issue.md", folder)
    return {key: entry for key, entry in _entries(source, [])[0].items() if key in SHARED}


def _not_endless(ctx: Context, source: Source, first: int, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes, or after a Problem as many of them as can be drawn in a moment."""
    count = 0
    for index, node in enumerate(nodes):
        count += sum(1 for _ in walk((node,)))
        if count > MOST_PARTS:
            hint = "Gmail cuts a mail off long before that: send the news, and put the rest on a web page."
            message = f"This message has more than {MOST_PARTS:,} headings, blocks and pictures"
            ctx.problem("too-long", message, hint, source.where(min(first, len(source.lines))))
            return nodes[:index]
    return nodes


def _nothing_lost(ctx: Context, front: FrontMatter, nodes: tuple[Node, ...]) -> None:
    """Every field that was written must come out somewhere: a last guard against words lost in silence."""
    if not ctx.fields.slots or has_errors(ctx.problems):
        return
    seen = "\n".join(_strings((front, nodes)))
    for slot in ctx.fields.slots.values():
        if marker(ctx.fields.nonce, slot.number) not in seen and slot.where:
            hint = "Move it out of the link's or the code's definition, into the text."
            ctx.problem("lost-field", f"‘{slot.key}’ would not appear in the message here", hint, slot.where)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Token):
        inner = [text for child in value.children or () for text in _strings(child)]
        return [value.content if not value.children else "", *map(str, value.attrs.values()), *inner]
    if isinstance(value, tuple | list):
        return [text for item in value for text in _strings(item)]
    if is_dataclass(value):
        return [text for field in dataclass_fields(value) for text in _strings(getattr(value, field.name))]
    return []


def _sorted(problems: list[Problem], name: str) -> tuple[Problem, ...]:
    """Each Problem once, the issue's own first, from top to bottom."""

    def order(problem: Problem) -> tuple[bool, str, int, int]:
        where = problem.where
        if where is None:
            return (True, "", 0, 0)
        return (where.file != name, where.file, where.line or 0, where.column or 0)

    return tuple(sorted(dict.fromkeys(problems), key=order))
