"""Asks the areas that are loaded: which there are, what is within which, where a postcode lies, what is in a shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from newsletter.audience import dialect
from newsletter.audience.areas import shapes
from newsletter.audience.models import Area, Postcode, Trait
from newsletter.audience.postcodes import spelled
from newsletter.problems import NewsletterError, Problem, did_you_mean

BATCH = 5_000  # values a statement


@dataclass
class Known:
    """One area of the tree. `children`: keys, by title."""

    key: str
    title: str
    kind: str
    parent: str  # key; "" at the top
    outlined: bool
    children: list[str] = field(default_factory=list)


def known() -> dict[str, Known]:
    """Every area by key, parents before their children, brothers and sisters by title."""
    rows = Area.objects.order_by("title", "key").values_list("key", "title", "kind", "parent__key", "boundary__type")
    every = {key: Known(key, title, kind, parent or "", bool(shape)) for key, title, kind, parent, shape in rows}
    for area in every.values():
        if area.parent:
            every[area.parent].children.append(area.key)
    ordered: dict[str, Known] = {}

    def add(area: Known) -> None:
        ordered[area.key] = area
        for child in area.children:
            add(every[child])

    for area in every.values():
        if not area.parent:
            add(area)
    return ordered


def find(word: str, every: Mapping[str, Known] | None = None) -> Known:
    """The area with this key, or with this title where only one has it. Raises NewsletterError(unknown-area)."""
    areas = known() if every is None else every
    plain = word.strip().casefold()
    if plain in areas:
        return areas[plain]
    titled = [area for area in areas.values() if area.title.casefold() == plain]
    if len(titled) == 1:
        return titled[0]
    if titled:
        hint = f"Name its key: {' or '.join(area.key for area in titled)}."
        raise NewsletterError(Problem("unknown-area", f"{len(titled)} areas are called ‘{word}’", hint))
    near = did_you_mean(word, [*areas, *(area.title for area in areas.values())])
    hint = near or (
        "See them: newsletter recipients areas list" if areas else "Load them: newsletter recipients areas load"
    )
    raise NewsletterError(Problem("unknown-area", f"There is no area called ‘{word[:80]}’", hint))


def within(key: str, every: Mapping[str, Known] | None = None) -> tuple[str, ...]:
    """The key itself and of all areas within it, in the order of the tree. Raises NewsletterError(unknown-area)."""
    areas = known() if every is None else every
    found = [find(key, areas).key]
    for one in found:  # grows while it is walked
        found += areas[one].children
    return tuple(found)


def path(key: str, every: Mapping[str, Known]) -> tuple[str, ...]:
    """The key and those around it, outwards: ward, district, county."""
    found = []
    while key:
        found.append(key)
        key = every[key].parent
    return tuple(found)


def names(keys: Iterable[str]) -> set[str]:
    """Everything that people may call where these people live, in small letters: key and title of each area, and of
    those around it. A word that is no area stays as it is."""
    words = {str(key).casefold() for key in keys}
    every = known() if words else {}
    around = {one for key in words & set(every) for one in path(key, every)}
    return words | around | {every[key].title.casefold() for key in around}


def of_postcode(code: str) -> str | None:
    """The key of the smallest area in which a postcode lies; None where it is not known or lies in none."""
    return Postcode.objects.filter(code=spelled(code)).values_list("area__key", flat=True).first()


def inside(shape: Any) -> list[str]:
    """The postcodes in a shape, in order. `shape`: what `shapes.read` takes, or a Shape.

    10,000 of 30,000 postcodes take 50 ms. Raises NewsletterError as `shapes.read`.
    """
    asked = shape if isinstance(shape, shapes.Shape) else shapes.read(shape)[0]
    west, south, east, north = asked.bounds
    rows = list(
        Postcode.objects.filter(longitude__range=(west, east), latitude__range=(south, north))
        .order_by("code")
        .values_list("code", "longitude", "latitude")
    )
    if not rows:
        return []
    codes, longitudes, latitudes = zip(*rows, strict=True)
    return [code for code, is_in in zip(codes, asked.holds(longitudes, latitudes), strict=True) if is_in]


def holders(shape: Any) -> tuple[str, list[Any]]:
    """SQL and parameters: the ids (column subscriber_id) of all people whose postcode lies in a shape, each once."""
    return holders_of(inside(shape))


def holders_of(codes: Sequence[str]) -> tuple[str, list[Any]]:
    """The same for postcodes that were looked for already. A person has one postcode.

    The traits' numbers are one parameter: an IN of 10,000 marks does not fit every SQLite, and PostgreSQL plans by how
    long its array is (taking it for 100 entries, as it does for JSON, made a count of a million four times slower).
    """
    traits: list[int] = []
    for start in range(0, len(codes), BATCH):
        some = Trait.objects.filter(key="postcode", value__in=codes[start : start + BATCH])
        traits += some.values_list("pk", flat=True)
    sql = "SELECT holding.subscriber_id FROM audience_holding AS holding WHERE holding.trait_id "
    if dialect.is_sqlite():
        return f"{sql} IN (SELECT value FROM json_each(%s))", [json.dumps(traits)]  # noqa: S608 (no value in it)
    return f"{sql} = ANY(CAST(%s AS bigint[]))", [traits]
