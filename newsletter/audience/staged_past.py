"""The import's second workbench, for exports of other services: since when people joined, and who left or is gone.

Whoever left or cannot be reached never comes near the first bench (staging): they are recorded from here, before
anybody is added, so that one address that a file holds as subscribed and as unsubscribed ends as unsubscribed.
"""

# ruff: noqa: S608 - only constants of this file are put together; every value is a parameter

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.audience import dialect
from newsletter.audience.guided.past import Was

if TYPE_CHECKING:
    from newsletter.audience.staging import Stage

# row, canonical, address, lists (bits), was (Was), at (None: the file does not say), why
Remembered = tuple[int, str, str, int, int, datetime | None, str]
COLUMNS = "row, canonical, address, lists, was, at, why"
TABLES = ("import_past", "import_choice", "import_erased")  # the last is used by both benches
_TABLE = """CREATE TEMP TABLE import_past (row {number}, canonical {text}, address {text}, lists {number},
    was {number}, at {moment}, why {text})"""
_SUPPRESSION = {
    Was.EVERYTHING: ("bulk", "unsubscribed"),
    Was.STAFF: ("bulk", "staff"),
    Was.COMPLAINT: ("bulk", "complaint"),
    Was.GONE: ("all", "gone"),
}

# What they chose here after the day on which they left there counts more. An import tells that day only where the file
# before it did: without a date it wrote down the day of the import.
_LATER = """EXISTS (SELECT 1 FROM audience_consentevent AS own WHERE own.canonical = past.canonical
    AND own.event IN ('joined', 'returned', 'lifted') AND (own.channel <> 'import' OR own.at < own.recorded)
    AND own.at > past.at)"""
# Places: rows of the file from %(low)s on, to %(high)s.
_HERE = "past.row > %(low)s AND past.row <= %(high)s"
_LEAVING = f"""
    SELECT past.canonical AS canonical, min(past.address) AS address, list.list_id AS list_id, list.key AS key,
        min(past.at) AS at, min(past.why) AS why
    FROM import_past AS past JOIN import_list AS list ON (list.bit & past.lists) <> 0
    WHERE {_HERE} AND past.was = {int(Was.LEFT)} AND NOT {_LATER} AND past.canonical NOT IN (SELECT canonical FROM
        import_erased) GROUP BY past.canonical, list.list_id, list.key
"""
# The strictest of an address, and no milder than what is known here.
_STOPPING = f"""
    SELECT * FROM (
        SELECT past.canonical AS canonical, past.at AS at, past.why AS why, past.was AS was,
            CASE past.was WHEN {int(Was.GONE)} THEN 'all' ELSE 'bulk' END AS scope,
            row_number() OVER (PARTITION BY past.canonical ORDER BY past.was DESC, past.at, past.row) AS one
        FROM import_past AS past
        WHERE {_HERE} AND past.was > {int(Was.LEFT)} AND NOT {_LATER}
            AND past.canonical NOT IN (SELECT canonical FROM import_erased)
    ) AS stop WHERE one = 1 AND NOT EXISTS (SELECT 1 FROM audience_suppression AS never
        WHERE never.canonical = stop.canonical AND (never.scope = 'all' OR stop.scope = 'bulk'))
"""
_NOT_LEFT = """NOT EXISTS (SELECT 1 FROM audience_subscription AS old WHERE old.subscriber_id = known.id
    AND old.list_id = gone.list_id AND old.state = 'left')"""
