"""The blocks of an issue: what each is called, what it takes, where it may stand, and the node it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from newsletter.content import links, markdown
from newsletter.content.context import Context
from newsletter.content.directives import Attribute, Block, Run, Scanner
from newsletter.content.including import included
from newsletter.content.model import (
    Button,
    Callout,
    Card,
    Column,
    Columns,
    Divider,
    Group,
    Node,
    Only,
    Picture,
    ReplyButton,
    Shown,
    Spacer,
)
from newsletter.content.places import picture
from newsletter.content.source import Line, Source
from newsletter.problems import Where, did_you_mean

LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
ALIGN = ("start", "left", "center", "right")
STYLE = ("primary", "secondary")
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
        self._check(block, KINDS["otherwise"])
        children = self.children(block)
        if found and isinstance(found[-1], Only) and before in ("only", "except"):
            found[-1] = replace(found[-1], otherwise=children)
            return
        hint = "Put it right below the ::: that closes :::only or :::except."
        self.problem("bad-nesting", "‘otherwise’ follows no ‘only’ or ‘except’", hint, block)
        found += children

    def _block(self, block: Block) -> tuple[Node, ...]:
        kind = KINDS.get(block.name)
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
        hint = did_you_mean(name, KINDS) or f"The blocks are {', '.join(KINDS)}."
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
                self.ctx.problem("unknown-attribute", f"‘{block.name}’ has no attribute ‘{name}’", hint, where)
            elif known[name] and attribute.value not in known[name]:
                hint = did_you_mean(attribute.value, known[name]) or f"It is one of {', '.join(known[name])}."
                self.ctx.problem("bad-value", f"‘{name}’ cannot be ‘{attribute.value}’", hint, where)
            elif name not in ("href", "title", "alt", "caption") and self._has_slot(attribute.value):
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
        return Builder(self.ctx, self.source, (*self.inside, block.name)).nodes(block.children)

    def text(self, block: Block, name: str, default: str = "") -> str:
        """An attribute as a text for readers: typographic quotes, constants in place."""
        attribute = block.attributes.get(name)
        return self.ctx.fields.settle(markdown.words(attribute.value)) if attribute else default

    def label(self, block: Block) -> str:
        return self.ctx.fields.settle(markdown.words(block.label or ""))

    def choice(self, block: Block, name: str, default: str, among: tuple[str, ...]) -> str:
        value = block.attributes[name].value if name in block.attributes else default
        return value if value in among else default

    def number(self, block: Block, name: str, least: int, most: int) -> int | None:
        """A whole number of CSS pixels, `120` or `120px`; None when absent or after a Problem."""
        attribute = block.attributes.get(name)
        if attribute is None or self._has_slot(attribute.value):
            return None
        match = re.fullmatch(r"(\d{1,4})(?:px)?", attribute.value)
        if match and least <= int(match[1]) <= most:
            return int(match[1])
        hint = f"Write a number of pixels from {least} to {most}."
        self.ctx.problem("bad-value", f"‘{name}’ cannot be ‘{attribute.value}’", hint, self.where(block, attribute))
        return None

    def href(self, block: Block) -> str:
        attribute = block.attributes.get("href")
        if attribute is None:
            return ""
        address = markdown.parser().normalizeLink(attribute.value) if attribute.value.strip() else ""
        return links.checked(self.ctx, self.source, address, self.where(block, attribute)) or ""

    def file(self, block: Block, name: str) -> tuple[str, Picture | None]:
        """The picture named by attribute `name`, with its alt decided; for `image` and `card`."""
        attribute = block.attributes.get(name)
        if attribute is None or self._has_slot(attribute.value):
            return "", None
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
        made = Picture(block.line.number, attribute.value, path, alt, file=self.source.name)
        return attribute.value, made

    def facts(self, block: Block) -> dict[str, str]:
        """What every container carries: its file and its language."""
        attribute = block.attributes.get("lang")
        lang = attribute.value if attribute and LANGUAGE.fullmatch(attribute.value) else ""
        return {"file": self.source.name, "lang": lang}

    def where(self, block: Block, attribute: Attribute | None = None) -> Where:
        if attribute:
            return self.source.where(block.line.number, attribute.column, attribute.end)
        return self.source.where(block.line.number, block.column, block.end)

    def problem(self, code: str, message: str, hint: str, block: Block) -> None:
        self.ctx.problem(code, message, hint, self.where(block))

    def not_inside(self, block: Block, *names: str) -> None:
        """Report a block that the layout of a mail cannot hold there."""
        around = next((name for name in self.inside if name in names), None)
        if around:
            hint = f"Close ‘{around}’ first."
            self.problem("bad-nesting", f"‘{block.name}’ cannot stand inside ‘{around}’", hint, block)

    def _has_slot(self, text: str) -> bool:
        return f"Zq{self.ctx.fields.nonce}v" in text


def _image(made: Builder, block: Block) -> tuple[Node, ...]:
    _, found = made.file(block, "src")
    if found is None:
        return ()
    align = made.choice(block, "align", "center", ALIGN)
    width = made.number(block, "width", 1, 600)
    caption = made.text(block, "caption")
    return (replace(found, href=made.href(block), width=width, align=align, caption=caption),)


def _button(made: Builder, block: Block) -> tuple[Node, ...]:
    href, label = made.href(block), made.label(block)
    file = made.ctx.files.get(href)
    if file and links.size_note(file).strip() not in label:
        label += links.size_note(file)
    style = made.choice(block, "style", "primary", STYLE)
    align = made.choice(block, "align", "start", ALIGN)
    return (Button(block.line.number, label, href, style, align, file=made.source.name),)


def _reply(made: Builder, block: Block) -> tuple[Node, ...]:
    style = made.choice(block, "style", "primary", STYLE)
    align = made.choice(block, "align", "start", ALIGN)
    return (ReplyButton(block.line.number, made.label(block), style, align, file=made.source.name),)


def _divider(made: Builder, block: Block) -> tuple[Node, ...]:
    return (Divider(block.line.number, file=made.source.name),)


def _spacer(made: Builder, block: Block) -> tuple[Node, ...]:
    return (Spacer(block.line.number, made.number(block, "height", 1, 200) or 24, file=made.source.name),)


def _callout(made: Builder, block: Block) -> tuple[Node, ...]:
    made.not_inside(block, "callout", "card")
    tone = made.choice(block, "tone", "info", TONES)
    title = made.label(block) or made.text(block, "title")
    return (Callout(block.line.number, tone, title, made.children(block), **made.facts(block)),)


def _card(made: Builder, block: Block) -> tuple[Node, ...]:
    made.not_inside(block, "callout", "card")
    _, found = made.file(block, "image")
    href = made.href(block)
    title, file = made.label(block), made.ctx.files.get(href)
    if file and links.size_note(file).strip() not in title:
        title += links.size_note(file)
    return (Card(block.line.number, title, made.children(block), found, href, **made.facts(block)),)


def _column(made: Builder, block: Block) -> tuple[Node, ...]:
    if not made.inside or made.inside[-1] != "columns":
        hint = "Put it directly inside ::::columns, which has one colon more."
        made.problem("bad-nesting", "‘column’ stands outside ‘columns’", hint, block)
        return made.children(block)
    return (Column(block.line.number, made.children(block), **made.facts(block)),)


def _columns(made: Builder, block: Block) -> tuple[Node, ...]:
    made.not_inside(block, "columns", "column", "callout", "card")
    found = made.children(block)
    columns = tuple(node for node in found if isinstance(node, Column))
    for node in found:
        if not isinstance(node, Column):
            hint = "Put it into a :::column; to hide a column from some people, wrap all of ::::columns."
            where = made.source.where(node.line)
            made.ctx.problem("bad-nesting", "Only ‘column’ can stand directly inside ‘columns’", hint, where)
    if not 1 <= len(columns) <= 4:
        hint = "Write two to four :::column … ::: inside it."
        made.problem("bad-nesting", f"‘columns’ holds {len(columns)} columns", hint, block)
        return tuple(child for column in columns for child in column.children)
    return (Columns(block.line.number, columns, _widths(made, block, len(columns)), **made.facts(block)),)


def _widths(made: Builder, block: Block, count: int) -> tuple[int, ...]:
    equal = tuple(100 // count + (1 if index < 100 % count else 0) for index in range(count))
    attribute = block.attributes.get("widths")
    if attribute is None:
        return equal
    parts = [part.strip().removesuffix("%") for part in attribute.value.split(",")]
    widths = tuple(int(part) if re.fullmatch(r"\d{1,3}", part) else 0 for part in parts)
    if len(widths) == count and sum(widths) == 100 and min(widths) >= 10:
        return widths
    hint = f"Write {count} whole numbers that sum to 100, such as {','.join(map(str, equal))}; none under 10."
    where = made.where(block, attribute)
    made.ctx.problem("bad-value", f"‘widths’ cannot be ‘{attribute.value}’", hint, where)
    return equal


def _only(made: Builder, block: Block) -> tuple[Node, ...]:
    terms: list[tuple[str, tuple[str, ...]]] = []
    known = [*made.ctx.config.all_fields, "list", "tag", "area"]
    for name, attribute in block.attributes.items():
        if name == "lang":
            continue
        where = made.where(block, attribute)
        values = tuple(filter(None, (made.ctx.fields.settle(part).strip() for part in attribute.value.split(","))))
        if name == "segment":
            hint = "Use a list, a tag, an area or a field."
            made.ctx.problem("later-block", "Segments are not here yet", hint, where)
        elif name not in known:
            hint = did_you_mean(name, known) or f"It takes {', '.join(known)}."
            made.ctx.problem("unknown-attribute", f"‘{block.name}’ cannot ask for ‘{name}’", hint, where)
        elif not values:
            made.ctx.problem("bad-value", f"‘{name}’ names nobody", f'Write {name}="A, B"', where)
        elif made._has_slot(attribute.value):
            made.ctx.problem("field-not-allowed", f"‘{name}’ cannot hold a field", "Write the values.", where)
        else:
            _known_lists(made, name, values, where)
            terms.append((name, values))
    if not block.attributes.keys() - {"lang"}:
        hint = f'Write :::{block.name}{{ward="Stafford North, Stafford South"}}'
        made.problem("missing-attribute", f"‘{block.name}’ does not say for whom", hint, block)
    children = made.children(block)
    if not terms:
        return children
    negated = block.name == "except"
    return (Only(block.line.number, tuple(terms), negated, children, (), **made.facts(block)),)


def _known_lists(made: Builder, name: str, values: tuple[str, ...], where: Where) -> None:
    lists = made.ctx.config.lists
    for value in values if name == "list" else ():
        if value not in lists:
            hint = did_you_mean(value, lists) or f"The lists are {', '.join(lists)}."
            made.ctx.problem("unknown-list", f"There is no list called ‘{value}’", hint, where)


def _shown(made: Builder, block: Block) -> tuple[Node, ...]:
    return (Shown(block.line.number, block.name == "email-only", made.children(block), **made.facts(block)),)


def _group(made: Builder, block: Block) -> tuple[Node, ...]:
    return (Group(block.line.number, made.children(block), **made.facts(block)),)


def _include(made: Builder, block: Block) -> tuple[Node, ...]:
    attribute = block.attributes.get("file")
    if attribute is None:
        return ()
    opened = included(made.ctx, made.source, attribute.value, made.where(block, attribute))
    if opened is None:
        return ()
    path, source = opened
    made.ctx.including = (*made.ctx.including, path)
    try:
        return body(made.ctx, source, 1, len(source.lines), made.inside)
    finally:
        made.ctx.including = made.ctx.including[:-1]


TONES = ("info", "warning", "success", "quiet")
KINDS: dict[str, Kind] = {
    "image": Kind(
        _image,
        label="optional",
        attributes={"src": (), "alt": (), "width": (), "href": (), "align": ALIGN, "caption": ()},
        required=("src",),
    ),
    "button": Kind(
        _button, label="required", attributes={"href": (), "style": STYLE, "align": ALIGN}, required=("href",)
    ),
    "reply": Kind(_reply, label="required", attributes={"style": STYLE, "align": ALIGN}),
    "callout": Kind(_callout, container=True, label="optional", attributes={"tone": TONES, "title": ()}),
    "columns": Kind(_columns, container=True, attributes={"widths": ()}),
    "column": Kind(_column, container=True),
    "card": Kind(_card, container=True, label="required", attributes={"image": (), "alt": (), "href": ()}),
    "divider": Kind(_divider),
    "spacer": Kind(_spacer, attributes={"height": ()}),
    "only": Kind(_only, container=True),
    "except": Kind(_only, container=True),
    "otherwise": Kind(_group, container=True),
    "email-only": Kind(_shown, container=True),
    "web-only": Kind(_shown, container=True),
    "group": Kind(_group, container=True, required=("lang",)),
    "include": Kind(_include, label="optional", attributes={"file": ()}, required=("file",)),
}
LEAVES = frozenset(name for name, kind in KINDS.items() if not kind.container)


def body(ctx: Context, source: Source, first: int, last: int, inside: tuple[str, ...] = ()) -> tuple[Node, ...]:
    """The nodes of lines `first` to `last` of `source`."""
    lines: list[Line] = [ctx.fields.line(source, number) for number in range(first, last + 1)]
    parts = Scanner(source, LEAVES, ctx.problems).scan(lines)
    markdown.remember_references(ctx, list(_runs(parts)))
    return Builder(ctx, source, inside).nodes(parts)


def _runs(parts: Sequence[Run | Block]) -> list[list[Line]]:
    found: list[list[Line]] = []
    for part in parts:
        found += [part.lines] if isinstance(part, Run) else _runs(part.children)
    return found
