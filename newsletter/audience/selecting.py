"""Chooses who gets a mailing: everyone once, nobody who left or must not be mailed, and a count that adds up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from newsletter.audience import dialect
from newsletter.config import Config
from newsletter.problems import NewsletterError, Problem, did_you_mean

# One class per person, decided top down, so that the classes can only add up to everybody.
# {lists} is a list of placeholders for list keys.
_PEOPLE = """
    SELECT subscriber.id AS subscriber_id, count(*) AS memberships, CASE
        WHEN max(suppression.reason) IS NOT NULL THEN max(suppression.reason)
        WHEN count(*) FILTER (WHERE subscription.state = 'confirmed') > 0 THEN ''
        WHEN count(*) FILTER (WHERE subscription.state = 'left') > 0 THEN 'left'
        ELSE 'unconfirmed' END AS why_not
    FROM audience_mailinglist AS list
    JOIN audience_subscription AS subscription ON subscription.list_id = list.id
    JOIN audience_subscriber AS subscriber ON subscriber.id = subscription.subscriber_id
    LEFT JOIN audience_suppression AS suppression ON suppression.canonical = subscriber.canonical
    WHERE list.key IN ({lists})
    GROUP BY subscriber.id
"""

# The same people as rows for the freeze. A JSON array keeps the lists' order (List-Id is the first of them).
_ROWS = """
    SELECT subscriber.id AS subscriber_id, subscriber.canonical, subscriber.address, subscriber.name,
        subscriber.first_name, subscriber.last_name, subscriber.language, subscriber.attributes,
        {chosen} AS lists
    FROM audience_subscriber AS subscriber
    WHERE subscriber.id IN (
        SELECT subscription.subscriber_id FROM audience_subscription AS subscription
        JOIN audience_mailinglist AS list ON list.id = subscription.list_id
        WHERE list.key IN ({lists}) AND subscription.state = 'confirmed'
    ) AND NOT EXISTS (
        SELECT 1 FROM audience_suppression AS suppression WHERE suppression.canonical = subscriber.canonical
    )
