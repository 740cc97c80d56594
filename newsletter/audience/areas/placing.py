"""Gives people who told us a postcode, and have no area, the area in which it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import transaction

from newsletter.audience import subscribing
from newsletter.audience.models import Postcode, Subscriber
from newsletter.audience.postcodes import spelled

BATCH = 500  # people a transaction: half a second, so that a sender beside us does not wait


@dataclass
class Placing:
    """What placing would do, or did: people by area key, and those whose postcode says nothing."""

    areas: Counter[str] = field(default_factory=Counter)
    unknown: int = 0  # their postcode is in no file
    outside: int = 0  # it lies in none of our areas
    example: str = ""

    @property
    def people(self) -> int:
        return sum(self.areas.values())


def look() -> Placing:
    """Count; writes nothing."""
    found = Placing()
    for batch in _batches():
        _count(found, batch)
    return found


def place(by: str = "", on_progress: Callable[[int], None] = lambda _: None) -> Placing:
    """Do it, a batch a transaction, each person with a proof that names the postcode. May be run again at any time."""
    found = Placing()
    for batch in _batches():
        with transaction.atomic():
            for canonical, code, area in _count(found, batch):
                subscribing.edit(canonical, {"areas": [area]}, "staff", by=by, why=f"postcode {code} lies in {area}")
        on_progress(found.people)
    return found


def _batches() -> Iterator[list[tuple[str, str]]]:
    """(canonical, postcode) of the people without an area who have one."""
    last = 0
    while True:
        people = (
            Subscriber.objects.filter(pk__gt=last, attributes__has_key="postcode")
            .exclude(attributes__has_key="areas")
            .order_by("pk")
            .values_list("pk", "canonical", "attributes")[:BATCH]
        )
        rows = list(people)
        if not rows:
            return
        last = rows[-1][0]
        yield [(canonical, str(facts["postcode"])) for _, canonical, facts in rows if not facts.get("areas")]


def _count(found: Placing, batch: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    codes = {spelled(text) for _, text in batch} - {""}
    known = dict(Postcode.objects.filter(code__in=codes).values_list("code", "area__key"))
    placed = []
    for canonical, text in batch:
        code = spelled(text)
        if area := known.get(code):
            found.areas[area] += 1
            placed.append((canonical, code, area))
        elif code in known:
            found.outside += 1
        else:
            found.unknown += 1
            found.example = found.example or text[:12]
    return placed
