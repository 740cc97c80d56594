"""Writes what became of people at another service: who left there has left here, who bounced there is not mailed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Execute = Callable[[str, Any], None]

_DEPARTED = """
    FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'departed'
"""
# Who left all, and who left a list that the file does not name, get nothing: as if they had left everything here.
_NEVER = f"{_DEPARTED} AND (theirs.state IN ('gone', 'blocked') OR wish.lists = 0)"
_LISTS = """
    FROM import_person AS wish JOIN import_state AS theirs ON theirs.canonical = wish.canonical
    CROSS JOIN import_list AS list JOIN audience_subscriber AS known ON known.canonical = wish.canonical
    LEFT JOIN audience_subscription AS old ON old.subscriber_id = known.id AND old.list_id = list.list_id
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'departed' AND theirs.state = 'left'
        AND (list.bit & wish.lists) <> 0
        AND (old.id IS NULL OR (old.state <> 'left' AND old.changed < coalesce(theirs.at, %(now)s)))
"""
_APPLY = (
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, '', 'suppressed', 'import', NULL, %(why)s, '', coalesce(theirs.at, %(now)s), %(now)s {_NEVER}
    """,
    f"""
    INSERT INTO audience_suppression (canonical, scope, reason, at)
    SELECT wish.canonical, CASE theirs.state WHEN 'gone' THEN 'all' ELSE 'bulk' END,
        CASE theirs.state WHEN 'gone' THEN 'gone' ELSE 'unsubscribed' END, coalesce(theirs.at, %(now)s) {_NEVER}
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT wish.canonical, wish.address, '', '', '', '', '{{{{}}}}', %(now)s {_DEPARTED}
        AND theirs.state = 'left' AND wish.lists <> 0 ON CONFLICT (canonical) DO NOTHING
    """.replace("{{}}", "{}"),
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, list.key, 'left', 'import', NULL, %(why)s, '', coalesce(theirs.at, %(now)s), %(now)s {_LISTS}
    """,
    f"""
    INSERT INTO audience_subscription (subscriber_id, list_id, state, changed)
    SELECT known.id, list.list_id, 'left', %(now)s {_LISTS}
    ON CONFLICT (list_id, subscriber_id) DO UPDATE SET state = 'left', changed = excluded.changed
    """,
)


def keep(execute: Execute, values: dict[str, Any]) -> None:
    """Write the departures of a batch, in the caller's transaction; somebody who joined here later stays."""
    for statement in _APPLY:
        execute(statement, values)
