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

    with dialect.counting(), connection.cursor() as cursor:
        cursor.execute("SELECT id, value FROM audience_trait WHERE key = 'areas'")
        keys = {str(pk): value for pk, value in cursor.fetchall()}
        reached = _reached("held", _numbers(lists))
        # By the traits' numbers: by a join with their table PostgreSQL took a million people for 1,600 (9 s, now 2).
        cursor.execute(f"""
            SELECT held.areas, count(*) FROM (
                SELECT holding.subscriber_id, {dialect.joined("CAST(holding.trait_id AS text)", ",")} AS areas
                FROM audience_holding AS holding WHERE holding.trait_id IN ({", ".join(keys) or "-1"})
                GROUP BY holding.subscriber_id
            ) AS held {reached} GROUP BY held.areas
        """)  # noqa: S608 (pieces of our own)
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

    postcodes = finding.inside(shape)
    inside, codes = finding.holders_of(postcodes)
    reached = _reached("inside", _numbers(lists))
    with dialect.counting(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({inside}) AS inside {reached}", codes)  # noqa: S608 (pieces of our own)
        return int(cursor.fetchone()[0]), len(postcodes)


def _numbers(lists: Sequence[str]) -> str:
    from newsletter.audience.models import MailingList

    found = MailingList.objects.filter(key__in=lists).values_list("pk", flat=True)
    return ", ".join(str(int(pk)) for pk in found) or "-1"


def _reached(name: str, lists: str) -> str:
    """SQL after FROM: of these people those who would get a mailing to these lists. The same people as selecting.sql
    chooses (a test compares), asked without a look at their wide rows.

    EXISTS, because SQLite looks it up for each person. Of `IN (everybody on the lists)` it made a look-up for each of
    them under each postcode: a million times 10,000, which never ended. CROSS JOIN, because it has no statistics: it
    would look up a suppression for each of a million people.
    """
    return (
        "LEFT JOIN (SELECT person.id FROM audience_suppression AS suppression CROSS JOIN audience_subscriber AS person"  # noqa: S608
        f" WHERE person.canonical = suppression.canonical) AS never ON never.id = {name}.subscriber_id"
        f" WHERE never.id IS NULL AND EXISTS (SELECT 1 FROM audience_subscription AS chosen WHERE chosen.list_id IN"
        f" ({lists}) AND chosen.subscriber_id = {name}.subscriber_id AND {dialect.live('chosen')})"
    )
