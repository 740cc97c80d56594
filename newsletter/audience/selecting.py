"""Chooses who gets a mailing: everyone once, nobody who left or must not be mailed, and a count that adds up."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from newsletter.audience import dialect, overload
from newsletter.config import Config
from newsletter.problems import NewsletterError, Problem, did_you_mean

if TYPE_CHECKING:
    from newsletter.audience.segments.compiling import Compiler

# One row for each entry: of a list, or of a segment. `step`: how near a person is to getting mail through it.
_ENTRIES = """
    SELECT subscription.subscriber_id AS id, CASE WHEN {live} THEN 4 WHEN subscription.state = 'confirmed' THEN 3
        WHEN subscription.state = 'left' THEN 2 ELSE 1 END AS step
    FROM audience_subscription AS subscription WHERE subscription.list_id IN ({lists})
"""
# How near a person is by the lists alone; 0 = on none of them.
_NEAREST = """coalesce((
        SELECT max(CASE WHEN {live} THEN 4 WHEN subscription.state = 'confirmed' THEN 3
            WHEN subscription.state = 'left' THEN 2 ELSE 1 END)
        FROM audience_subscription AS subscription
        WHERE subscription.subscriber_id = person.id AND subscription.list_id IN ({lists})
    ), 0)"""
_OF_SEGMENT = "SELECT person.id, {step} AS step FROM ({people}) AS person"
# One class per person, decided top down, so that the classes can only add up to everybody. Suppressed people are looked
# for by the few suppressions: by the address of each of a million people it took four times as long.
# CROSS JOIN keeps SQLite, which has no statistics here, from looking up a suppression for each of a million people.
# The step stands once: both databases put its sub-query wherever it is named, and would ask it four times.
_WHY_NOT = """CASE WHEN {reason} IS NOT NULL THEN {reason} ELSE CASE {step} WHEN 4 THEN {enough} WHEN 3 THEN 'paused'
            WHEN 2 THEN 'left' WHEN 1 THEN 'unconfirmed' ELSE 'no-list' END END"""
_NEVER = """SELECT subscriber.id, suppression.reason FROM audience_suppression AS suppression
            CROSS JOIN audience_subscriber AS subscriber WHERE subscriber.canonical = suppression.canonical"""
_CLASSES = """
    SELECT why_not, count(*), {sums} FROM (
        SELECT {counts}, {why_not} AS why_not
        FROM ({entries}) AS entry LEFT JOIN ({never}) AS never ON never.id = entry.id {grouped}
    ) AS person GROUP BY why_not
"""

# The same people as rows for the freeze. A JSON array keeps the lists' order (List-Id is the first of them).
_ROWS = """
    SELECT subscriber.id AS subscriber_id, subscriber.canonical, subscriber.address, subscriber.name,
        subscriber.first_name, subscriber.last_name, subscriber.language, subscriber.attributes,
        {chosen} AS lists
    FROM audience_subscriber AS subscriber
    WHERE subscriber.id IN ({people}) AND NOT EXISTS (
        SELECT 1 FROM audience_suppression AS suppression WHERE suppression.canonical = subscriber.canonical
    )
"""
_ON_LISTS = """
        SELECT subscription.subscriber_id FROM audience_subscription AS subscription
        JOIN audience_mailinglist AS list ON list.id = subscription.list_id
        WHERE list.key IN ({lists}) AND {live}"""

# The lists through which one person was chosen.
_CHOSEN = """(
            SELECT {array} FROM (
                SELECT list.key FROM audience_mailinglist AS list
                JOIN audience_subscription AS subscription ON subscription.list_id = list.id
                WHERE subscription.subscriber_id = subscriber.id AND {live} AND list.key IN ({lists})
                ORDER BY CASE list.key {order} END
            ) AS in_order
        )"""

Classes = list[tuple[str, int, tuple[int, ...]]]  # why not, people, entries of each part

WORDS = {
    "unsubscribed": "unsubscribed",
    "gone": "bounced before",
    "complaint": "complained",
    "unconfirmed": "not confirmed",
    "paused": "paused",
    "often": "had enough messages this week",
    "no-list": "on none of the lists",
    "duplicates": "on more than one list",
    "erased": "erased",
    "staff": "never to be mailed",
    "moved": "moved to another address",
}


@dataclass(frozen=True)
class Explanation:
    """Why a mailing goes to this many people.

    `lists` are (key, title, entries) of lists (those who left included) and of segments; `left_out` maps a reason to
    people, in the order of WORDS. Always: entries − sum(left_out) = will_get, where a person who is on two lists, or
    on one and in a segment, is one of `duplicates`.
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


