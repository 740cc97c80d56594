"""Finds the place in the written issue that a finding is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it.token import Token

from newsletter.content import model as content
from newsletter.content.model import Issue, marker_pattern
from newsletter.problems import Where
from newsletter.rendering.prose import plain


@dataclass(frozen=True)
class Link:
    """One link of the issue: its words, where it goes, and the line of its block."""

    label: str
    href: str
    line: int
    file: str


def links(issue: Issue) -> Iterator[Link]:
    """Every link in reading order, those in running text and those of buttons, cards and pictures."""
    for node in issue.walk():
        for token in getattr(node, "tokens", ()):
            yield from _in_text(token, node)
        if isinstance(node, content.Button):
            yield Link(node.label, node.href, node.line, node.file)
        elif isinstance(node, content.Card) and node.href:
            yield Link(node.title, node.href, node.line, node.file)
        elif isinstance(node, content.Picture) and node.href:
            yield Link(node.alt, node.href, node.line, node.file)


def _in_text(token: Token, node: content.Node) -> Iterator[Link]:
    children: Sequence[Token] = token.children or ([token] if token.type == "link_open" else [])
    for index, child in enumerate(children):
        if child.type != "link_open":
            continue
        end = next((n for n in range(index, len(children)) if children[n].type == "link_close"), index)
        yield Link(plain(children[index:end]), str(child.attrs.get("href", "")), node.line, node.file)


def where(issue: Issue, needle: str, line: int = 0, file: str = "") -> Where:
    """The place of `needle` in the source, at or after `line`; without a find, the line."""
    if file and file != issue.file:
        return Where(file, line or None)
    lines = _lines(issue.source)
    found = marker_pattern(issue.nonce).split(needle)
    word = max(found[::2], key=len) if found else ""
    for number in range(max(1, line), len(lines) + 1):
        start = lines[number - 1].find(word) if word else -1
        if start >= 0:
            return Where(issue.file, number, start + 1, start + 1 + len(word), lines[number - 1])
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    return Where(issue.file, line or None, source=source)


def front(issue: Issue, key: str) -> Where:
    """The place of a front matter key's value."""
    line = issue.front.lines.get(key)
    lines = _lines(issue.source)
    if not line or line > len(lines):
        return Where(issue.file)
    source = lines[line - 1]
    if not source.lstrip().startswith(key):  # a translation has it from issue.md, whose line this is
        return Where(issue.file)
    start = source.find(":") + 1
    start += len(source[start:]) - len(source[start:].lstrip())
    return Where(issue.file, line, start + 1, max(start + 2, len(source.rstrip()) + 1), source)


@lru_cache(maxsize=4)
def _lines(source: str) -> list[str]:
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
