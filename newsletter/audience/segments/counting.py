"""Counts the people of one list or segment by why they get no mail, from the side of the few."""

# ruff: noqa: S608 - the pieces are constants of ours; every value is a parameter

from __future__ import annotations

from typing import Any

from newsletter.audience import dialect
from newsletter.audience.segments.chosen import STEPS, Chosen
from newsletter.audience.segments.pieces import Sql

_WHY = ("no-list", "unconfirmed", "left", "paused", "")  # by step; "" = nothing keeps it from them
_PEOPLE = ", ".join(f"people{step}" for step in range(STEPS))

Classes = list[tuple[str, int, tuple[int, ...]]]  # why not, people, entries of each part


def classes(chosen: Chosen, never: str, full: Sql | None) -> Classes:
    """Why not, people, and the same as entries. Everybody is counted by being on a list; those to whom that brings no
    mail, the suppressed and those who had enough are looked for from their own side and moved.

    `never`: SQL of suppressed people (columns id, reason); `full`: of those who had enough (subscriber_id), or None.
    """
    people, chosen = chosen.gathered()
    numbers = [("on", sign, sql) for sign, sql in chosen.numbers()]
    numbers += [("strange", sign, sql) for sign, sql in chosen.strangers()]
    few = [("odd", chosen.odd()), ("never", chosen.steps_of((never, []), "person.reason"))]
    if full:
        rested = (
            f"SELECT subscriber_id AS id FROM ({full[0]}) AS had"
            f" WHERE NOT EXISTS (SELECT 1 FROM ({never}) AS never WHERE never.id = had.subscriber_id)"
        )
        few.append(("often", chosen.steps_of((rested, full[1]))))
    found = _asked(people, numbers, few)
    nobody = [0] * STEPS
    on, strange = (found.get(what, {}).get("", nobody)[0] for what in ("on", "strange"))
    odd, often = (found.get(what, {}).get("", nobody) for what in ("odd", "often"))
    steps = [strange, *odd[1:-1], on - sum(odd[:-1])]
    stopped = found.get("never", {})
    if chosen.on_one and not chosen.beside:  # whoever was never on it is no entry
        stopped = {reason: [0, *many[1:]] for reason, many in stopped.items()}
    for many in stopped.values():
        steps = [one - other for one, other in zip(steps, many, strict=True)]
    ways = dict(zip(_WHY, steps, strict=True))
    ways[""] -= often[-1]
    ways |= {"often": often[-1], **{reason: sum(many) for reason, many in stopped.items()}}
    return [(why, people, (people,)) for why, people in ways.items() if people]


def _asked(
    people: Sql | None, numbers: list[tuple[str, int, Sql]], few: list[tuple[str, Sql]]
) -> dict[str, dict[str, list[int]]]:
    """What → label → people of each step; `people` as Chosen.gathered. All in one statement, so that they are numbers
    of one moment: whoever leaves meanwhile is not counted as gone and as there."""
    from django.db import connection

    none = ", 0" * (STEPS - 1)
    texts = [
        f"SELECT '{what}' AS what, '' AS label, {sign} * ({sql[0]}) AS people0{none}" for what, sign, sql in numbers
    ]
    texts += [f"SELECT '{what}', label, {_PEOPLE} FROM ({sql[0]}) AS few" for what, sql in few]
    before = f"WITH people(id) AS MATERIALIZED ({people[0]}) " if people else ""
    params: list[Any] = [*people[1]] if people else []
    params += [value for _, _, sql in numbers for value in sql[1]] + [value for _, sql in few for value in sql[1]]
    found: dict[str, dict[str, list[int]]] = {}
    with dialect.counting(), connection.cursor() as cursor:
        cursor.execute(before + " UNION ALL ".join(texts), params)
        for what, label, *steps in cursor.fetchall():
            known = found.setdefault(what, {}).setdefault(label, [0] * STEPS)
            known[:] = [one + int(other) for one, other in zip(known, steps, strict=True)]
    return found