def explain(config: Config, audience: Sequence[str]) -> Explanation:
    """Count the people of these lists and segments and say who is left out and why.

    Raises NewsletterError: unknown-list, bad-segment.
    """
    keys = known(config, audience)
    compiler = _compiler(config, keys)
    ids = _ids(config)
    classes = _of_one(config, keys[0], compiler, ids) if len(keys) == 1 else None
    if classes is None:
        classes = _of_several(config, keys, compiler, ids)
    entries = {key: int(sum(row[number] for _, _, row in classes)) for number, key in enumerate(keys)}
    counts = {"duplicates": sum(entries.values()) - sum(people for _, people, _ in classes)}
    for reason, people, _ in classes:
        reason = "unsubscribed" if reason == "left" else reason
        counts[reason] = counts.get(reason, 0) + people
    will_get = counts.pop("", 0)
    order = [*WORDS, *sorted(counts)]
    left_out = {reason: counts[reason] for reason in dict.fromkeys(order) if counts.get(reason)}
    titles = {**_segments(config, keys), **{key: one.title for key, one in config.lists.items()}}
    lists = tuple((key, titles[key], entries.get(key, 0)) for key in keys)
    return Explanation(lists, left_out, will_get)


def _of_one(config: Config, key: str, compiler: Compiler | None, ids: dict[str, int]) -> Classes | None:
    """The classes of one list or segment: everybody by how near they are to mail, less the few who are suppressed or
    had enough, who are looked for from their side. None where a segment takes more questions than that."""
    from newsletter.audience.segments import counting
    from newsletter.audience.segments.chosen import Chosen

    number = ids.get(key)
    chosen: Chosen | None = Chosen((number,) if number else (), True, [], [])
    if key not in config.lists and compiler:
        chosen = compiler.chosen(compiler.segment(key))
    return counting.classes(chosen, _NEVER, overload.full(overload.most(config, [key]))) if chosen else None


def _of_several(config: Config, keys: Sequence[str], compiler: Compiler | None, ids: dict[str, int]) -> Classes:
    """The classes of several lists and segments together, in which a person may be more than once."""
    from django.db import connection

    parts = [_entries(config, key, compiler, ids) for key in keys]
    params = [value for _, more in parts for value in more]
    full = overload.full(overload.most(config, keys))
    enough = f"CASE WHEN entry.id IN ({full[0]}) THEN 'often' ELSE '' END" if full else "''"
    with connection.cursor() as cursor:
        cursor.execute(_classes([text for text, _ in parts], enough), [*(full[1] if full else []), *params])
        return [(row[0], row[1], row[2:]) for row in cursor.fetchall()]


_NOBODY = "SELECT 0 AS id, 0 AS step WHERE 1 = 0"


def _classes(parts: Sequence[str], enough: str) -> str:
    """SQL: why_not, people, and the entries of each part. One part holds everybody once: nothing is grouped."""
    one = len(parts) <= 1
    reason, step = ("never.reason", "entry.step") if one else ("max(never.reason)", "max(entry.step)")
    counts = ["1 AS part0"] if one else [f"count(*) FILTER (WHERE part = {n}) AS part{n}" for n in range(len(parts))]
    numbered = parts if one else [f"SELECT id, step, {n} AS part FROM ({text}) AS one" for n, text in enumerate(parts)]  # noqa: S608
    return _CLASSES.format(
        sums=", ".join(f"sum(part{n})" for n in range(len(counts))),
        counts=", ".join(counts),
        why_not=_WHY_NOT.format(reason=reason, step=step, enough=enough),
        entries=" UNION ALL ".join(numbered) or _NOBODY,
        never=_NEVER,
        grouped="" if one else "GROUP BY entry.id",
    )


