"""Writes the plain-text part from the issue itself, with the same links as the HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markdown_it.token import Token

from newsletter.content import model as content
from newsletter.rendering import languages
from newsletter.rendering.material import Material
from newsletter.rendering.merge import FSI, PDI
from newsletter.rendering.model import Condition, Context, Hole, Mark, Mode, Piece
from newsletter.rendering.restoring import address_pieces, joined
from newsletter.rendering.wrapping import COLUMNS, width, wrap

RULE = "-" * 40
# One block of the text: a finished string, or the mark of a range.
Block = str | Mark


@dataclass(frozen=True)
class Margin:
    """What stands before each line: the bar of a callout, the sign of a quote, the indent of a list."""

    first: str = ""
    rest: str = ""

    def more(self, first: str, rest: str = "") -> Margin:
        return Margin(self.first + first, self.rest + (rest or first))


class TextWriter:
    """Turns nodes into text blocks. Slots stay as markers and addresses as tokens until `pieces`."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.tokens, self.mode, self.words = material.tokens, material.mode, material.words
        self.addresses: list[list[Piece]] = []
        self._widths = {slot.number: len(slot.fallback or "") or 8 for slot in material.slots}
        self._token = re.compile(rf"Zq{material.tokens.nonce}([va])(\d{{4,}})qZ")

    # -- blocks

    def blocks(self, nodes: Iterable[content.Node], margin: Margin = Margin()) -> list[Block]:
        """Every node as blocks, in reading order."""
        return [block for node in nodes for block in self._node(node, margin)]

    def _node(self, node: content.Node, margin: Margin) -> list[Block]:
        match node:
            case content.Prose():
                return list(self._prose(node.tokens, margin))
            case content.Heading():
                return [self._heading(self.inline(node.tokens), "=" if node.level == 1 else "-", margin)]
            case content.Table():
                return [self._table(node.tokens, margin)]
            case content.Picture():
                return self._picture(node, margin)
            case content.Button():
                return [self.link(node.label, node.href, margin)]
            case content.ReplyButton():
                return self._reply(node, margin)
            case content.Callout():
                bar = margin.more("| ")
                title: list[Block] = [self.wrapped(node.title, bar)] if node.title else []
                return [*title, *self.blocks(node.children, bar)]
            case content.Card():
                return self._card(node, margin)
            case content.Columns():
                return [block for column in node.columns for block in self.blocks(column.children, margin)]
            case content.Divider():
                return [margin.rest + RULE]
            case content.Only():
                return self._only(node, margin)
            case content.Shown():
                return self.blocks(node.children, margin) if node.mail is not (self.mode is Mode.WEB) else []
            case content.Group() | content.Column():
                return self.blocks(node.children, margin)
        return []

    def _only(self, node: content.Only, margin: Margin) -> list[Block]:
        children, otherwise = self.blocks(node.children, margin), self.blocks(node.otherwise, margin)
        if self.mode is Mode.WEB:
            label = self.material.for_whom(node)
            others: list[Block] = [self.wrapped(self.words("for_everyone_else"), margin)] if otherwise else []
            return [self.wrapped(label, margin), *children, *others, *otherwise]
        condition = Condition(node.terms, node.negated)
        found: list[Block] = []
        for wanted, inner in ((condition, children), (replace(condition, negated=not node.negated), otherwise)):
            if inner:
                number = self.tokens.condition(wanted)
                found += [Mark(number, opens=True), *inner, Mark(number, opens=False)]
        return found

    def _heading(self, text: str, line: str, margin: Margin) -> str:
        under = line * min(COLUMNS, max(3, max(self._width(part) for part in wrap(text).split("\n"))))
        return f"{self.wrapped(text, margin)}\n{margin.rest}{under}"

    def _picture(self, node: content.Picture, margin: Margin) -> list[Block]:
        found: list[Block] = []
        if node.alt:
            found.append(self.wrapped(f"[{self.words('picture')}: {node.alt}]", margin))
        if node.href:
            found.append(self.wrapped(self._address(node.href), margin))
        if node.caption:
            found.append(self.wrapped(node.caption, margin))
        return found

    def _reply(self, node: content.ReplyButton, margin: Margin) -> list[Block]:
        if not self.material.can.reply:
            return []
        return [
            self.wrapped(
                f"{node.label}: {self._address(self.material.slot('reply_url'))}\n{self.words('reply_hint')}", margin
            )
        ]

    def _card(self, node: content.Card, margin: Margin) -> list[Block]:
        found: list[Block] = [self._heading(node.title, "-", margin)] if node.title else []
        if node.picture:
            found += self._picture(node.picture, margin)
        found += self.blocks(node.children, margin)
        if node.href:
            found.append(self.wrapped(self._address(node.href), margin))
        return found

    def link(self, label: str, href: str, margin: Margin = Margin()) -> str:
        """`Label: URL`."""
        return self.wrapped(f"{label}: {self._address(href)}", margin)

    def wrapped(self, text: str, margin: Margin = Margin()) -> str:
        """A paragraph; each line that the writer broke by hand stays a line."""
        lines = text.split("\n")
        found = [
            wrap(line, margin.first if n == 0 else margin.rest, margin.rest, measure=self._width)
            for n, line in enumerate(lines)
        ]
        return "\n".join(found)

    # -- Markdown

    def _prose(self, tokens: Sequence[Token], margin: Margin) -> Iterable[str]:
        """Paragraphs and quotes one by one; a whole list is one block."""
        index = 0
        while index < len(tokens):
            token = tokens[index]
            end = _end(tokens, index)
            inner = tokens[index + 1 : end]
            if token.type == "inline":
                yield self.wrapped(self.inline((token,)), margin)
            elif token.type in ("bullet_list_open", "ordered_list_open"):
                yield "\n".join(self._items(inner, token, margin))
            elif token.type == "blockquote_open":
                yield from self._prose(inner, margin.more("> "))
            elif token.type in ("fence", "code_block"):
                yield "\n".join(f"{margin.rest}    {line}" for line in token.content.rstrip("\n").split("\n"))
            elif token.type == "hr":
                yield margin.rest + RULE
            elif token.nesting == 1:
                yield from self._prose(inner, margin)
            index = end + 1

    def _items(self, tokens: Sequence[Token], opening: Token, margin: Margin) -> Iterable[str]:
        number = int(opening.attrs.get("start", 1) or 1)
        index = 0
        while index < len(tokens):
            end = _end(tokens, index)
            sign = "• " if opening.type == "bullet_list_open" else f"{number}. "
            hanging = Margin(margin.rest + sign, margin.rest + " " * len(sign))
            for block in self._prose(tokens[index + 1 : end], hanging):
                yield block
                hanging = Margin(hanging.rest, hanging.rest)
            number, index = number + 1, end + 1

    def inline(self, tokens: Iterable[Token]) -> str:
        """Inline tokens as text; a link is its words and then its address in angle brackets."""
        out: list[str] = []
        links: list[tuple[str, int]] = []
        for token in tokens:
            if token.type == "inline":
                out.append(self.inline(token.children or ()))
            elif token.type == "text":
                out.append(self._in_order(token.content))
            elif token.type == "code_inline":
                out.append(token.content)
            elif token.type == "softbreak":
                out.append(" ")
            elif token.type == "hardbreak":
                out.append("\n")
            elif token.type == "link_open":
                links.append((str(token.attrs.get("href", "")), len(out)))
            elif token.type == "link_close" and links:
                href, start = links.pop()
                label = "".join(out[start:])
                address = self._address(href)
                if label.strip() == href.removeprefix("mailto:").removeprefix("tel:"):
                    out[start:] = [label if href.startswith(("mailto:", "tel:")) else address]
                else:
                    out[start:] = [f"{label} <{address}>"]
        return "".join(out)

    def _in_order(self, text: str) -> str:
        """In right-to-left text, numbers and bracketed names with the marks that keep them as they were written.

        A number is isolated and never broken over lines; for a name a left-to-right mark after its bracket is enough.
        """
        if self.material.direction != "rtl":
            return text

        def marked(match: re.Match[str]) -> str:
            if self.tokens.nonce in match[0]:
                return match[0]
            if match["number"]:
                return f"{FSI}{match[0].replace(' ', chr(0xA0))}{PDI}"
            return f"{match[0]}\u200e"

        return languages.FOREIGN.sub(marked, text)

    def _table(self, tokens: Sequence[Token], margin: Margin) -> str:
        """Aligned columns; where they would not fit, each row as `Heading: value` lines."""
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline" and rows:
                rows[-1].append(self.inline((token,)))
        count = max(map(len, rows), default=0)
        rows = [[*row, *[""] * (count - len(row))] for row in rows]
        widths = [max(self._width(row[column]) for row in rows) for column in range(count)]
        if sum(widths) + 2 * (count - 1) > COLUMNS:
            head = rows[0]
            chunks = [
                [
                    wrap(f"{name}: {cell}", margin.rest, margin.rest, measure=self._width)
                    for name, cell in zip(head, row, strict=True)
                ]
                for row in rows[1:]
            ]
            return f"\n{margin.rest.rstrip()}\n".join("\n".join(chunk) for chunk in chunks)
        lines = [
            "  ".join(cell + " " * (size - self._width(cell)) for cell, size in zip(row, widths, strict=True))
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * size for size in widths))
        return "\n".join(f"{margin.rest}{line}".rstrip() for line in lines)

    # -- addresses, widths, pieces

    def _address(self, href: str) -> str:
        # None = a scheme that no link may have: reported where the HTML is restored.
        return self.address_token(
            address_pieces(self.tokens, self.material.address(href).strip(), Context.PLAIN_URL) or []
        )

    def address_token(self, pieces: list[Piece]) -> str:
        """A token that stands for an address in the text."""
        self.addresses.append(pieces)
        return f"Zq{self.tokens.nonce}a{len(self.addresses) - 1:04d}qZ"

    def _width(self, text: str) -> int:
        def size(match: re.Match[str]) -> str:
            if match[1] == "v":
                return "x" * self._widths.get(int(match[2]), 24)
            return "".join(piece if isinstance(piece, str) else "x" * 24 for piece in self.addresses[int(match[2])])

        return width(self._token.sub(size, text))

    def pieces(self, blocks: Iterable[Block]) -> tuple[Piece, ...]:
        """Blocks as pieces, each followed by an empty line; a range takes its empty lines with it."""
        found: list[Piece] = []
        for block in blocks:
            if isinstance(block, Mark):
                found.append(block)
                continue
            end = 0
            for match in self._token.finditer(block):
                found.append(block[end : match.start()])
                found += [Hole(int(match[2]), Context.PLAIN)] if match[1] == "v" else self.addresses[int(match[2])]
                end = match.end()
            found.append(f"{block[end:]}\n\n")
        return joined(found)

    def own(self, text: str) -> list[Block]:
        """The text that the writer gave instead, as it is; a field inside an address is encoded as part of it."""
        found = re.sub(r"(?:https?://|mailto:)\S+", lambda match: self._address(match[0]), text)
        return [found.strip("\n")]


def _end(tokens: Sequence[Token], start: int) -> int:
    """Index of the token that closes the one at `start` (itself where it opens nothing)."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].nesting
        if depth <= 0:
            return index
    return len(tokens) - 1
