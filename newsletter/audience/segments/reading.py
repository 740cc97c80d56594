"""Reads a segment from data (of JSON or TOML) and says exactly which part of it is wrong, and what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from newsletter.audience.segments.known import Known
from newsletter.audience.segments.model import Condition, Segment
from newsletter.problems import NewsletterError, Problem, did_you_mean

PARTS = ("include", "must", "exclude")
KINDS = {  # the key that says what a condition asks → the kind
    "list": "list",
    "area": "area",
    "shape": "shape",
    "tag": "tag",
    "field": "field",
    "language": "language",
    "joined_since": "joined",
    "joined_before": "joined",
    "got": "got",
    "did_not_get": "got",
    "segment": "segment",
}
FIELD_KEYS = ("is", "is_not", "from", "to", "known")
MOST_CONDITIONS, MOST_VALUES = 50, 500  # more than anybody can look at; a longer choice is a tag
KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


def read(data: Any, known: Known, *, own: str = "") -> Segment:
    """The segment that this data says. `own`: its own key, which it must not name.

    Raises NewsletterError with every Problem (bad-segment); each begins with the place, such as must[1].
    """
    reader = _Reader(known, own)
    segment = reader.segment(data)
    if reader.problems:
        raise NewsletterError(*reader.problems)
    return segment


class _Reader:
    def __init__(self, known: Known, own: str) -> None:
        self.known, self.own = known, own
        self.problems: list[Problem] = []

    def problem(self, place: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem("bad-segment", f"{place}: {message}" if place else message, hint=hint))

    def segment(self, data: Any) -> Segment:
        if not isinstance(data, dict):
            self.problem(
                "", "A segment is a table with include, must and exclude", 'Such as {"include": [{"list": …}]}'
            )
            return Segment()
        for key in data:
            if key not in PARTS:
                self.problem(str(key), "this is no part of a segment", did_you_mean(str(key), PARTS) or _one_of(PARTS))
        parts = {part: self._conditions(part, data.get(part, [])) for part in PARTS}
        count = sum(map(len, parts.values()))
        if not count and not self.problems:
            self.problem("", "It asks for nothing", "Say at least one thing, such as --include list=KEY.")
        if count > MOST_CONDITIONS:
            self.problem("", f"It has {count} conditions; {MOST_CONDITIONS} are the most", "Give these people a tag.")
        return Segment(**parts)

    def _conditions(self, part: str, data: Any) -> tuple[Condition, ...]:
        if isinstance(data, dict):
            data = [data]
        if not isinstance(data, list):
            self.problem(part, "a list of conditions is wanted", 'Such as [{"list": "all-residents"}]')
            return ()
        found = (self._condition(f"{part}[{number}]", one) for number, one in enumerate(data[: MOST_CONDITIONS + 1], 1))
        return tuple(one for one in found if one)

    def _condition(self, place: str, data: Any) -> Condition | None:
        if not isinstance(data, dict) or not data:
            self.problem(place, 'a condition is a table such as {"list": "all-residents"}')
            return None
        kinds = [str(key) for key in data if str(key) in KINDS]
        unknown = [str(key) for key in data if str(key) not in KINDS and not ("field" in data and key in FIELD_KEYS)]
        if unknown:
            allowed = (*KINDS, *FIELD_KEYS) if "field" in data else tuple(KINDS)
            self.problem(
                place, f"‘{unknown[0]}’ cannot be asked for", did_you_mean(unknown[0], allowed) or _one_of(KINDS)
            )
            return None
        if len({KINDS[key] for key in kinds}) != 1 or (KINDS[kinds[0]] != "joined" and len(kinds) != 1):
            self.problem(place, f"it asks two things at once ({', '.join(kinds)})", "Write two conditions.")
            return None
        return getattr(self, f"_{KINDS[kinds[0]]}")(place, kinds[0], data)  # type: ignore[no-any-return]

    def _values(self, place: str, data: Any) -> tuple[str, ...]:
        several = data if isinstance(data, list) else [data]
        good = [str(one).strip() for one in several if isinstance(one, str | int | float) and not isinstance(one, bool)]
        if len(good) != len(several) or not all(good) or not good:
            self.problem(place, "one text or several are wanted")
            return ()
        if len(good) > MOST_VALUES:
            self.problem(place, f"{len(good):,} values; {MOST_VALUES} are the most", "Give these people a tag.")
            return ()
        return tuple(dict.fromkeys(good))

    def _named(self, place: str, data: Any, what: str, known: Iterable[str], hint: str = "") -> tuple[str, ...]:
        known = tuple(known)
        values = self._values(place, data)
        for value in values:
            if value not in known:
                near = did_you_mean(value, known) or hint or (_one_of(known) if known else "There is none yet.")
                self.problem(place, f"there is no {what} called ‘{value[:80]}’", near)
        return values

    def _list(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        return Condition("list", self._named(place, data[kind], "list", self.known.lists))

    def _area(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        hint = "" if self.known.areas else "Load them: newsletter recipients areas load"
        values = tuple(one.casefold() for one in self._values(place, data[kind]))
        self._named(place, list(values) or "?", "area", self.known.areas, hint)
        return Condition("area", tuple(self.known.areas.get(one, one) for one in values))

    def _shape(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        from newsletter.audience.areas import shapes

        try:
            shapes.read(data[kind])
        except NewsletterError as error:
            for problem in error.problems:
                self.problem(place, problem.message, problem.hint)
        return Condition("shape", shape=data[kind])

    def _tag(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        return Condition("tag", self._values(place, data[kind]))

    def _language(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        return Condition("language", self._values(place, data[kind]))

    def _segment(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        values = self._named(place, data[kind], "segment", self.known.segments)
        if self.own and self.own in values:
            self.problem(place, "a segment cannot ask for itself")
        return Condition("segment", values)

    def _got(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        hint = "" if self.known.issues else "No issue was sent yet."
        return Condition(
            "got", self._named(place, data[kind], "sent issue", self.known.issues, hint), negated=kind != "got"
        )

    def _joined(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        days = {key: str(data[key]) for key in ("joined_since", "joined_before") if key in data}
        for key, day in days.items():
            self._is_day(f"{place}.{key}", day)
        return Condition("joined", low=days.get("joined_since", ""), high=days.get("joined_before", ""))

    def _field(self, place: str, kind: str, data: Mapping[str, Any]) -> Condition:
        key = self._values(place, data["field"])[:1]
        name = key[0] if key else ""
        if name and name not in self.known.fields:
            hint = did_you_mean(name, self.known.fields) or "Fields are declared in newsletter.toml: [fields.KEY]."
            self.problem(place, f"there is no field called ‘{name[:80]}’", hint)
        asked = [one for one in FIELD_KEYS if one in data]
        if "known" in data:
            if asked != ["known"] or not isinstance(data["known"], bool):
                self.problem(place, "‘known’ stands alone and is true or false")
            return Condition("field", key=name, negated=data["known"] is False)
        if "from" in asked or "to" in asked:
            if set(asked) - {"from", "to"}:
                self.problem(place, "‘from’ and ‘to’ stand without ‘is’", "Write two conditions.")
            return self._range(place, name, data)
        if len(asked) != 1:
            hint = f"Say one of {', '.join(FIELD_KEYS)}."
            self.problem(place, f"it does not say what ‘{name}’ should be" if not asked else "it says two things", hint)
            return Condition("field", key=name)
        return Condition("field", self._values(place, data[asked[0]]), name, negated=asked[0] == "is_not")

    def _range(self, place: str, name: str, data: Mapping[str, Any]) -> Condition:
        bounds = {key: str(data[key]).strip() for key in ("from", "to") if key in data}
        kind = self.known.fields.get(name, "")
        if kind not in ("number", "date", ""):
            hint = f'Write [fields.{name}] type = "number" or "date", or ask with ‘is’.'
            self.problem(place, f"‘{name}’ is {kind}, which has no order", hint)
        for key, bound in bounds.items():
            if kind == "number" and not re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", bound):
                self.problem(f"{place}.{key}", f"‘{bound[:40]}’ is not a number")
            elif kind == "date":
                self._is_day(f"{place}.{key}", bound)
        return Condition("field", key=name, low=bounds.get("from", ""), high=bounds.get("to", ""))

    def _is_day(self, place: str, text: str) -> None:
        try:
            if date.fromisoformat(text).isoformat() == text:
                return
        except ValueError:
            pass
        self.problem(place, f"‘{text[:40]}’ is not a day", "Write it as 2026-11-24.")


def _one_of(names: Iterable[str]) -> str:
    shown = list(names)
    return f"There are: {', '.join(shown[:12])}{' …' if len(shown) > 12 else ''}."