def _entries(config: Config, key: str, compiler: Compiler | None, ids: dict[str, int]) -> tuple[str, list[Any]]:
    """Columns id and step: everybody on a list, or in a segment, whether they get mail or not."""
    if key in config.lists:
        return _ENTRIES.format(live=dialect.live("subscription"), lists=ids.get(key, -1)), []
    assert compiler
    segment = compiler.segment(key)
    people, params = compiler.people(segment, loose=True)
    lists = ", ".join(str(ids[one]) for one in compiler.lists_of(segment) if one in ids) or "-1"
    nearest = _NEAREST.format(live=dialect.live("subscription"), lists=lists)
    steps = compiler.nearness(segment, "person.id")
    step = dialect.least([nearest, *(text for text, _ in steps)])
    return _OF_SEGMENT.format(step=step, people=people), [*(value for _, more in steps for value in more), *params]


def sql(config: Config, audience: Sequence[str]) -> tuple[str, list[Any]]:
    """The people who get a mailing to these lists and segments, one row each, for `INSERT … SELECT … FROM (<sql>) AS
    person`.

    Columns: subscriber_id, canonical, address, name, first_name, last_name, language, attributes (JSON text), lists
    (JSON array text of the lists through which this person was chosen, in order; never empty): of those of the
    audience, or else of the segment's (Compiler.lists_of). Whoever had enough messages this week is left out
    (audience.overload).
    """
    keys = list(dict.fromkeys(audience))
    lists = [key for key in keys if key in config.lists]
    compiler = _compiler(config, keys)
    parts: list[tuple[str, list[Any]]] = []
    before: list[tuple[str, list[Any]]] = []
    if lists or not keys:
        people = _ON_LISTS.format(lists=_marks(lists), live=dialect.live("subscription")), list(lists)
        parts.append(_rows(lists, people))
        before.append((f"subscriber.id IN ({people[0]})", people[1]))
    for key in keys:
        if compiler is None or key in config.lists:
            continue
        segment = compiler.segment(key)
        through = compiler.on_a_list(segment)
        chosen, params = compiler.people(segment)
        again = "".join(f" AND NOT {text}" for text, _ in before)
        rows, values = _rows(list(compiler.lists_of(segment)), (chosen, params), more=again)
        parts.append((rows, [*values, *(value for _, more in before for value in more)]))
        holds = compiler.holds(segment).of("subscriber.id")
        on = through.of("subscriber.id")
        before.append((f"({holds[0]} AND {on[0]})", [*holds[1], *on[1]]))
    text, values = " UNION ALL ".join(text for text, _ in parts), [value for _, more in parts for value in more]
    full = overload.full(overload.most(config, keys))
    if full is None:
        return text, values
    return (
        f"SELECT chosen.* FROM ({text}) AS chosen WHERE chosen.subscriber_id NOT IN ({full[0]})",  # noqa: S608
        [*values, *full[1]],
    )


def _rows(lists: list[str], people: tuple[str, list[Any]], more: str = "") -> tuple[str, list[Any]]:
    text, params = people
    if len(lists) == 1:  # everybody is on that one; looking it up for each person took half of a freeze
        return _ROWS.format(chosen=dialect.as_json("%s"), people=text) + more, [json.dumps(lists), *params]
    order = " ".join("WHEN %s THEN %s" for _ in lists)
    places = [value for place, key in enumerate(lists) for value in (key, place)]
    live = dialect.live("subscription")
    chosen = _CHOSEN.format(
        array=dialect.array_of("key"), lists=_marks(lists), order=order or "WHEN '' THEN 0", live=live
    )
    return _ROWS.format(chosen=chosen, people=text) + more, [*lists, *places, *params]


def lists_of(config: Config, audience: Sequence[str]) -> tuple[str, ...]:
    """The lists through which people of this audience are written to, in order: what a mailing needs to know."""
    keys = known(config, audience)
    compiler = _compiler(config, keys)
    found: dict[str, None] = {}
    for key in keys:
        if key in config.lists:
            found[key] = None
        elif compiler:
            found.update(dict.fromkeys(compiler.lists_of(compiler.segment(key))))
    return tuple(found)


