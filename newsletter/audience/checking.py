"""Counts the people for whom a field is empty, so that `check` and `send` can warn before “Hello ,” goes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from newsletter.audience import dialect, selecting
from newsletter.config import Config
from newsletter.content.model import Slot, SlotKind
from newsletter.problems import Problem, Severity

_COLUMNS = ("name", "first_name", "last_name", "language")
_LISTS = {"area": "areas", "tag": "tags"}


def without_fallback(slots: Iterable[Slot]) -> dict[str, Slot]:
    """The fields that have no `or "…"`, by key."""
    return {slot.key: slot for slot in slots if slot.kind is SlotKind.FIELD and slot.fallback is None}


def warnings(config: Config, list_keys: Sequence[str], slots: Iterable[Slot], people: int) -> list[Problem]:
    """A Problem for each field without a fallback that is empty for some of the `people`, with their number."""
    bare = without_fallback(slots)
    return [
        Problem(
            "empty-field",
            f"‘{key}’ is empty for {count:,} of {people:,} people ({100 * count // max(1, people)}%)",
            hint=f'write {{{{ {key} or "…" }}}}',
            where=bare[key].where,
            severity=Severity.WARNING,
            affected=count,
        )
        for key, count in empty_fields(config, list_keys, bare).items()
    ]


def empty_fields(config: Config, list_keys: Sequence[str], keys: Iterable[str]) -> dict[str, int]:
    """How many of the people who get a mailing to these lists have nothing in a field; only fields with such gaps.

    `keys` are names that may stand in `{{ }}`; `email` is never empty. One pass over the people for all of them.
    """
    from django.db import connection

    selecting.known(config, list_keys)
    wanted = [key for key in dict.fromkeys(keys) if key != "email"]
    if not wanted:
        return {}
    people, parameters = selecting.sql(config, list_keys)
    counts, paths = [], []
    for key in wanted:
        if key in _COLUMNS:
            counts.append(f"count(*) FILTER (WHERE trim(person.{key}) = '')")  # a name of _COLUMNS, never a person's
        else:
            value = dialect.fact_text("person.attributes")
            counts.append(f"count(*) FILTER (WHERE trim(coalesce({value}, '')) IN ('', '[]'))")
            paths.append(dialect.key(_LISTS.get(key, key).replace('"', "")))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(counts)} FROM ({people}) AS person", [*paths, *parameters])  # noqa: S608
        found = cursor.fetchone()
    return {key: count for key, count in zip(wanted, found, strict=True) if count}
