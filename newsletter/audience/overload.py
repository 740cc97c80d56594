"""Who had how many messages lately: the warning before a mailing, and the most that a person gets in a week.

“Message overload is the main reason” for which people leave (Neighbourhood Alert's own guidance).
"""

# ruff: noqa: S608 - names and numbers of ours are put together; every value is a parameter

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from newsletter.config import Config
from newsletter.problems import Problem, Severity

DAYS = 7
BUSY = 4  # messages in a week from which we warn where no most is set
SMALL = 10  # people; the line under which open tables of official statistics show no number
NOT_HAD = "'failed', 'suppressed', 'expired', 'cancelled'"  # the other states: had it, or is about to

_lifted: ContextVar[bool] = ContextVar("over_cap", default=False)


@contextmanager
def lifted(on: bool = True) -> Iterator[None]:
    """Inside, nobody is left out for having had enough: `send --over-cap WHY`, whose reason goes into the log."""
    token = _lifted.set(on)
    try:
        yield
    finally:
        _lifted.reset(token)


def most(config: Config, audience: Sequence[str]) -> int:
    """Messages a week after which a person of this audience is left out; 0 = nobody is.

    Lists for safety alerts (`urgent`) know no most. A segment is not urgent, whatever it asks for.
    """
    if _lifted.get() or exempt(config, audience):
        return 0
    return max(0, config.sending.most_per_week)


def exempt(config: Config, audience: Sequence[str]) -> bool:
    """Whether every part of the audience is an urgent list."""
    return bool(audience) and all(key in config.lists and config.lists[key].urgent for key in audience)


def full(at_least: int) -> tuple[str, list[Any]] | None:
    """SQL of the ids (column subscriber_id) of all who had at least so many messages lately; None = nobody can."""
    rows = _recent()
    if at_least <= 0 or len(rows) < at_least:
        return None
    return (
        f"SELECT had.subscriber_id FROM sending_delivery AS had WHERE {_among(rows)}"
        f" AND had.state NOT IN ({NOT_HAD}) AND had.subscriber_id IS NOT NULL"
        f" GROUP BY had.subscriber_id HAVING count(*) >= {int(at_least)}"
    ), []


def busy(config: Config, audience: Sequence[str], at_least: int = BUSY) -> int:
    """How many of those who would get this mailing had at least so many messages lately."""
    from django.db import connection

    from newsletter.audience import selecting

    many = full(at_least)
    if many is None:
        return 0
    people, params = selecting.sql(config, audience)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM ({people}) AS person WHERE person.subscriber_id IN ({many[0]})", [*params, *many[1]]
        )
        return int(cursor.fetchone()[0])


def warnings(config: Config, audience: Sequence[str], people: int) -> list[Problem]:
    """What to think about before sending to these people: they had much already, or they are very few."""
    found = []
    if not exempt(config, audience):
        line = config.sending.most_per_week or BUSY
        if number := busy(config, audience, line):
            found.append(
                Problem(
                    "much-mail",
                    f"{number:,} of these {people:,} people had {line} or more messages in the last {DAYS} days",
                    hint="Wait some days, choose fewer people, or set [sending] most_per_week.",
                    severity=Severity.WARNING,
                    affected=number,
                )
            )
    if people < SMALL and any(key not in config.lists for key in audience):
        found.append(
            Problem(
                "few-people",
                f"Only {people} {'person' if people == 1 else 'people'} would get this"
                if people
                else "Nobody would get this",
                hint="So small a group may know who is meant. Is the segment right?"
                if people
                else "Look at what the segment asks for: newsletter recipients segments show KEY",
                severity=Severity.WARNING,
                affected=people,
            )
        )
    return found


def _recent() -> list[tuple[int, int, int]]:
    """(id, first and last delivery) of the mailings that began, or are to begin, in the last days; not urgent ones."""
    from django.db import connection
    from django.utils import timezone

    since = connection.ops.adapt_datetimefield_value(timezone.now() - timedelta(days=DAYS))
    urgent = (
        "SELECT m.id, m.first_id, m.last_id, m.audience, m.settings FROM sending_mailing m"
        " WHERE coalesce(m.started_at, m.send_at, m.approved_at) >= %s ORDER BY m.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(urgent, [since])
        rows = cursor.fetchall()
    return [(pk, first, last) for pk, first, last, audience, told in rows if not _was_urgent(audience, told)]


def _was_urgent(audience: Any, told: Any) -> bool:
    import json

    keys = json.loads(audience) if isinstance(audience, str) else audience
    lists = (json.loads(told) if isinstance(told, str) else told).get("lists", {})
    return bool(keys) and all(lists.get(key, {}).get("urgent") for key in keys)


def _among(rows: Sequence[tuple[int, int, int]]) -> str:
    # Ranges of ids, which lie together in the table: by the index of the mailing each row would be a jump.
    return (
        "("
        + " OR ".join(
            f"(had.id >= {int(first)} AND had.id <= {int(last)} AND had.mailing_id + 0 = {int(pk)})"
            for pk, first, last in rows
        )
        + ")"
    )
