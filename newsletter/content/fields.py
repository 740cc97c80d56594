"""`{{ first_name or "neighbour" }}`: fields are read from the text and replaced by slots before anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote as percent

from newsletter.config import Config, FieldConfig
from newsletter.content.model import SYSTEM_SLOTS, Slot, marker
from newsletter.content.source import UNREADABLE, Line, Source
from newsletter.content.values import FILTERS, formatted
from newsletter.problems import Problem, Where, did_you_mean

OPENS = re.compile(r"(?<!\\)\{\{")
# The end of a field is the first }} outside quotes; each branch starts with another letter, so it runs in one pass.
FIELD = re.compile(r"""\{\{((?:[^"'{}]|"[^"]*"|'[^']*'|\}(?!\}))*)\}\}""")
STATEMENT = re.compile(r"\{%.*?(?:%\}|$)")
LONGEST = 300  # letters of one field; Jinja's parser recurses per bracket


@dataclass(frozen=True)
class Wish:
    """What one `{{ }}` asks for, or why it cannot be had (`complaint` and `hint`)."""

    key: str = ""
    fallback: str | None = None
    filters: tuple[str, ...] = ()
    complaint: str = ""
    hint: str = ""


@dataclass
class Fields:
    """Every field of one issue. The same wish gets the same slot; `constants` are the issue's own `vars`."""

    config: Config
    nonce: str
    problems: list[Problem]
    language: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    slots: dict[tuple[str, str | None, tuple[str, ...]], Slot] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)  # what the constant markers stand for, by number

    def line(self, source: Source, number: int, text: str | None = None, start: int = 0) -> Line:
        """Line `number` of `source` (or `text`, which begins there at `start`, from 0) with slots for fields."""
        text = source.lines[number - 1] if text is None else text
        text = self.without_control_characters(source, number, text, start)
        if "{%" in text and (statement := STATEMENT.search(text)):
            self._problem(
                "template-code",
                f"‘{statement[0][:40]}’ is template code, which an issue cannot hold",
                'Show a part to some people with :::only{ward="…"} … :::',
                source.where(number, start + statement.start() + 1, start + statement.end() + 1),
            )
        if "{{" not in text:
            return Line(number, text)
        pieces: list[str] = []
        moved: list[tuple[int, int, int, int]] = []
        done = length = 0
        while opening := OPENS.search(text, done):
            begin, end = opening.start(), self._end(text, opening.start())
            place = source.where(number, start + begin + 1, start + (end or begin + 2) + 1)
            if end is None:
                self._problem("unclosed-field", "This field has no end", 'Write {{ first_name or "neighbour" }}', place)
                break
            stands_for = self._slot(text[begin + 2 : end - 2], place)
            before = text[done:begin]
            put = text[begin:end] if stands_for is None else stands_for
            pieces += [before, put]
            length += len(before)
            moved.append((length, length + len(put), begin, end))
            length += len(put)
            done = end
        return Line(number, "".join(pieces) + text[done:], tuple(moved))

    def plain(self, source: Source, number: int, text: str, start: int) -> str:
        """A text that is no Markdown (subject, preheader): slots for fields, constants in place, `\\{{` is `{{`."""
        return self.settle(self.line(source, number, text, start).text).replace("\\{{", "{{")

    def settle(self, text: str, quote: bool = False) -> str:
        """`text` with the constants in place of their markers; `quote` percent-encodes them (part of an address)."""
        if not self.texts or "Zq" not in text:
            return text

        def value(found: re.Match[str]) -> str:
            constant = self.texts[int(found[1])] if int(found[1]) < len(self.texts) else found[0]
            return percent(constant, safe="") if quote and found[0] != text else constant

        return re.sub(rf"Zq{self.nonce}c(\d{{4,}})qZ", value, text)

    def as_written(self, text: str) -> str:
        """`text` with each marker shown as the field it came from, for messages."""
        for slot in self.slots.values():
            text = text.replace(marker(self.nonce, slot.number), "{{ " + slot.key + " }}")
        return self.settle(text)

    def _end(self, text: str, begin: int) -> int | None:
        if match := FIELD.match(text, begin):
            return match.end()
        end = text.find("}}", begin + 2)
        return None if end < 0 else end + 2

    def _slot(self, expression: str, place: Where) -> str | None:
        wish = understand(expression)
        if wish.complaint:
            self._problem("bad-field", wish.complaint, wish.hint, place)
            return None
        if wish.key in self.constants:
            value = self.constants[wish.key] or wish.fallback or ""
            shown = formatted(value, wish.filters, self.language)
            if value and not shown:
                what = "day of the calendar" if "date" in wish.filters else "number"
                hint = "Write it like 2026-12-08." if "date" in wish.filters else "Write digits only, such as 12480."
                self._problem("bad-field", f"‘{wish.key}’ in `vars` is ‘{value}’, which is no {what}", hint, place)
            return self._constant(shown or value)
        known = self.config.all_fields
        if wish.key not in known:
            self._problem("unknown-field", f"There is no field called ‘{wish.key}’", self._near(wish.key), place)
            return None
        if trouble := _does_not_fit(wish, known[wish.key]):
            self._problem("bad-field", trouble, f"Leave the filter away: {{{{ {wish.key} }}}}", place)
            return None
        key = (wish.key, wish.fallback, wish.filters)
        if key not in self.slots:
            self.slots[key] = Slot(len(self.slots), wish.key, fallback=wish.fallback, filters=wish.filters, where=place)
        return marker(self.nonce, self.slots[key].number)

    def _constant(self, text: str) -> str:
        """A marker like a slot's, so that nothing in the text is taken for Markdown or for an attribute."""
        self.texts.append(text)
        return f"Zq{self.nonce}c{len(self.texts) - 1:04d}qZ"

    def _near(self, key: str) -> str:
        if key in SYSTEM_SLOTS:
            return "The theme fills that in; for a reply button write ::reply[Reply to this message]"
        known = [*self.config.all_fields, *self.constants]
        own = (
            f"The same for everybody? Say it above: vars: {{{key}: …}}. Else declare [fields.{key}] in newsletter.toml"
        )
        return did_you_mean(key, known) or f"{own}, or use {', '.join(known)}"

    def without_control_characters(self, source: Source, number: int, text: str, start: int) -> str:
        if not (found := UNREADABLE.search(text)):
            return text
        name = f"U+{ord(found[0]):04X}"
        where = source.where(number, start + found.start() + 1, start + found.end() + 1)
        self._problem("control-character", f"An invisible control character ({name}) stands here", "Delete it.", where)
        return UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)

    def _problem(self, code: str, message: str, hint: str, where: Where) -> None:
        self.problems.append(Problem(code, message, hint, where))


def _does_not_fit(wish: Wish, kind: FieldConfig) -> str:
    for name in wish.filters:
        if name in ("date", "number") and kind.type != name:
            return f"‘{wish.key}’ is a {kind.type} field, so the filter {name} does not fit"
    return ""


@lru_cache(maxsize=1024)
def understand(expression: str) -> Wish:
    """Read the inside of one `{{ }}` with Jinja's own parser and let through only what staff may write.

    Allowed: a name, `or "text"`, and the filters of FILTERS without arguments (threat T7: nothing is ever run).
    """
    from jinja2 import Environment, TemplateSyntaxError, nodes  # 96 ms: only an issue with fields pays for it

    straight = expression.replace("“", '"').replace("”", '"') if '"' not in expression else expression
    if not straight.strip():
        return Wish(complaint="This field is empty", hint='Write {{ first_name or "neighbour" }}')
    if len(straight) > LONGEST:
        return Wish(complaint=f"This field is longer than {LONGEST} letters", hint="Write a shorter fallback.")
    try:
        body = Environment(autoescape=True).parse("{{ " + straight + " }}").body
    except (TemplateSyntaxError, RecursionError, ValueError, OverflowError):
        return Wish(
            complaint=f"‘{expression.strip()[:60]}’ cannot be read as a field",
            hint='Write {{ first_name }} or {{ first_name or "neighbour" }}',
        )
    output = body[0] if len(body) == 1 else None
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return Wish(complaint="A field holds one name", hint='Write {{ first_name or "neighbour" }}')
    return _whitelisted(output.nodes[0])


def _whitelisted(node: object) -> Wish:
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return Wish(key=node.name)
    if isinstance(node, nodes.Filter):
        return _filtered(node)
    if isinstance(node, nodes.Or):
        left, right = _whitelisted(node.left), _fallback(node.right)
        if left.complaint or right.complaint:
            return left if left.complaint else right
        if left.fallback is not None or right.fallback is None:
            return Wish(complaint="A field has one fallback", hint='Write {{ first_name or "neighbour" }}')
        # `or "neighbour" | title` binds the filter to the fallback alone in Jinja; people mean both.
        return Wish(left.key, right.fallback, (*left.filters, *right.filters))
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return Wish(complaint=f"‘{node.node.name}.{node.attr}’ is not a field", hint=f"Write {{{{ {node.attr} }}}}")
    what = "A call" if isinstance(node, nodes.Call) else "A text alone" if isinstance(node, nodes.Const) else "This"
    return Wish(
        complaint=f"{what} cannot stand in a field",
        hint='A field is a name, with or "…" and the filters ' + ", ".join(FILTERS),
    )


def _filtered(node: object) -> Wish:
    from jinja2 import nodes

    assert isinstance(node, nodes.Filter)
    if node.name not in FILTERS:
        near = did_you_mean(node.name, FILTERS) or f"The filters are {', '.join(FILTERS)}."
        return Wish(complaint=f"There is no filter called ‘{node.name}’", hint=near)
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return Wish(complaint=f"The filter {node.name} takes no values", hint=f"Write | {node.name}")
    inner = _whitelisted(node.node)
    if inner.complaint:
        return inner
    fallback = inner.fallback
    if fallback is not None:
        fallback = formatted(fallback, (node.name,), "") or fallback
    return Wish(inner.key, fallback, (*inner.filters, node.name))


def _fallback(node: object) -> Wish:
    """The part after `or`: a text, perhaps with filters, which are applied to it here and now."""
    from jinja2 import nodes

    if isinstance(node, nodes.Filter) and not node.args and not node.kwargs and node.name in FILTERS:
        inner = _fallback(node.node)
        if inner.complaint or inner.fallback is None:
            return inner
        text = formatted(inner.fallback, (node.name,), "") or inner.fallback
        return Wish(fallback=text, filters=(*inner.filters, node.name))
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and node.value.isprintable():
        return Wish(fallback=node.value)
    return Wish(complaint="What stands after ‘or’ is not a text in quotes", hint='Write or "neighbour"')
