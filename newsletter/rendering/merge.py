"""Fills one person's values into a rendered issue, each escaped for the place where it stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from newsletter.content.model import Issue, Slot, SlotKind
from newsletter.content.values import formatted
from newsletter.problems import NewsletterError, Problem
from newsletter.rendering.model import Condition, Context, Hole, Mark, Piece, Rendered, Variant
from newsletter.rendering.restoring import SCHEMES, clean, is_safe

if TYPE_CHECKING:
    from newsletter.config import Config

LONGEST_IN_SUBJECT = 200  # letters of one value; a subject is one line that phones cut at 45
FSI, PDI = "\u2068", "\u2069"
# Addresses of our own and most others: safe, clean, and the same when escaped. One look in place of six.
_PLAIN_ADDRESS = re.compile(r"(?:https?|mailto|tel):[A-Za-z0-9/?#@!$()*+,;=._~%:-]*")
_ADDRESSES = (Context.URL, Context.PLAIN_URL)
_BREAKS = re.compile(r"[ \t]*[\t\n\r\v\f\u0085\u2028\u2029]+[ \t]*")
_OPENS, _CLOSES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068", "\u202c\u2069"


def truths(rendered: Rendered, fields: Mapping[str, Any]) -> frozenset[int]:
    """Indexes of the conditions that are true for a person.

    `fields` holds texts, and lists of texts for `list`, `tag` and `area`. Letter case and blanks at the ends do not
    count: a spreadsheet's `stafford north ` is Stafford North.
    """
    return frozenset(number for number, condition in enumerate(rendered.conditions) if is_true(condition, fields))


def is_true(condition: Condition, fields: Mapping[str, Any]) -> bool:
    """AND over the terms, OR over the values of each; `negated` turns the result round."""
    met = all(not folded(fields.get(key, ())).isdisjoint(folded(values)) for key, values in condition.terms)
    return met is not condition.negated


def folded(values: Any) -> set[str]:
    """A text, or each of several, as it is compared."""
    each: Iterable[Any] = (values,) if isinstance(values, str | int | float) else values or ()
    return {unicodedata.normalize("NFC", str(value)).strip().casefold() for value in each}


def variant(rendered: Rendered, truths: Iterable[int]) -> Variant:
    """The rendering for one set of true conditions: false ranges cut, the rest in literal strings and holes."""
    true = frozenset(truths)
    holes: dict[Hole, int] = {}
    parts = [_cut(pieces, true, holes) for pieces in (rendered.subject, rendered.html, rendered.text)]
    return Variant(parts[0], parts[1], parts[2], tuple(holes))


def _cut(pieces: Sequence[Piece], true: frozenset[int], holes: dict[Hole, int]) -> tuple[str | int, ...]:
    found: list[str | int] = []
    strings: list[str] = []
    stack: list[bool] = []  # for every open range: is it, and all around it, shown
    for piece in pieces:
        if isinstance(piece, Mark):
            if piece.opens:
                stack.append(piece.condition in true and (not stack or stack[-1]))
            else:
                stack.pop()
        elif stack and not stack[-1]:
            continue
        elif isinstance(piece, str):
            strings.append(piece)
        else:
            if strings:
                found.append("".join(strings))
                strings.clear()
            found.append(holes.setdefault(piece, len(holes)))
    if strings:
        found.append("".join(strings))
    return tuple(found)


def fill(rendered: Rendered, variant: Variant, fields: Mapping[str, str], system: Mapping[str, str]) -> tuple[str, ...]:
    """The text for every hole of the variant, in order, escaped for its place.

    `fields` are the person's values, `system` those of content.model.SYSTEM_SLOTS. Raises
    NewsletterError(bad-value-for-slot) for a value that cannot be shown as what it is.
    """
    slots = {slot.number: slot for slot in rendered.slots}
    return tuple(_value(slots[hole.slot], hole.context, rendered, fields, system) for hole in variant.holes)


def own_holes(rendered: Rendered, variant: Variant) -> tuple[tuple[int, Slot, Context], ...]:
    """The holes that a person's own values fill: (number, slot, place). All others hold system values."""
    slots = {slot.number: slot for slot in rendered.slots}
    return tuple(
        (number, slots[hole.slot], hole.context)
        for number, hole in enumerate(variant.holes)
        if slots[hole.slot].kind is not SlotKind.SYSTEM
    )


