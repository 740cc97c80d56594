"""How many people of an area, or of a shape, would get a mailing to these lists now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.audience import dialect
from newsletter.audience.areas import finding
from newsletter.audience.areas.finding import Known
from newsletter.config import Config

# Below this a mailing says little about a place and much about the few who live there; statisticians draw the line
# between 5 and 10 (the ONS suppresses counts under 10 in its open tables).
SMALL = 10


def per_area(config: Config, lists: Sequence[str], every: Mapping[str, Known]) -> dict[str, int]:
    """For each area the people of it and of all within it, each person once. One pass over who has which areas."""
    from django.db import connection

    reached, parameters = _reached("held", lists)
    sql = f"""
        SELECT held.areas, count(*) FROM (
            SELECT holding.subscriber_id, {dialect.joined("CAST(holding.trait_id AS text)", ",")} AS areas
            FROM audience_holding AS holding JOIN audience_trait AS trait ON trait.id = holding.trait_id
            WHERE trait.key = 'areas' GROUP BY holding.subscriber_id
        ) AS held WHERE {reached}
        GROUP BY held.areas
    """  # noqa: S608 (pieces of our own)
    with dialect.counting(), connection.cursor() as cursor:
        cursor.execute("SELECT id, value FROM audience_trait WHERE key = 'areas'")
        keys = {str(pk): value for pk, value in cursor.fetchall()}
        cursor.execute(sql, parameters)
        groups = cursor.fetchall()
    counts = dict.fromkeys(every, 0)
    for areas, number in groups:
        own = {keys[one] for one in areas.split(",")} & set(every)
        for key in {around for one in own for around in finding.path(one, every)}:
            counts[key] += number
    return counts


def in_shape(config: Config, lists: Sequence[str], shape: Any) -> tuple[int, int]:
    """(people who would get it, postcodes) inside a shape, by the postcodes that people gave."""
    from django.db import connection

    reached, parameters = _reached("inside", lists)
    postcodes = finding.inside(shape)
    inside, codes = finding.holders_of(postcodes)
    sql = f"SELECT count(*) FROM ({inside}) AS inside WHERE {reached}"  # noqa: S608 (pieces of our own)
    with dialect.counting(), connection.cursor() as cursor:
        cursor.execute(sql, [*codes, *parameters])
        return int(cursor.fetchone()[0]), len(postcodes)


def _reached(name: str, lists: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL: this person would get a mailing to these lists. The same people as selecting.sql chooses (a test compares),
    asked without a look at their wide rows: that took four seconds of a million on PostgreSQL, this a half. CROSS JOIN:
    SQLite has no statistics and would look up a suppression for each of a million people."""
    marks = ", ".join(["%s"] * len(lists)) or "NULL"
    return (
        f"{name}.subscriber_id IN (SELECT subscription.subscriber_id FROM audience_subscription AS subscription"  # noqa: S608
        f" JOIN audience_mailinglist AS list ON list.id = subscription.list_id WHERE list.key IN ({marks})"
        f" AND {dialect.live('subscription')})"
        f" AND {name}.subscriber_id NOT IN (SELECT person.id FROM audience_suppression AS suppression"
        " CROSS JOIN audience_subscriber AS person WHERE person.canonical = suppression.canonical)"
    ), list(lists)
