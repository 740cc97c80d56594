"""Traits of the people of one batch of an import, thousands at once; the result is that of `traits.keep` for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from newsletter.audience import traits

_CHOSEN = (
    "person.canonical IN (SELECT wish.canonical FROM import_person AS wish"
    " WHERE wish.place > %s AND wish.place <= %s AND wish.verdict IN ({verdicts}))"
)
Execute = Callable[[str, Any], None]


def forget(execute: Execute, low: int, high: int) -> None:
    """Take off the traits that people who are about to change have by their present record.

    By the record, not by the person: to find a person's rows one would look under each of 30,000 postcodes.
    """
    _gather(execute, low, high, "'updated'")
    execute(
        "DELETE FROM audience_holding WHERE (trait_id, subscriber_id) IN (SELECT trait.id, fact.subscriber_id"
        " FROM import_fact AS fact JOIN audience_trait AS trait ON trait.key = fact.key AND trait.value = fact.value)",
        (),
    )


def keep(execute: Execute, low: int, high: int) -> None:
    """Write the traits of the new and the changed, from the records as they are now, in the caller's transaction."""
    _gather(execute, low, high, "'new', 'updated'")
    execute(
        "INSERT INTO audience_trait (key, value) SELECT DISTINCT key, value FROM import_fact AS fact WHERE NOT EXISTS"
        " (SELECT 1 FROM audience_trait AS known WHERE known.key = fact.key AND known.value = fact.value)"
        " ORDER BY key, value ON CONFLICT DO NOTHING",
        (),
    )
    execute(
        "INSERT INTO audience_holding (trait_id, subscriber_id) SELECT trait.id, fact.subscriber_id"
        " FROM import_fact AS fact JOIN audience_trait AS trait ON trait.key = fact.key AND trait.value = fact.value"
        " ORDER BY 1, 2 ON CONFLICT DO NOTHING",
        (),
    )


def _gather(execute: Execute, low: int, high: int, verdicts: str) -> None:
    facts = traits.facts_sql(_CHOSEN.format(verdicts=verdicts))
    execute("DELETE FROM import_fact", ())
    execute(f"INSERT INTO import_fact (subscriber_id, key, value) {facts}", [low, high] * 2)
