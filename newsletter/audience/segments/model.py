"""What a segment says, as values: who may be in it, who must be, who must not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Condition:
    """One question about a person. `kind`: list | area | shape | tag | field | language | joined | got | segment.

    `values` are alternatives (any of them). `key`: the field of `field`. `low` and `high`: from and up to and with,
    of `field` (numbers, or days as 2026-11-24) and of `joined` (days). `negated`: is not, did not get, is unknown.
    A `field` without values and bounds asks only whether the person has one at all.
    """

    kind: str
    values: tuple[str, ...] = ()
    key: str = ""
    low: str = ""
    high: str = ""
    negated: bool = False
    shape: Any = field(default=None, hash=False)  # a GeoJSON geometry, or {"circle": [longitude, latitude, km]}


@dataclass(frozen=True)
class Segment:
    """Somebody is in it when one of `include` is true of them (or there is none), all of `must`, and none of
    `exclude`."""

    include: tuple[Condition, ...] = ()
    must: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.include, *self.must, *self.exclude)