def _compiler(config: Config, keys: Sequence[str]) -> Compiler | None:
    """Only where a segment is named: mailings to lists alone never ask for areas, traits and sent issues."""
    if all(key in config.lists for key in keys):
        return None
    from newsletter.audience.segments.compiling import Compiler

    return Compiler(config)


def _segments(config: Config, keys: Sequence[str]) -> dict[str, str]:
    """Key → title of the stored segments; asked for only where a name is no list."""
    if all(key in config.lists for key in keys):
        return {}
    from newsletter.audience.models import Segment

    return dict(Segment.objects.order_by("key").values_list("key", "title"))


def _ids(config: Config) -> dict[str, int]:
    from newsletter.audience.models import MailingList

    return dict(MailingList.objects.filter(key__in=list(config.lists)).values_list("key", "pk"))


def gone_since(delivery: str = "sending_delivery", lists: Sequence[int] | None = None) -> str:
    """An SQL condition: true for a delivery whose person must not be mailed any more.

    Put it into the statement that leases and into the commit that marks a row in flight (law L4), with the name or
    alias of the delivery's table. True when the frozen address is suppressed in any scope, or when the person has
    left (or paused) every list through which they were chosen. Needs the columns canonical, subscriber_id and
    lists (JSON array). A removed Subscriber (null) cannot have left; erasure suppresses the address instead.
    `lists`: ids of all lists of the mailing, when they are known; unfolding each row's JSON was a third of a lease.
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
            WHERE still.subscriber_id = {delivery}.subscriber_id AND {dialect.live("still")}
        ))
    )"""  # noqa: S608 (an identifier of our own)


def _still_on(delivery: str, lists: Sequence[int]) -> str:
    """SQL: the person is on one of these lists, through which they were chosen. A key read from the few lists of the
    mailing is looked for in the row's array; of a single list every row has that one."""
    parts = []
    for number in lists:
        on = (
            f"EXISTS (SELECT 1 FROM audience_subscription AS still WHERE still.list_id = {int(number)}"  # noqa: S608
            f" AND still.subscriber_id = {delivery}.subscriber_id AND {dialect.live('still')})"
        )
        if len(lists) > 1:
            key = f"(SELECT list.key FROM audience_mailinglist AS list WHERE list.id = {int(number)})"  # noqa: S608
            on = f"({dialect.has(f'{delivery}.lists', key)} AND {on})"
        parts.append(on)
    return " OR ".join(parts)


def known_lists(config: Config, keys: Sequence[str]) -> list[str]:
    """As `known`, where only a list will do: nobody can be put into a segment. Raises NewsletterError(unknown-list)."""
    for key in keys:
        if key not in config.lists and key in _segments(config, [key]):
            hint = f"The lists are: {', '.join(config.lists) or 'none yet'}."
            raise NewsletterError(Problem("unknown-list", f"‘{key}’ is a segment; a list is wanted here", hint))
    return known(config, keys)


def known(config: Config, audience: Sequence[str]) -> list[str]:
    """The keys of lists and segments, each once, in order; raises NewsletterError(unknown-list) with the nearest."""
    keys = list(dict.fromkeys(audience))
    segments = _segments(config, keys)
    problems = [
        Problem(
            "unknown-list",
            f"There is no list and no segment called ‘{key}’",
            hint=_meant(config, key, segments),
        )
        for key in keys
        if key not in config.lists and key not in segments
    ]
    if problems:
        raise NewsletterError(*problems)
    return keys


def _meant(config: Config, key: str, segments: Collection[str]) -> str:
    """The key for a title, the nearest key, or all that there is."""
    titles = [one for one, known in config.lists.items() if known.title.casefold() == key.strip().casefold()]
    if titles:
        return f"That is the title of a list; its key is {titles[0]}."
    there = f"The lists are: {', '.join(config.lists) or 'none yet'}."
    there += f" The segments are: {', '.join(segments)}." if segments else ""
    return did_you_mean(key, [*config.lists, *segments]) or there


def _marks(keys: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(keys)) or "NULL"
