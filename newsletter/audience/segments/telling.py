"""Says a segment in words, so that whoever answers for a mailing can read whom it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from newsletter.audience.segments.known import Known
from newsletter.audience.segments.model import Condition, Segment


def told(segment: Segment, known: Known, titles: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """(what, words) for each condition, such as ("and must", "Ward is North or South"). `titles`: of the fields."""
    teller = _Teller(known, titles or {})
    rows = [
        ("anybody who" if not number else "or who", teller.words(one)) for number, one in enumerate(segment.include)
    ]
    if not rows:
        rows = [("anybody", "on any of the lists")]
    rows += [("and who", teller.words(one)) for one in segment.must]
    return rows + [("but nobody who", teller.words(one)) for one in segment.exclude]


class _Teller:
    def __init__(self, known: Known, titles: Mapping[str, str]) -> None:
        self.known, self.titles = known, titles

    def words(self, one: Condition) -> str:
        said: dict[str, Callable[[Condition], str]] = {
            "list": lambda c: f"gets {_either([self.known.lists.get(key, key) for key in c.values])}",
            "area": lambda c: f"lives in {_either(c.values)}",
            "shape": lambda c: f"lives in a shape on the map ({_shape(c.shape)})",
            "tag": lambda c: f"has the tag {_either(c.values)}",
            "language": lambda c: f"reads {_either(c.values)}",
            "segment": lambda c: f"is in the segment {_either([self.known.segments.get(k, k) for k in c.values])}",
            "got": lambda c: f"{'did not get' if c.negated else 'got'} {_either(c.values)}",
            "joined": lambda c: " and ".join(
                part for part in (c.low and f"is here since {c.low}", c.high and f"was here before {c.high}") if part
            ),
            "field": self._field,
        }
        return said[one.kind](one)

    def _field(self, one: Condition) -> str:
        title = self.titles.get(one.key) or one.key
        if one.values:
            return f"has {title} {'other than' if one.negated else 'as'} {_either(one.values)}"
        if one.low or one.high:
            bounds = (one.low and f"from {one.low}", one.high and f"up to {one.high}")
            return f"has {title} {' '.join(part for part in bounds if part)}"
        return f"has no {title} on record" if one.negated else f"has any {title} on record"


def _either(values: tuple[str, ...] | list[str]) -> str:
    shown = [f"‘{value}’" for value in values[:12]]
    if len(values) > 12:
        shown.append(f"{len(values) - 12} more")
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _shape(shape: object) -> str:
    if isinstance(shape, Mapping) and str(shape.get("type", "")).casefold() == "circle":
        return f"a circle of {shape.get('km')} km"
    return "an outline"
