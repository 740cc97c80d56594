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
# What they chose here themselves after the day on which they left there counts more. A plain import is no such choice:
# it wrote down its own day, and may have brought in the very people who had left. One that knew the day tells it.
_LATER = """EXISTS (SELECT 1 FROM audience_consentevent AS own WHERE own.canonical = wish.canonical
    AND own.event IN ('joined', 'returned', 'lifted') AND (own.channel <> 'import' OR own.at < own.recorded)
    AND own.at > theirs.at)"""
# Who left all, and who left a list that the file does not name, get nothing: as if they had left everything here.
_NEVER = f"{_DEPARTED} AND (theirs.state <> 'left' OR wish.lists = 0) AND NOT {_LATER}"
_LISTS = f"""
    FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
    CROSS JOIN import_list AS list {{known}} JOIN audience_subscriber AS known ON known.canonical = wish.canonical
    LEFT JOIN audience_subscription AS old ON old.subscriber_id = known.id AND old.list_id = list.list_id
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'departed' AND theirs.state = 'left'
        AND (list.bit & wish.lists) <> 0 AND (old.id IS NULL OR old.state <> 'left') AND NOT {_LATER}
"""
_LEAVING = _LISTS.format(known="")
_ANY = _LISTS.format(known="LEFT")  # those without a record here yet, too
_REASON = "CASE theirs.state WHEN 'gone' THEN 'gone' WHEN 'complaint' THEN 'complaint' ELSE 'unsubscribed' END"
_SCOPE = "CASE theirs.state WHEN 'gone' THEN 'all' ELSE 'bulk' END"
_APPLY = (
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, '', 'suppressed', 'import', NULL, %(why)s, '', coalesce(theirs.at, %(now)s), %(now)s {_NEVER}
    """,
    f"""
    INSERT INTO audience_suppression (canonical, scope, reason, at)
    SELECT wish.canonical, {_SCOPE}, {_REASON}, coalesce(theirs.at, %(now)s) {_NEVER}
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT wish.canonical, wish.address, '', '', '', '', '{{}}', %(now)s {_DEPARTED}
        AND theirs.state = 'left' AND wish.lists <> 0 AND NOT {_LATER} ON CONFLICT (canonical) DO NOTHING
    """,
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


def keep(execute: Execute, values: dict[str, Any]) -> None:
    """Write the departures of a batch, in the caller's transaction; somebody who joined here later stays."""
    for statement in _APPLY:
        execute(statement, values)


def differing(fetch: Fetch, low: int, high: int) -> int:
    """How many people of these places `keep` would change something for."""
    people = f"SELECT wish.canonical {_NEVER} UNION SELECT wish.canonical {_ANY}"
    counted = f"SELECT count(*) FROM ({people}) AS each_one"  # noqa: S608 (pieces of this file)
    return int(fetch(counted, {"low": low, "high": high})[0][0])
