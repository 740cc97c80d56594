"""Writes what became of people at another service: who left there has left here, who bounced there is not mailed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Execute = Callable[[str, Any], None]
Fetch = Callable[[str, Any], list[Any]]

_DEPARTED = """
    FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'departed'
"""
# What they chose after the day on which they left there counts more: by that day, never by when it was written down
# here. A plain import knows no such day (it wrote down its own, and may have brought in the very people who had left),
# so leaving wins over it; an import that told the day counts by that day.
_CHOSE = """EXISTS (SELECT 1 FROM audience_consentevent AS own WHERE own.canonical = wish.canonical
    AND own.event IN ({events}) AND (own.channel <> 'import' OR own.at < own.recorded) AND own.at > theirs.at{list})"""
_LATER = _CHOSE.format(events="'joined', 'returned', 'lifted'", list="")  # of mail from here at all
_LATER_IT = _CHOSE.format(events="'joined', 'returned'", list=" AND own.list_key = list.key")  # of this very list
_HELD = """FROM audience_subscriber AS known JOIN audience_subscription AS held ON held.subscriber_id = known.id
    AND held.state <> 'left'"""
# Who left all, and who left a list that the file does not name, get nothing: as if they had left everything here.
_ALL = "(theirs.state <> 'left' OR wish.lists = 0)"
_NEVER = f"{_DEPARTED} AND {_ALL} AND NOT {_LATER}"
_LISTS = f"""
    FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
    CROSS JOIN import_list AS list {{known}} JOIN audience_subscriber AS known ON known.canonical = wish.canonical
    LEFT JOIN audience_subscription AS old ON old.subscriber_id = known.id AND old.list_id = list.list_id
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'departed' AND theirs.state = 'left'
        AND (list.bit & wish.lists) <> 0 AND (old.id IS NULL OR old.state <> 'left') AND NOT {_LATER_IT}
"""
# Those who go on getting mail although they left there: they chose it later.
_STAYS = f"""CASE WHEN {_ALL} THEN {_LATER} AND EXISTS (SELECT 1 {_HELD} WHERE known.canonical = wish.canonical)
    ELSE EXISTS (SELECT 1 {_HELD} JOIN import_list AS list ON list.list_id = held.list_id
        WHERE known.canonical = wish.canonical AND (list.bit & wish.lists) <> 0 AND {_LATER_IT}) END"""
# What becomes of one person of the file here: as `by_state` counts it.
FATE = f"""(SELECT CASE WHEN {_STAYS} THEN 'stayed' ELSE theirs.state END
    FROM import_state AS theirs WHERE theirs.canonical = wish.canonical)"""  # noqa: S608 (pieces of this file)
_LEAVING = _LISTS.format(known="")
_ANY = _LISTS.format(known="LEFT")  # those without a record here yet, too
_REASON = "CASE theirs.state WHEN 'gone' THEN 'gone' WHEN 'complaint' THEN 'complaint' ELSE 'unsubscribed' END"
_SCOPE = "CASE theirs.state WHEN 'gone' THEN 'all' ELSE 'bulk' END"
# The proof says when it happened there; the record when we learned it (as subscribing.suppress_all): who was mailed
# from here until then was not mailed against our knowledge (law L4).
_STOPS = (
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, '', 'suppressed', 'import', NULL, %(why)s, '', coalesce(theirs.at, %(now)s), %(now)s {_NEVER}
    """,
    f"""
    INSERT INTO audience_suppression (canonical, scope, reason, at)
    SELECT wish.canonical, {_SCOPE}, {_REASON}, %(now)s {_NEVER}
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT wish.canonical, wish.address, '', '', '', '', '{{}}', %(now)s {_DEPARTED}
        AND theirs.state = 'left' AND EXISTS (SELECT 1 FROM import_list AS list
            WHERE (list.bit & wish.lists) <> 0 AND NOT {_LATER_IT}) ON CONFLICT (canonical) DO NOTHING
    """,  # noqa: S608 (pieces of this file)
)
_LEAVE = (
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, list.key, 'left', 'import', NULL, %(why)s, '', coalesce(theirs.at, %(now)s), %(now)s
    {_LEAVING}
    """,
    f"""
    INSERT INTO audience_subscription (subscriber_id, list_id, state, changed)
    SELECT known.id, list.list_id, 'left', coalesce(theirs.at, %(now)s) {_LEAVING}
    ON CONFLICT (list_id, subscriber_id) DO UPDATE SET state = 'left', changed = excluded.changed, paused_until = NULL
    """,
)


def keep(execute: Execute, hold: Callable[[], None], values: dict[str, Any]) -> None:
    """Write the departures of a batch, in the caller's transaction; whoever chose a list later stays on it.

    `hold`: makes the rows of these people ours, so that nobody erases who is written about.
    """
    for statement in _STOPS:
        execute(statement, values)
    hold()
    for statement in _LEAVE:
        execute(statement, values)


def differing(fetch: Fetch, low: int, high: int) -> tuple[int, int]:
    """For how many people of these places `keep` would change something, and how many of them are on a list now."""
    on_now = f"{_NEVER} AND EXISTS (SELECT 1 {_HELD} WHERE known.canonical = wish.canonical)"
    people = f"SELECT wish.canonical {_NEVER} UNION SELECT wish.canonical {_ANY}"
    taken_off = f"SELECT wish.canonical {on_now} UNION SELECT wish.canonical {_LEAVING} AND old.id IS NOT NULL"
    count = "SELECT count(*) FROM ({}) AS each_one"
    values = {"low": low, "high": high}
    return (fetch(count.format(people), values)[0][0], fetch(count.format(taken_off), values)[0][0])


def by_state(fetch: Fetch) -> dict[str, int]:
    """How many are not taken because of what became of them there; `stayed` are those who chose here later."""
    counted = f"""
        SELECT state, count(*) FROM (SELECT CASE WHEN {_STAYS} THEN 'stayed' ELSE theirs.state END AS state
            FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
            WHERE wish.verdict = 'departed') AS each_one GROUP BY state
    """  # noqa: S608 (pieces of this file)
    return dict(fetch(counted, ()))
