"""Whom a sender takes next: who was given back, who still waits, who is due again; and how each is found."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from newsletter.audience import selecting
from newsletter.audience.models import MailingList
from newsletter.sending.models import OF_MAILING, Mailing
from newsletter.sending.store import Run, Store

Row = tuple[Any, ...]
Sql = Callable[[str], str]  # which columns → the SELECT of the rows to take

LEASE = 1800  # seconds; longer than any answer is waited for (600), and renewed while rows wait; others look at it
WIDEST = 65_536  # ids looked at by one statement
SWEEP = 1.0  # seconds between two walks over the whole mailing for people whom another sender gave back

COLUMNS = (
    "id",
    "attempt",
    "state",
    "tries",
    "canonical",
    "address",
    "name",
    "language",
    "values",
    "lists",
    "token",
)
# The column `values` is a word of SQL.
RETURNING = ", ".join(f'"{name}"' for name in COLUMNS)


class Taken(NamedTuple):
    """What one lease found, and where the next one goes on: kept by the taker once it is committed."""

    waiting: list[Row]
    due: list[Row]
    mark: int
    asked: frozenset[int]  # those given back that were looked at
    swept: float
    version: int  # Run.version of what was asked about people who left


class Taker:
    """Finds and takes rows of one mailing.

    Who waits has no index (see models.Delivery.Meta). Their ids are first_id to last_id, and `mark` is how far this
    sender has looked: everything up to it was taken by somebody. Whoever comes to wait again behind it is known when
    we did that (`back`); when another did, the tally tells that somebody waits, and one walk from first_id finds them.
    """

    def __init__(self, store: Store, mailing: Mailing, worker: str) -> None:
        self.store = store
        self.mailing = mailing.pk
        self.worker = worker
        self.first, self.last = mailing.first_id, mailing.last_id
        self.mark = self.first - 1
        self.back: set[int] = set()
        self.swept = float("-inf")
        # Who may no longer be mailed, asked twice: when a row is leased and when its body starts (law L4).
        lists = MailingList.objects.filter(key__in=mailing.lists).order_by("pk").values_list("pk", flat=True)
        self.gone = f"(d.subscriber_id IS NULL OR {selecting.gone_since('d', list(lists))})"
        self.why = (
            "CASE WHEN d.subscriber_id IS NULL THEN 'erased since approval' WHEN EXISTS"
            " (SELECT 1 FROM audience_suppression s WHERE s.canonical = d.canonical) THEN 'on the never-mail list'"
            f" WHEN {self.gone} THEN 'left since approval' ELSE '' END"
        )

    def from_the_start(self) -> None:
        """The next lease looks at everybody again."""
        self.mark = self.first - 1

    def take(self, run: Run, number: int, now: datetime | None) -> Taken:
        """Up to `number` rows, in the transaction of `run`. Nothing is remembered before it is committed: `keep`."""
        version = run.version()  # before anybody is asked for: who leaves from here on is somebody's writing
        back, waiting, mark, swept = sorted(self.back)[:number], [], self.mark, self.swept
        if back:
            waiting = self._named(run, back)
        mark = self._walk(run, mark, number, waiting)
        due = self._again(run, number - len(waiting), now) if len(waiting) < number else []
        found, looked = len(waiting) + len(due), time.monotonic()
        if found < number and (not found or looked - swept >= SWEEP) and self._waiting(run) > len(waiting):
            mark, swept = self._walk(run, self.first - 1, number - len(due), waiting), looked
        return Taken(waiting, due, mark, frozenset(back), swept, version)

    def keep(self, taken: Taken) -> None:
        """It is committed."""
        self.mark, self.swept = taken.mark, taken.swept
        self.back -= taken.asked

    def _walk(self, run: Run, mark: int, number: int, waiting: list[Row]) -> int:
        """Add whoever waits behind `mark`, until there are `number`; returns how far everybody was looked at.

        By windows of ids: PostgreSQL without statistics reads and sorts all that it may, 19,000 rows for 500."""
        window = number
        while (wanted := number - len(waiting)) > 0 and mark < self.last:
            until = min(mark + window, self.last)
            rows = self._lease(run, self.waiting, (mark, until, self.mailing, wanted), walked=True)
            waiting += rows
            mark = int(rows[-1][0]) if len(rows) == wanted else until
            window = min(2 * window, WIDEST)
        return mark

    def waiting(self, what: str = "id") -> str:
        """SQL: by the primary key. `+ 0`, else both databases may take (mailing, canonical): a jump a row."""
        return (
            f"SELECT {what} FROM sending_delivery AS d WHERE id > %s AND id <= %s"
            f" AND mailing_id + 0 = %s AND state = 'pending' ORDER BY id LIMIT %s{self._skipping}"
        )

    def due(self, now: datetime | None, what: str = "id") -> str:
        """SQL: those to be tried again, the longest due first."""
        moment = "%s" if now else self.store.clock()
        return (
            f"SELECT {what} FROM sending_delivery AS d {self.by_due}"
            f" WHERE mailing_id = %s AND due <= {moment} ORDER BY due LIMIT %s{self._skipping}"
        )

    @property
    def by_due(self) -> str:
        return "INDEXED BY delivery_due" if self.store.is_sqlite else ""

    @property
    def _skipping(self) -> str:
        """Rows that another worker is taking at this moment are passed over, not waited for."""
        return "" if self.store.is_sqlite else " FOR UPDATE SKIP LOCKED"

    def _named(self, run: Run, ids: Sequence[int]) -> list[Row]:
        """Those of these who still wait: another sender may have found them first."""
        chosen, held = self.store.among("d.id", ids)

        def sql(what: str) -> str:
            return (
                f"SELECT {what} FROM sending_delivery AS d WHERE {chosen} AND mailing_id + 0 = %s AND state = 'pending'"
                f" ORDER BY id{self._skipping}"
            )

        return self._lease(run, sql, (held, self.mailing))

    def _again(self, run: Run, number: int, now: datetime | None) -> list[Row]:
        moment: tuple[Any, ...] = (now,) if now else ()

        def sql(what: str) -> str:
            return self.due(now, what)

        return self._lease(run, sql, (self.mailing, *moment, number))

    def _waiting(self, run: Run) -> int:
        """How many waited before this lease, by the tally, in which what it took is not yet written."""
        rows = run("SELECT SUM(people) FROM sending_tally WHERE mailing_id = %s AND state = 'pending'", [self.mailing])
        return int(rows.fetchone()[0] or 0)

    def _lease(self, run: Run, sql: Sql, params: Sequence[Any], *, walked: bool = False) -> list[Row]:
        if self.store.is_sqlite:
            return self._lease_sqlite(run, sql, params, walked)
        rows: list[Row] = run.prepared(
            f"UPDATE sending_delivery AS d SET state = CASE WHEN {self.gone} THEN 'suppressed' ELSE 'leased' END,"
            f" reason = '', due = NULL, attempt = attempt + 1, worker = %s,"
            f" leased_until = {self.store.clock(LEASE)}, changed = {self.store.clock()}"
            # An array, because with IN it joined the whole table, not knowing how few it gets.
            f" WHERE id = ANY(ARRAY({sql('id')})) RETURNING {RETURNING}",
            [self.worker, *params],
        ).fetchall()
        rows.sort(key=lambda row: int(row[0]))
        self._suppress(run, rows)
        return rows

    def _lease_sqlite(self, run: Run, sql: Sql, params: Sequence[Any], walked: bool) -> list[Row]:
        """The same where there is one writer at a time: nothing comes between reading the rows and taking them."""
        state = f"CASE WHEN {self.gone} THEN 'suppressed' ELSE 'leased' END"
        rows = run.all(
            sql(RETURNING.replace('"attempt", "state"', f"attempt + 1, {state}")), self.store.adapted(params)
        )
        if not rows:
            return rows
        now, until = run.moments(0, LEASE)
        new = "state = 'leased', reason = '', attempt = attempt + 1, worker = %s, leased_until = %s, changed = %s"
        if walked:  # all who wait between the first and the last of them: half of what row by row costs
            run.all(
                f"UPDATE sending_delivery SET {new} WHERE {OF_MAILING} AND state = 'pending'",
                (self.worker, until, now, rows[0][0], rows[-1][0], self.mailing),
            )
        else:
            run.each(
                f"UPDATE sending_delivery SET {new}, due = NULL WHERE id = %s",
                [(self.worker, until, now, row[0]) for row in rows],
            )
            rows.sort(key=lambda row: int(row[0]))
        self._suppress(run, rows)
        return rows

    def _suppress(self, run: Run, rows: Sequence[Row]) -> None:
        """Those who have left: in words, for the few; asking why for everybody was a third of a lease."""
        gone = [row[0] for row in rows if row[2] == "suppressed"]
        if gone:
            among, held = self.store.among("d.id", gone)
            run.prepared(
                "UPDATE sending_delivery AS d SET state = 'suppressed', leased_until = NULL,"
                f" reason = {self.why} WHERE {among}",
                [held],
            )