"""

# The lists through which one person was chosen.
_CHOSEN = """(
            SELECT {array} FROM (
                SELECT list.key FROM audience_mailinglist AS list
                JOIN audience_subscription AS chosen ON chosen.list_id = list.id
                WHERE chosen.subscriber_id = subscriber.id AND chosen.state = 'confirmed' AND list.key IN ({lists})
                ORDER BY CASE list.key {order} END
            ) AS in_order
        )"""

WORDS = {
    "unsubscribed": "unsubscribed",
    "gone": "bounced before",
    "complaint": "complained",
    "unconfirmed": "not confirmed",
    "duplicates": "on more than one list",
    "erased": "erased",
    "staff": "never to be mailed",
    "moved": "moved to another address",
}


@dataclass(frozen=True)
class Explanation:
    """Why a mailing goes to this many people.

    `lists` are (key, title, entries on it, those who left included); `left_out` maps a reason to people, in the
    order of WORDS. Always: entries − sum(left_out) = will_get, where a person on two lists is one of `duplicates`.
    """

    lists: tuple[tuple[str, str, int], ...]
    left_out: dict[str, int]
    will_get: int

    @property
    def entries(self) -> int:
        return sum(count for _, _, count in self.lists)

    @property
    def adds_up(self) -> bool:
        return self.entries - sum(self.left_out.values()) == self.will_get

    def sentence(self) -> str:
        """`All residents 18,204 − 312 unsubscribed − 97 bounced before = 17,742`."""
        start = " + ".join(f"{title} {count:,}" for _, title, count in self.lists)
        minus = "".join(f" − {count:,} {WORDS.get(reason, reason)}" for reason, count in self.left_out.items())
        return f"{start}{minus} = {self.will_get:,}"

    def as_json(self) -> dict[str, Any]:
        return {
            "lists": [{"key": key, "title": title, "entries": count} for key, title, count in self.lists],
            "entries": self.entries,
            "left_out": self.left_out,
            "will_get": self.will_get,
        }


def explain(config: Config, list_keys: Sequence[str]) -> Explanation:
    """Count the people of these lists and say who is left out and why. Raises NewsletterError(unknown-list)."""
    from django.db import connection

    keys = known(config, list_keys)
    with connection.cursor() as cursor:
        per_list = _PEOPLE.format(lists=_marks(keys))
        cursor.execute(
            "SELECT why_not, count(*), sum(memberships) FROM (" + per_list + ") AS person GROUP BY why_not",  # noqa: S608
            keys,
        )
        classes = cursor.fetchall()
        cursor.execute(
            "SELECT list.key, count(*) FROM audience_mailinglist AS list "  # noqa: S608 (only placeholders are put in)
            "JOIN audience_subscription AS subscription ON subscription.list_id = list.id "
            f"WHERE list.key IN ({_marks(keys)}) GROUP BY list.key",
            keys,
        )
        entries = dict(cursor.fetchall())
    counts = {"duplicates": int(sum(memberships - people for _, people, memberships in classes))}
    for reason, people, _ in classes:
        reason = "unsubscribed" if reason == "left" else reason
        counts[reason] = counts.get(reason, 0) + people
    will_get = counts.pop("", 0)
    order = [*WORDS, *sorted(counts)]
    left_out = {reason: counts[reason] for reason in dict.fromkeys(order) if counts.get(reason)}
    lists = tuple((key, config.lists[key].title, entries.get(key, 0)) for key in keys)
    return Explanation(lists, left_out, will_get)


def sql(list_keys: Sequence[str]) -> tuple[str, list[Any]]:
    """The people who get a mailing to these lists, one row each, for `INSERT … SELECT … FROM (<sql>) AS person`.

    Columns: subscriber_id, canonical, address, name, first_name, last_name, language, attributes (JSON text), lists
    (JSON array text of the chosen keys this person is on, in the order of `list_keys`; never empty).
    """
    keys = list(dict.fromkeys(list_keys))
    if len(keys) == 1:  # everybody is on that one; looking it up for each person took half of a freeze
        return _ROWS.format(chosen=dialect.as_json("%s"), lists="%s"), [json.dumps(keys), keys[0]]
    order = " ".join("WHEN %s THEN %s" for _ in keys)
    places = [value for place, key in enumerate(keys) for value in (key, place)]
    chosen = _CHOSEN.format(array=dialect.array_of("key"), lists=_marks(keys), order=order)
    return _ROWS.format(chosen=chosen, lists=_marks(keys)), [*keys, *places, *keys]


def gone_since(delivery: str = "sending_delivery", lists: Sequence[int] | None = None) -> str:
    """An SQL condition: true for a delivery whose person must not be mailed any more.

    Put it into the statement that leases and into the commit that marks a row in flight (law L4), with the name or
    alias of the delivery's table. True when the frozen address is suppressed in any scope, or when the person has
    left every list through which they were chosen. Needs the columns canonical, subscriber_id and lists (JSON array).
    A removed Subscriber (null) cannot have left; erasure suppresses the address instead. `lists`: ids of all lists of
    the mailing, when they are known; unfolding each row's JSON was a third of a lease.
    """
    if not delivery.isidentifier():
        raise ValueError(delivery)
    if lists:
        return f"""(
        EXISTS (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = {delivery}.canonical)
        OR ({delivery}.subscriber_id IS NOT NULL AND {delivery}.lists <> '[]' AND NOT ({_still_on(delivery, lists)}))
    )"""  # noqa: S608 (an identifier of our own)
    return f"""(
        EXISTS (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = {delivery}.canonical)
        OR ({delivery}.subscriber_id IS NOT NULL AND {delivery}.lists <> '[]' AND NOT EXISTS (
            SELECT 1 FROM {dialect.each(f"{delivery}.lists", "wanted")}
            JOIN audience_mailinglist AS list ON list.key = wanted.value
            JOIN audience_subscription AS still ON still.list_id = list.id
            WHERE still.subscriber_id = {delivery}.subscriber_id AND still.state = 'confirmed'
        ))
    )"""  # noqa: S608 (an identifier of our own)


def _still_on(delivery: str, lists: Sequence[int]) -> str:
    """SQL: the person is on one of these lists, through which they were chosen. A key read from the few lists of the
    mailing is looked for in the row's array; of a single list every row has that one."""
    parts = []
    for number in lists:
        on = (
            f"EXISTS (SELECT 1 FROM audience_subscription AS still WHERE still.list_id = {int(number)}"  # noqa: S608
            f" AND still.subscriber_id = {delivery}.subscriber_id AND still.state = 'confirmed')"
        )
        if len(lists) > 1:
            key = f"(SELECT list.key FROM audience_mailinglist AS list WHERE list.id = {int(number)})"  # noqa: S608
            on = f"({dialect.has(f'{delivery}.lists', key)} AND {on})"
        parts.append(on)
    return " OR ".join(parts)


def known(config: Config, list_keys: Sequence[str]) -> list[str]:
    """The keys, each once, in order; raises NewsletterError(unknown-list) with the nearest right name."""
    keys = list(dict.fromkeys(list_keys))
    problems = [
        Problem(
            "unknown-list",
            f"There is no list called ‘{key}’",
            hint=did_you_mean(key, config.lists) or f"The lists are: {', '.join(config.lists) or 'none yet'}.",
        )
        for key in keys
        if key not in config.lists
    ]
    if problems:
        raise NewsletterError(*problems)
    return keys


def _marks(keys: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(keys)) or "NULL"