_LEAVE = (
    # Of who left, the address is all that is kept; of who gets nothing anyway, not even that.
    f"""
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT gone.canonical, min(gone.address), '', '', '', '', '{{}}', %(now)s FROM ({_LEAVING}) AS gone
    WHERE NOT EXISTS (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = gone.canonical)
    GROUP BY gone.canonical ORDER BY gone.canonical ON CONFLICT (canonical) DO NOTHING
    """,
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT gone.canonical, gone.key, 'left', 'import', NULL,
        {{why}} || CASE WHEN gone.why = '' THEN '' ELSE '; ' || gone.why END, '', coalesce(gone.at, {{now}}), %(now)s
    FROM ({_LEAVING}) AS gone JOIN audience_subscriber AS known ON known.canonical = gone.canonical
    WHERE {_NOT_LEFT}
    """,
    f"""
    INSERT INTO audience_subscription (subscriber_id, list_id, state, changed)
    SELECT known.id, gone.list_id, 'left', coalesce(gone.at, {{now}})
    FROM ({_LEAVING}) AS gone JOIN audience_subscriber AS known ON known.canonical = gone.canonical
    WHERE {_NOT_LEFT}
    ON CONFLICT (list_id, subscriber_id) DO UPDATE SET state = 'left', changed = excluded.changed, paused_until = NULL
    """,
)
_STOP = (
    f"""
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT stop.canonical, '', 'suppressed', 'import', NULL,
        {{why}} || CASE WHEN stop.why = '' THEN '' ELSE '; ' || stop.why END, '', coalesce(stop.at, {{now}}), %(now)s
    FROM ({_STOPPING}) AS stop
    """,
    f"""
    INSERT INTO audience_suppression (canonical, scope, reason, at)
    SELECT stop.canonical, stop.scope, CASE stop.was {{reasons}} END, coalesce(stop.at, {{now}})
    FROM ({_STOPPING}) AS stop
    WHERE true ON CONFLICT (canonical) DO UPDATE SET scope = excluded.scope, reason = excluded.reason
    """,
)


class StagedPast:
    """The temporary tables of what people were elsewhere; beside the ones of `stage`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.last = 0  # row of the file
        stage._execute(_TABLE.format(moment="" if dialect.is_sqlite() else "timestamptz", **dialect.column_types()))

    def add(self, people: list[Remembered]) -> None:
        """Append rows as they are read, the subscribed ones too: since when they are."""
        connection = self.stage.connection
        adapted = connection.ops.adapt_datetimefield_value
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                rows = ((*one[:5], adapted(one[5]), one[6]) for one in people)
                dialect.load(cursor, "import_past", COLUMNS, rows)
            finally:
                cursor.execute("COMMIT")

    def settle(self, lists: int) -> int:
        """Decide what each address was. Takes those off the first bench who are also here as left or gone; returns how
        many. `lists`: how many lists the file names."""
        run, fetch = self.stage._execute, self.stage._fetch
        self.last = fetch("SELECT coalesce(max(row), 0) FROM import_past")[0][0]
        run(
            "CREATE TEMP TABLE import_choice AS SELECT canonical, max(was) AS was, min(at) AS at FROM import_past"
            f" WHERE was <= {int(Was.PENDING)} GROUP BY canonical"
        )
        run(f"DELETE FROM import_past WHERE was <= {int(Was.PENDING)}")
        run("CREATE UNIQUE INDEX import_choice_of ON import_choice (canonical)")
        run("CREATE INDEX import_past_row ON import_past (row)")
        before = fetch("SELECT count(*) FROM import_person")[0][0]
        for bit in (1 << place for place in range(lists)):
            run(
                "UPDATE import_person SET lists = lists - %s WHERE (lists & %s) <> 0 AND canonical IN"
                f" (SELECT canonical FROM import_past WHERE was = {int(Was.LEFT)} AND (lists & %s) <> 0)",
                [bit, bit, bit],
            )
        run(
            "DELETE FROM import_person WHERE (lists = 0 AND canonical IN (SELECT canonical FROM import_past"
            f" WHERE was = {int(Was.LEFT)})) OR canonical IN (SELECT canonical FROM import_past"
            f" WHERE was > {int(Was.LEFT)})"
        )
        if not dialect.is_sqlite():
            run("ANALYZE import_past, import_choice")
        return int(before - fetch("SELECT count(*) FROM import_person")[0][0])

    def counts(self) -> dict[Was, int]:
        """Rows by what they were, without the ones who are taken."""
        return {
            Was(was): count for was, count in self.stage._fetch("SELECT was, count(*) FROM import_past GROUP BY was")
        }

    def chosen(self) -> dict[Was, int]:
        """Those who are taken: subscribed and not confirmed, people."""
        asked = (
            "SELECT past.was, count(*) FROM import_choice AS past JOIN import_person AS wish"
            " ON wish.canonical = past.canonical GROUP BY past.was"
        )
        return {Was(was): count for was, count in self.stage._fetch(asked)}

    def undated(self) -> int:
        """Rows that say no moment."""
        return int(
            self.stage._fetch(
                "SELECT (SELECT count(*) FROM import_past WHERE at IS NULL) + (SELECT count(*) FROM import_choice"
                " WHERE at IS NULL)"
            )[0][0]
        )

    def changing(self) -> int:
        """How many choices and addresses stop here through it: what `record` would do now."""
        values = {"low": 0, "high": self.last}
        leaving = self.stage._fetch(
            f"SELECT count(*) FROM ({_LEAVING}) AS gone LEFT JOIN audience_subscriber AS known"
            f" ON known.canonical = gone.canonical WHERE {_NOT_LEFT} AND (known.id IS NOT NULL OR NOT EXISTS"
            " (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = gone.canonical))",
            values,
        )[0][0]
        return int(leaving + self.stage._fetch(f"SELECT count(*) FROM ({_STOPPING}) AS stop", values)[0][0])

    def record(self, low: int, high: int, now: datetime, why: str) -> int:
        """Write down who left and who is gone, of these rows of the file; inside the caller's transaction."""
        moment = self.stage.connection.ops.adapt_datetimefield_value(now)
        values = {"low": low, "high": high, "now": moment, "why": why}
        words = {"{now}": "%(now)s", "{why}": "%(why)s", "{reasons}": _reasons()}
        if not dialect.is_sqlite():  # a parameter has no type of its own there
            words |= {"{now}": "CAST(%(now)s AS timestamptz)", "{why}": "CAST(%(why)s AS text)"}
        done = 0
        for statements in (_LEAVE, _STOP):
            for statement in statements:
                with self.stage.connection.cursor() as cursor:
                    cursor.execute(_with(statement, words), values)
                    written = cursor.rowcount
            done += written  # of the last statement: the subscription, the suppression
        return done

    def batches(self, size: int) -> Iterable[tuple[int, int]]:
        """Rows of the file, from and to, for one transaction after the other."""
        return ((low, min(low + size, self.last)) for low in range(0, self.last, size))


def _reasons() -> str:
    return " ".join(f"WHEN {int(was)} THEN '{reason}'" for was, (_, reason) in _SUPPRESSION.items())


def with_past(statement: str, past: bool) -> str:
    """A statement of the first bench that knows, or does not know, since when and as what people joined there."""
    words = {"{state}": "'confirmed'", "{event}": "'joined'", "{at}": "%(now)s", "{past}": ""}
    if past:
        now = "%(now)s" if dialect.is_sqlite() else "CAST(%(now)s AS timestamptz)"
        pending = f"past.was = {int(Was.PENDING)}"
        words = {
            "{state}": f"CASE WHEN {pending} THEN 'pending' ELSE 'confirmed' END",
            "{event}": f"CASE WHEN {pending} THEN 'asked' ELSE 'joined' END",
            "{at}": f"coalesce(past.at, {now})",
            "{past}": "LEFT JOIN import_choice AS past ON past.canonical = wish.canonical",
        }
    return _with(statement, words)


def _with(statement: str, words: dict[str, str]) -> str:
    for word, sql in words.items():
        statement = statement.replace(word, sql)
    return statement
