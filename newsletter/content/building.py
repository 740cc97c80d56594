"""Turns the blocks of a written text into parts of the issue, and says what a block cannot take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from newsletter.content import links, markdown
from newsletter.content.context import Context
from newsletter.content.directives import Attribute, Block, Run
from newsletter.content.model import Node, Only, Picture
from newsletter.content.places import picture
from newsletter.content.source import Source
from newsletter.problems import Where, did_you_mean

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
LONGEST_LABEL = 2_000  # letters of a label, a title, a description
LATER = {"signature": "the sender's signature", "poll": "polls"}


@dataclass(frozen=True)
class Kind:
    """What a block takes. `attributes`: name → the values it may have, or () for any text."""

    build: Callable[[Builder, Block], tuple[Node, ...]]
    container: bool = False
    label: str = "none"  # none | optional | required
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass
class Builder:
    """Builds the nodes of one file; `inside` names the containers around, outermost first."""

    ctx: Context
    source: Source
    kinds: Mapping[str, Kind]
    inside: tuple[str, ...] = ()

    def nodes(self, parts: Sequence[Run | Block]) -> tuple[Node, ...]:
        """The nodes of these runs and blocks, in order."""
        found: list[Node] = []
        before = ""  # the block right above, because `otherwise` must follow `only` or `except`
        for part in parts:
            if isinstance(part, Run):
                made = markdown.nodes(self.ctx, self.source, part.lines)
                found += made
                before = "" if made else before
            elif part.name == "otherwise":
                self._otherwise(part, found, before)
                before = ""
            else:
                found += self._block(part)
                before = part.name
        return tuple(found)

    def _otherwise(self, block: Block, found: list[Node], before: str) -> None:
        self._check(block, self.kinds["otherwise"])
        children = self.children(block)
        if found and isinstance(found[-1], Only) and before in ("only", "except"):
            found[-1] = replace(found[-1], otherwise=children)
            return
        hint = "Put it right below the ::: that closes :::only or :::except."
        self.problem("bad-nesting", "‘otherwise’ follows no ‘only’ or ‘except’", hint, block)
        found += children

    def _block(self, block: Block) -> tuple[Node, ...]:
        kind = self.kinds.get(block.name)
        if kind is None:
            self._unknown(block)
            return self.children(block)
        if not kind.container and block.fence > 2 and not block.children:
            message, hint = f"‘{block.name}’ has no inside", f"Write it with two colons: ::{block.name}"
            self.problem("bad-block", message, hint, block)
        if kind.container and block.fence == 2:
            hint = f"Write :::{block.name} with three colons, and ::: on the line where it ends."
            self.problem("bad-block", f"‘{block.name}’ has a beginning and an end", hint, block)
        self._check(block, kind)
        made = kind.build(self, block)
        if not kind.container and block.children:
            made = (*made, *self.children(block))
        return made

    def _unknown(self, block: Block) -> None:
        name = self.ctx.fields.as_written(block.name)
        if name in LATER:
            self.problem("later-block", f"‘{name}’ is not here yet", f"Blocks for {LATER[name]} come later.", block)
            return
        hint = did_you_mean(name, self.kinds) or f"The blocks are {', '.join(self.kinds)}."
        self.problem("unknown-block", f"There is no block called ‘{name}’", hint, block)

    def _check(self, block: Block, kind: Kind) -> None:
        """Report the attributes and the label that this block cannot have, and those it lacks."""
        known = {**kind.attributes, **({"lang": ()} if kind.container else {})}
        for name, attribute in block.attributes.items():
            where = self.where(block, attribute)
            if block.name in ("only", "except") and name != "lang":
                continue  # its keys are fields of the configuration; `only` checks them itself
            if name not in known:
                hint = did_you_mean(name, known) or (f"It takes {', '.join(known)}." if known else "It takes none.")
                where = self.source.where(block.line.number, *attribute.key)
                self.ctx.problem("unknown-attribute", f"‘{block.name}’ has no attribute ‘{name}’", hint, where)
            elif known[name] and attribute.value not in known[name]:
                hint = did_you_mean(attribute.value, known[name]) or f"It is one of {', '.join(known[name])}."
                self.ctx.problem("bad-attribute-value", f"‘{name}’ cannot be ‘{attribute.value}’", hint, where)
            elif name not in ("href", "title", "alt", "caption") and self.has_slot(attribute.value):
                hint = "Fields stand in texts and in href."
                self.ctx.problem("field-not-allowed", f"‘{name}’ cannot hold a field", hint, where)
        if "lang" in block.attributes and not LANGUAGE.fullmatch(block.attributes["lang"].value):
            where = self.where(block, block.attributes["lang"])
            self.ctx.problem("bad-language", "This is not a language code", "Write en-GB, cy, ar or ur.", where)
        for name in kind.required:
            if name not in block.attributes:
                hint = f"Write {{{name}=…}} on its line."
                self.problem("missing-attribute", f"‘{block.name}’ needs ‘{name}’", hint, block)
        if kind.label == "required" and not block.label:
            self.problem("missing-label", f"‘{block.name}’ has no words", f"Write {block.name}[…]", block)
        if kind.label == "none" and block.label:
            hint = "Put the text on the lines inside." if kind.container else "Leave it away."
            self.problem("bad-block", f"‘{block.name}’ takes no text in [ ]", hint, block)

    def children(self, block: Block) -> tuple[Node, ...]:
        return Builder(self.ctx, self.source, self.kinds, (*self.inside, block.name)).nodes(block.children)

    def text(self, block: Block, name: str, default: str = "") -> str:
        """An attribute as a text for readers: typographic quotes, constants in place."""
        attribute = block.attributes.get(name)
        return self._words(attribute.value, self.where(block, attribute)) if attribute else default

    def label(self, block: Block) -> str:
        return self._words(block.label or "", self.where(block))

    def _words(self, text: str, where: Where) -> str:
        if len(text) > LONGEST_LABEL:
            self.ctx.problem("too-long", f"This text has {len(text):,} letters", "Say it in a paragraph.", where)
            return ""
        return self.ctx.fields.settle(markdown.words(text))

    def choice(self, block: Block, name: str, default: str, among: tuple[str, ...]) -> str:
        value = block.attributes[name].value if name in block.attributes else default
        return value if value in among else default

    def number(self, block: Block, name: str, least: int, most: int) -> int | None:
        """A whole number of CSS pixels, `120` or `120px`; None when absent or after a Problem."""
        attribute = block.attributes.get(name)
        if attribute is None or self.has_slot(attribute.value):
            return None
        match = re.fullmatch(r"(\d{1,4})(?:px)?", attribute.value)
        if match and least <= int(match[1]) <= most:
            return int(match[1])
        hint = f"Write a number of pixels from {least} to {most}."
        self.ctx.problem(
            "bad-attribute-value", f"‘{name}’ cannot be ‘{attribute.value}’", hint, self.where(block, attribute)
        )
        return None

    def href(self, block: Block) -> str:
        attribute = block.attributes.get("href")
        if attribute is None:
            return ""
        address = markdown.parser().normalizeLink(attribute.value) if attribute.value.strip() else ""
        return links.checked(self.ctx, self.source, address, self.where(block, attribute)) or ""

    def file(self, block: Block, name: str) -> Picture | None:
        """The picture named by attribute `name`, with its alt decided; for `image` and `card`."""
        attribute = block.attributes.get(name)
        if attribute is None or self.has_slot(attribute.value):
            return None
        path = picture(self.ctx, self.source, attribute.value, self.where(block, attribute))
        alt = self.label(block) if block.name == "image" and block.label else self.text(block, "alt")
        decided = alt or ("alt" in block.attributes)
        if not decided:
            self.problem(
                "missing-alt",
                "This picture has no words for people who cannot see it",
                'Write alt="what it shows", or alt="" when it only decorates.',
                block,
            )
        return Picture(block.line.number, attribute.value, path, alt, file=self.source.name)

    def facts(self, block: Block) -> dict[str, str]:
        """What every container carries: its file and its language."""
        attribute = block.attributes.get("lang")
        lang = attribute.value if attribute and LANGUAGE.fullmatch(attribute.value) else ""
        return {"file": self.source.name, "lang": lang}

    def where(self, block: Block, attribute: Attribute | None = None) -> Where:
        if attribute:
            return self.source.where(block.line.number, *attribute.place)
        return self.source.where(block.line.number, block.column, block.end)

    def problem(self, code: str, message: str, hint: str, block: Block) -> None:
        self.ctx.problem(code, message, hint, self.where(block))

    def not_inside(self, block: Block, *names: str) -> None:
        """Report a block that the layout of a mail cannot hold there."""
        around = next((name for name in self.inside if name in names), None)
        if around:
            hint = f"Close ‘{around}’ first."
            self.problem("bad-nesting", f"‘{block.name}’ cannot stand inside ‘{around}’", hint, block)

    def has_slot(self, text: str) -> bool:
        return f"Zq{self.ctx.fields.nonce}v" in text
