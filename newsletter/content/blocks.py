"""The blocks of an issue: what each is called, what it takes, where it may stand, and the node it becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from newsletter.content import links, markdown
from newsletter.content.building import Builder, Kind
from newsletter.content.context import Context
from newsletter.content.directives import Block, Run, Scanner
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
    ReplyButton,
    Shown,
    Spacer,
)
from newsletter.content.source import Line, Source
from newsletter.problems import Where, did_you_mean

ALIGN = ("start", "left", "center", "right")
STYLE = ("primary", "secondary")


def _image(made: Builder, block: Block) -> tuple[Node, ...]:
    found = made.file(block, "src")
    if found is None:
        return ()
    align = made.choice(block, "align", "center", ALIGN)
    width = made.number(block, "width", 1, 600)
    caption = made.text(block, "caption")
    return (replace(found, href=made.href(block), width=width, align=align, caption=caption),)


def _button(made: Builder, block: Block) -> tuple[Node, ...]:
    href = made.href(block)
    label = links.with_size(made.ctx, href, made.label(block))
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
    picture, href = made.file(block, "image"), made.href(block)
    title = links.with_size(made.ctx, href, made.label(block))
    return (Card(block.line.number, title, made.children(block), picture, href, **made.facts(block)),)


def _column(made: Builder, block: Block) -> tuple[Node, ...]:
    if "columns" not in made.inside:
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
    if 1 <= len(columns) <= 4 and len(columns) == len(found):
        return (Columns(block.line.number, columns, _widths(made, block, len(columns)), **made.facts(block)),)
    if len(columns) == len(found):
        hint = "Write two to four :::column … ::: inside it."
        made.problem("bad-nesting", f"‘columns’ holds {len(columns)} columns", hint, block)
    return _opened(found)


def _opened(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes with those inside a column in its place: a column is never drawn outside `columns`."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, Column):
            found += _opened(node.children)
        elif isinstance(node, Only):
            found.append(replace(node, children=_opened(node.children), otherwise=_opened(node.otherwise)))
        elif isinstance(node, Shown | Group):
            found.append(replace(node, children=_opened(node.children)))
        else:
            found.append(node)
    return tuple(found)


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
    made.ctx.problem("bad-attribute-value", f"‘widths’ cannot be ‘{attribute.value}’", hint, where)
    return equal


def _only(made: Builder, block: Block) -> tuple[Node, ...]:
    terms: list[tuple[str, tuple[str, ...]]] = []
    known = [*made.ctx.config.all_fields, "list", "tag", "area", "segment"]
    for name, attribute in block.attributes.items():
        if name == "lang":
            continue
        where = made.where(block, attribute)
        values = tuple(filter(None, (made.ctx.fields.settle(part).strip() for part in attribute.value.split(","))))
        if name not in known:
            hint = did_you_mean(name, known) or f"It takes {', '.join(known)}."
            where = made.source.where(block.line.number, *attribute.key)
            made.ctx.problem("unknown-attribute", f"‘{block.name}’ cannot ask for ‘{name}’", hint, where)
        elif not values:
            made.ctx.problem("bad-attribute-value", f"‘{name}’ names nobody", f'Write {name}="A, B"', where)
        elif made.has_slot(attribute.value):
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
    known = {"list": made.ctx.config.lists, "segment": made.ctx.config.segments}.get(name, {})
    for value in values if name in ("list", "segment") else ():
        if value not in known:
            hint = did_you_mean(value, known) or (f"There are {', '.join(known)}." if known else "There is none yet.")
            made.ctx.problem(f"unknown-{name}", f"There is no {name} called ‘{value}’", hint, where)


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
    return Builder(ctx, source, KINDS, inside).nodes(parts)


def _runs(parts: Sequence[Run | Block]) -> list[list[Line]]:
    found: list[list[Line]] = []
    for part in parts:
        found += [part.lines] if isinstance(part, Run) else _runs(part.children)
    return found
