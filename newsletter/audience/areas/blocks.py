"""Blocks for an area are for everybody who lives in it: a district's block reaches the people of its wards."""

from __future__ import annotations

from dataclasses import replace

from newsletter.audience.areas import finding
from newsletter.problems import NewsletterError
from newsletter.rendering.model import Condition, Rendered


def widened(rendered: Rendered) -> Rendered:
    """The same rendering, with the keys of all areas within beside each area that a block asks for.

    People have the key of the smallest area we know; titles may stand in a block as well as keys. A value that is no
    area stays as it is, for an organisation may write areas without keeping a tree.
    """
    if not any(key == "area" for condition in rendered.conditions for key, _ in condition.terms):
        return rendered
    every = finding.known()
    conditions = [
        Condition(
            tuple((key, meant(values, every) if key == "area" else values) for key, values in one.terms), one.negated
        )
        for one in rendered.conditions
    ]
    return replace(rendered, conditions=tuple(conditions))


def meant(values: tuple[str, ...], every: dict[str, finding.Known]) -> tuple[str, ...]:
    """The values and the keys of all areas that they mean."""
    found = list(values)
    for value in values:
        try:
            found += finding.within(value, every)
        except NewsletterError:
            continue
    return tuple(dict.fromkeys(found))
