"""Values that a segment asks for and nobody has: most often a slip of the pen, which would quietly choose nobody."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from django.db.models import Count

from newsletter.audience.models import Holding, Trait
from newsletter.audience.segments.model import Condition, Segment
from newsletter.problems import Problem, Severity

KEYS = {"tag": "tags", "language": "language"}  # kind of a condition → key of its traits; a field has its own
# Spellings that are about as near as the nearest: among those the one that most people have is meant, not a slip that
# one row of an import has, too. ‘Marsh Ende’ is as near to ‘Marsh Ends’ (one person) as to ‘Marsh End’ (all others).
ABOUT_AS_NEAR = 0.12
NEAR = 0.6  # as problems.did_you_mean


def warnings(segment: Segment) -> list[Problem]:
    """One unknown-value for each value of these conditions that nobody has; areas and lists are errors elsewhere."""
    return [
        Problem(
            "unknown-value",
            f"No person has ‘{value[:80]}’ as their {condition.key or condition.kind}",
            hint=nearest(_key(condition), value) or "Look at what people have: newsletter recipients list",
            severity=Severity.WARNING,
            affected=0,
        )
        for condition in segment.conditions
        if condition.kind == "field" or condition.kind in KEYS
        for value in _strangers(condition)
    ]


def nearest(key: str, word: str) -> str:
    """`did you mean Marsh End?`: of the spellings that people have the nearest; of several, the commonest. "" = none.

    `key` as Trait has it. Asks the database; people are counted for the near spellings only.
    """
    spelled = dict(Trait.objects.filter(key=key).values_list("value", "pk"))
    near = near_spellings(word, spelled)
    if len(near) > 1:
        ids = [spelled[one] for one in near]
        rows = Holding.objects.filter(trait__in=ids).values_list("trait").annotate(people=Count("subscriber_id"))
        people = dict(rows.order_by())
        near.sort(key=lambda one: -people.get(spelled[one], 0))  # stable: the nearest first where they are as many
    return f"did you mean {near[0]}?" if near else ""


def near_spellings(word: str, known: Iterable[str]) -> list[str]:
    """The spellings about as near as the nearest one, which comes first; letter case does not count."""
    wanted = word.strip().casefold()
    found = []
    matcher = difflib.SequenceMatcher(b=wanted)  # difflib remembers its second text, so that is the one that stays
    for one in known:
        matcher.set_seq1(one.strip().casefold())
        if matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR and (ratio := matcher.ratio()) >= NEAR:
            found.append((ratio, one))
    best = max((ratio for ratio, _ in found), default=0.0)
    return [one for ratio, one in sorted(found, key=lambda pair: (-pair[0], pair[1])) if ratio >= best - ABOUT_AS_NEAR]


def _key(condition: Condition) -> str:
    return KEYS.get(condition.kind, condition.key)


def _strangers(condition: Condition) -> list[str]:
    """The values that nobody has, compared as compiling does: case and blanks do not count, `en` means en-GB too."""
    if not condition.values:
        return []
    had = {one.strip().casefold() for one in Trait.objects.filter(key=_key(condition)).values_list("value", flat=True)}
    if condition.kind == "language":
        had |= {one.split("-")[0] for one in had}
    return [value for value in condition.values if value.strip().casefold() not in had]
