"""Traits of the people of one batch of an import, thousands at once; the result is that of `traits.keep` for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from newsletter.audience import traits

_TRAIT = "FROM import_fact AS fact JOIN audience_trait AS trait ON trait.key = fact.key AND trait.value = fact.value"
Execute = Callable[[str, Any], None]


def forget(execute: Execute) -> None:
    """Take off the traits that people who are about to change have by their present record.

    By the record, not by the person: to find a person's rows one would look under each of 30,000 postcodes.
    """
    _gather(execute, "updated")
    theirs = f"(SELECT trait.id, fact.subscriber_id {_TRAIT})"
    execute(f"DELETE FROM audience_holding WHERE (trait_id, subscriber_id) IN {theirs}", ())  # noqa: S608 (of this file)


def keep(execute: Execute, verdict: str) -> None:
    """Write the traits of the new or the changed, from the records as they are now, in the caller's transaction."""
    _gather(execute, verdict)
    execute(
        "INSERT INTO audience_trait (key, value) SELECT DISTINCT key, value FROM import_fact AS fact WHERE NOT EXISTS"
        " (SELECT 1 FROM audience_trait AS known WHERE known.key = fact.key AND known.value = fact.value)"
        " ORDER BY key, value ON CONFLICT DO NOTHING",
        (),
    )
    holdings = (
        f"INSERT INTO audience_holding (trait_id, subscriber_id) SELECT DISTINCT trait.id, fact.subscriber_id {_TRAIT}"
    )
    execute(f"{holdings} ORDER BY 1, 2{'' if verdict == 'new' else ' ON CONFLICT DO NOTHING'}", ())


def _gather(execute: Execute, verdict: str) -> None:
    facts = traits.facts_sql(f"person.verdict = '{verdict}'", "import_met")
    execute("DELETE FROM import_fact", ())
    execute(f"INSERT INTO import_fact (subscriber_id, key, value) {facts}", ())
