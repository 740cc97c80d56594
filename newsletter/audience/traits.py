"""Keeps the same facts the other way round, value → people, so that a segment is counted from short lists of people.

`Subscriber` is the truth; `Trait` and `Holding` follow it. Whoever changes `attributes` or `language` calls `keep` in
the same transaction. The import, which changes a million people at once, has statements of its own with this result.
"""

# ruff: noqa: S608 - only constants of this file are put together; every value is a parameter

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection, transaction

from newsletter.audience import dialect

LONGEST = 200  # characters of a value; nobody chooses people by a longer one, and PostgreSQL indexes 2,700 bytes
BATCH = 50_000  # people in one statement of `rebuild`
LANGUAGE = "language"

# (subscriber_id, key, value) of the people called `person` in {table}; {people} chooses them.
_FACTS = {
    "sqlite": """
        SELECT person.id AS subscriber_id, fact.key AS key, CAST(one.value AS text) AS value
        FROM {table} AS person, json_each(person.attributes) AS fact,
            json_each(CASE WHEN fact.type = 'array' THEN fact.value ELSE json_array(fact.value) END) AS one
        WHERE {people} AND length(one.value) BETWEEN 1 AND 200 AND length(fact.key) <= 100
    """,
    "postgresql": """
        SELECT person.id AS subscriber_id, fact.key AS key, one.value AS value
        FROM {table} AS person, jsonb_each(person.attributes) AS fact(key, value),
            jsonb_array_elements_text(CASE WHEN jsonb_typeof(fact.value) = 'array' THEN fact.value
                ELSE jsonb_build_array(fact.value) END) AS one(value)
        WHERE {people} AND length(one.value) BETWEEN 1 AND 200 AND length(fact.key) <= 100
    """,
}
_LANGUAGES = """
    UNION ALL SELECT person.id, 'language', person.language FROM {table} AS person
    WHERE {people} AND person.language <> ''
"""


def keep(subscriber_id: int, before: Mapping[str, Any] | None = None) -> None:
    """Make the traits of one person what their record says now. Runs inside the caller's transaction.

    `before`: what `facts_of` gave before the change. With it only what is new or gone is written; without it every
    trait is looked up for this person (30,000 of them: 20 ms).
    """
    now = _facts(subscriber_id)
    if before is None:
        forget(subscriber_id)
        _add(subscriber_id, now)
        return
    was = _pairs(before)
    _add(subscriber_id, [pair for pair in now if pair not in was])
    with connection.cursor() as cursor:
        for key, value in was - set(now):
            cursor.execute(
                "DELETE FROM audience_holding WHERE subscriber_id = %s AND trait_id ="
                " (SELECT id FROM audience_trait WHERE key = %s AND value = %s)",
                [subscriber_id, key, value],
            )


def facts_of(attributes: Mapping[str, Any], language: str) -> dict[str, Any]:
    """What `keep` takes as `before`: a copy of the attributes with the language."""
    return {**{key: list(v) if isinstance(v, list) else v for key, v in attributes.items()}, LANGUAGE: language}


def forget(subscriber_id: int) -> None:
    """Take all traits off one person, whatever their record says. Runs inside the caller's transaction."""
    # From the short table of traits into the primary key; by `subscriber_id` alone all ten million rows were read.
    each = (
        "IN (SELECT id FROM audience_trait)" if dialect.is_sqlite() else "= ANY(ARRAY(SELECT id FROM audience_trait))"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM audience_holding WHERE trait_id {each} AND subscriber_id = %s", [subscriber_id])


def rebuild(progress: Callable[[int, int], None] | None = None) -> int:
    """Make all traits anew from the records; returns how many people. `progress(done, of)` after every batch.

    One transaction: whoever counts meanwhile sees the old traits.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(id), 0), COUNT(*) FROM audience_subscriber")
        last, people = cursor.fetchone()
        cursor.execute("DELETE FROM audience_holding")
        cursor.execute("DELETE FROM audience_trait")
        for start in range(0, last, BATCH):
            _fill(cursor, start, start + BATCH)
            if progress:
                progress(min(start + BATCH, last), last)
    return int(people)


def differing() -> int:
    """How many traits of people are missing or too many: 0 unless something changed a record past `keep`."""
    facts = facts_sql("person.id > 0")
    held = "SELECT h.subscriber_id, t.key, t.value FROM audience_holding h JOIN audience_trait t ON t.id = h.trait_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT COUNT(*) FROM (SELECT * FROM ({facts}) AS f EXCEPT {held}) AS missing)"
            f" + (SELECT COUNT(*) FROM ({held} EXCEPT SELECT * FROM ({facts}) AS f) AS too_many)"
        )
        return int(cursor.fetchone()[0])


def _fill(cursor: Any, after: int, until: int) -> None:
    facts = facts_sql("person.id > %s AND person.id <= %s")
    cursor.execute(
        f"INSERT INTO audience_trait (key, value) SELECT DISTINCT key, value FROM ({facts}) AS fact"
        " WHERE true ON CONFLICT DO NOTHING",
        [after, until] * 2,
    )
    cursor.execute(
        "INSERT INTO audience_holding (trait_id, subscriber_id) SELECT DISTINCT trait.id, fact.subscriber_id"
        f" FROM ({facts}) AS fact JOIN audience_trait AS trait ON trait.key = fact.key AND trait.value = fact.value",
        [after, until] * 2,
    )


def facts_sql(people: str, table: str = "audience_subscriber") -> str:
    """SELECT of (subscriber_id, key, value) of the people called `person` whom a condition chooses.

    `table`: where their id, attributes and language stand.
    """
    return (_FACTS[connection.vendor] + _LANGUAGES).format(people=people, table=table)


def _facts(subscriber_id: int) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT key, value FROM ({facts_sql('person.id = %s')}) AS fact", [subscriber_id] * 2)
        return [(str(key), str(value)) for key, value in cursor.fetchall()]


def _pairs(facts: Mapping[str, Any]) -> set[tuple[str, str]]:
    pairs = {(key, str(one)) for key, v in facts.items() for one in (v if isinstance(v, list) else [v])}
    return {(key, value) for key, value in pairs if 1 <= len(value) <= LONGEST}


def _add(subscriber_id: int, pairs: list[tuple[str, str]]) -> None:
    with connection.cursor() as cursor:
        for key, value in sorted(pairs):  # in one order, else two people at once could wait for each other
            cursor.execute(
                "INSERT INTO audience_trait (key, value) VALUES (%s, %s) ON CONFLICT DO NOTHING", [key, value]
            )
            cursor.execute(
                "INSERT INTO audience_holding (trait_id, subscriber_id)"
                " SELECT id, %s FROM audience_trait WHERE key = %s AND value = %s ON CONFLICT DO NOTHING",
                [subscriber_id, key, value],
            )