def own_value(slot: Slot, context: Context, rendered: Rendered, fields: Mapping[str, str]) -> str:
    """What `fill` puts into such a hole."""
    return _value(slot, context, rendered, fields, {})


def fallback(slot: Slot, context: Context) -> str:
    """What stands in a copy for everybody: the fallback, or nothing."""
    return _placed(slot, slot.fallback or "", context, isolate=False)


def join(pieces: Sequence[str | int], values: Sequence[str]) -> str:
    """One part of one person's mail."""
    return "".join(piece if isinstance(piece, str) else values[piece] for piece in pieces)


def _value(
    slot: Slot, context: Context, rendered: Rendered, fields: Mapping[str, str], system: Mapping[str, str]
) -> str:
    if slot.kind is SlotKind.SYSTEM:
        return _placed(slot, str(system.get(slot.key, "")), context, isolate=False)
    text = one_line(slot, str(fields.get(slot.key) or ""))
    if not text:
        text = slot.fallback or ""
        isolate = False  # the fallback is in the issue's own language
    else:
        text = filtered(slot, text, rendered.language)
        isolate = rendered.direction == "rtl" or has_rtl(text)
    return _placed(slot, text, context, isolate=isolate)


def one_line(slot: Slot, text: str) -> str:
    """The value with line breaks as blanks. Refuses what no reader could see, or what would turn the text around."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _BREAKS.sub(" ", text).strip()
    for letter in text:
        if (
            letter < " "
            or "\x7f" <= letter <= "\x9f"
            or "\ud800" <= letter <= "\udfff"
            or ord(letter) & 0xFFFE == 0xFFFE
        ):
            raise _refused(slot, f"it holds the control character U+{ord(letter):04X}")
    depth = 0
    for letter in text:
        depth += (letter in _OPENS) - (letter in _CLOSES)
        if depth < 0:
            break
    if depth:
        raise _refused(slot, "its marks for text direction do not pair up")
    return text


def filtered(slot: Slot, text: str, language: str) -> str:
    """The value after its filters, left to right, as `content` writes constants."""
    shown = formatted(text, slot.filters, language)
    if not shown:
        kind = "date; write it as 2026-12-08" if "date" in slot.filters else "number; write it as 12345.5"
        raise _refused(slot, f"‘{text[:40]}’ is no {kind}")
    return shown


def has_rtl(text: str) -> bool:
    """True when a letter of `text` runs from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(letter) in ("R", "AL", "RLE", "RLO", "RLI") for letter in text
    )


def _placed(slot: Slot, text: str, context: Context, *, isolate: bool) -> str:
    if context in _ADDRESSES and _PLAIN_ADDRESS.fullmatch(text):
        return text
    if context is Context.HTML:
        # NUL and other controls were refused; quotes need nothing between tags.
        return f"<bdi>{escape(text, quote=False)}</bdi>" if isolate and text else escape(text, quote=False)
    if context is Context.URL_PART:
        return quote(text, safe="")
    if context in _ADDRESSES:
        if text and (not is_safe(text) or ":" not in text):
            raise _refused(slot, f"‘{text[:60]}’ is no address that starts with {', '.join(SCHEMES)}")
        return escape(clean(text)) if context is Context.URL else clean(text)
    if context is Context.SUBJECT and len(text) > LONGEST_IN_SUBJECT:
        raise _refused(slot, f"it has {len(text):,} letters, which no subject can hold")
    if isolate and text:
        text = f"{FSI}{text}{PDI}"
    return escape(text) if context is Context.ATTRIBUTE else text


def _refused(slot: Slot, why: str) -> NewsletterError:
    message = f"The value of ‘{slot.key}’ cannot stand in the mail: {why}"
    hint = "Correct it in the person's record, or take the field out of the issue."
    return NewsletterError(Problem("bad-value-for-slot", message, hint=hint, where=slot.where))


def preview_fields(config: Config, issue: Issue) -> dict[str, Any]:
    """Example values for everything that may stand in the issue, and the lists it goes to."""
    fields: dict[str, Any] = {key: known.example for key, known in config.all_fields.items()}
    fields["language"] = issue.language
    return {**fields, "list": list(issue.front.audience), "tag": [], "area": [], "segment": list(issue.front.audience)}
