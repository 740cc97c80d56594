"""Counts the people of one list or segment by why they get no mail, from the side of the few."""

# ruff: noqa: S608 - the pieces are constants of ours; every value is a parameter

from __future__ import annotations

from typing import Any

from newsletter.audience.segments.pieces import STEPS, Chosen, Sql

_WHY = ("no-list", "unconfirmed", "left", "paused", "")  # by step; "" = nothing keeps it from them


def classes(chosen: Chosen, never: str, full: Sql | None) -> list[tuple[str, int, tuple[int, ...]]]:
    """Why not, people, and the same as entries. Everybody is counted by how near they are to mail; the suppressed and
    those who had enough are looked for from their own side and moved.

    `never`: SQL of suppressed people (columns id, reason); `full`: of those who had enough (subscriber_id), or None.
    """
    nobody = [0] * STEPS
    less = chosen.less()
    everybody = _counted((less or chosen).steps()).get("", nobody)
    if less:
        everybody = _minus(everybody, _counted(less.steps_of(chosen.excluded())).get("", nobody))
    stopped = _counted(chosen.steps_of((never, []), "person.reason"))
    for steps in stopped.values():
        everybody = _minus(everybody, steps)
    found = dict(zip(_WHY, everybody, strict=True))
    if full:
        rested = (
            f"SELECT subscriber_id AS id FROM ({full[0]}) AS had"
            f" WHERE NOT EXISTS (SELECT 1 FROM ({never}) AS never WHERE never.id = had.subscriber_id)"
        )
        often = _counted(chosen.steps_of((rested, full[1]))).get("", nobody)[-1]
        found[""], found["often"] = found[""] - often, often
    if chosen.on_one:  # whoever was never on it is no entry
        found.pop("no-list")
        stopped = {reason: [0, *steps[1:]] for reason, steps in stopped.items()}
    ways = [*found.items(), *((reason, sum(steps)) for reason, steps in stopped.items())]
    return [(why, people, (people,)) for why, people in ways if people]


def _counted(question: tuple[str, list[Any]]) -> dict[str, list[int]]:
    """Label → people of each step."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(*question)
        return {label: [int(people) for people in steps] for label, *steps in cursor.fetchall()}


def _minus(many: list[int], few: list[int]) -> list[int]:
    return [one - other for one, other in zip(many, few, strict=True)]
