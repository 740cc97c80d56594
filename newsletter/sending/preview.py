"""Before approval: how many people would see which blocks, and the first messages as they would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from newsletter import settings
from newsletter.audience import dialect, selecting, speaking
from newsletter.mail.tokens import new_id
from newsletter.rendering import merge
from newsletter.rendering.model import Condition, Rendered
from newsletter.sending import freezing, message
from newsletter.sending.models import Mailing
from newsletter.sending.outbox import Leased
from newsletter.sending.store import loaded


@dataclass(frozen=True)
class Variants:
    """How many different mails there are, and for each condition of the issue who meets it and how many they are."""

    number: int
    blocks: tuple[tuple[str, int], ...]  # ("shown only to Stafford North and Stafford South", 3210)


def variants(rendered: Rendered, lists: Sequence[str]) -> Variants:
    """Count the people of `lists` by what they would see; 17,742 people come down to a few dozen combinations."""
    keys = freezing.asked(rendered.conditions)
    seen: set[frozenset[int]] = set()
    people = [0] * len(rendered.conditions)
    for values, count in freezing.groups(lists, keys) if keys else ():
        truths = merge.truths(rendered, message.condition_values(values, values.get("list") or ()))
        seen.add(truths)
        for index in truths:
            people[index] += count
    blocks = dict(zip(map(_who, rendered.conditions), people, strict=True))
    return Variants(max(1, len(seen)), tuple(blocks.items()))


def languages(renders: Mapping[str, Rendered], lists: Sequence[str]) -> dict[str, int]:
    """How many people of these lists get the issue in each of its languages, by tag, the default first."""
    found = dict.fromkeys(renders, 0)
    for wanted, count in speaking.languages(settings.current(), lists).items():
        found[message.best_language(wanted, renders)] += count
    return {renders[key].language: count for key, count in found.items()}


def _who(condition: Condition) -> str:
    words = " and ".join(" or ".join(values) for _, values in condition.terms)
    return f"shown to everybody but {words}" if condition.negated else f"shown only to {words}"


def first_people(lists: Sequence[str], renders: Mapping[str, Rendered], number: int) -> list[Leased]:
    """The first people of these lists as rows for the Composer; nothing is written to the ledger."""
    people, chosen = selecting.sql(settings.current(), lists)
    return _rows(people, chosen, renders, number)


def one_person(canonical: str, renders: Mapping[str, Rendered], lists: Sequence[str]) -> Leased | None:
    """A subscriber as a row for the Composer, whichever lists they are on; None when we do not know the address."""
    chosen = dialect.as_json("%s")
    people = (
        "SELECT id AS subscriber_id, canonical, address, name, first_name, last_name, language, attributes,"  # noqa: S608
        f" {chosen} AS lists FROM audience_subscriber WHERE canonical = %s"
    )
    found = _rows(people, [freezing.as_json(list(lists)), canonical], renders, 1)
    return found[0] if found else None


def _rows(people: str, chosen: Sequence[Any], renders: Mapping[str, Rendered], number: int) -> list[Leased]:
    values, named = freezing.values_sql(freezing.keys_used(renders.values()))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT person.canonical, person.address, person.name, person.language, person.lists,"  # noqa: S608
            f" {values} FROM ({people}) AS person LIMIT %s",
            [*named, *chosen, number],
        )
        rows = cursor.fetchall()
    return [
        Leased(
            id=0,
            attempt=0,
            tries=0,
            canonical=canonical,
            address=address,
            name=name,
            language=language,
            values=loaded(values),
            lists=tuple(loaded(lists)),
            token=new_id(),
            unsubscribe_token=new_id(),
        )
        for canonical, address, name, language, lists, values in rows
    ]


def rate() -> float | None:
    """Messages a second that the last mailing managed; None before the first."""
    for kept in Mailing.objects.order_by("-pk").values_list("settings", flat=True)[:5]:
        if kept.get("rate"):
            return float(kept["rate"])
    return None
