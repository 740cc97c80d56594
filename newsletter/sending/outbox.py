"""The outbox: takes people from the ledger to be sent to, and writes down what became of each of them."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.utils import timezone

from newsletter.audience import selecting
from newsletter.audience.models import MailingList
from newsletter.sending import relay_days, tally
from newsletter.sending.models import STATES, Delivery, Mailing
from newsletter.sending.store import Run, Store, loaded

Row = tuple[Any, ...]

LEASE = 1800  # seconds; longer than any answer is waited for (600), and renewed while rows wait; others look at it

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


# The types of what `settle` writes, in order, for the database that wants to know them.
_RESULT = (
    *("bigint", "integer", "text", "text", "text", "smallint", "text", "text", "timestamptz"),
    *("integer", "text", "text", "text"),
)


class Leased(NamedTuple):
    """One person's row while it is ours: everything needed to build the message and to write the result."""

    id: int
    attempt: int
    tries: int
    canonical: str
    address: str
    name: str
    language: str
    values: dict[str, Any]
    lists: tuple[str, ...]
    token: bytes
    unsubscribe_token: bytes = b""
    again: bool = False  # was to be tried again, not waiting for its first attempt


class Result(NamedTuple):
    """What became of one attempt, ready to be written down. `tried` counts towards the retry schedule."""

    row: Leased
    state: str
    begun: bool  # its body had started
    reason: str = ""
    code: int | None = None
    text: str = ""
    remote_id: str = ""
    due: datetime | None = None
    tried: bool = False
    provider: str = ""
    relay: str = ""


class Outbox:
    """The rows of one mailing. Every write says WHERE attempt = mine: a sender that lost its rows changes nothing,
    and every write moves the tally in the same transaction."""

    def __init__(self, store: Store, mailing: Mailing, worker: str = "", *, survives: str = "power") -> None:
        self.store = store
        self.mailing = mailing.pk
        self.worker = worker[:40]
        self.started = mailing.started_at
        self.suppressed_again = 0  # of those the last lease suppressed: who was to be tried again, not waiting
        self.on_the_disk = survives == "power"
        # Who may no longer be mailed, asked twice: when a row is leased and when its body starts (law L4).
        lists = MailingList.objects.filter(key__in=mailing.audience).order_by("pk").values_list("pk", flat=True)
        self.gone = f"(d.subscriber_id IS NULL OR {selecting.gone_since('d', list(lists))})"
        self.why = (
            "CASE WHEN d.subscriber_id IS NULL THEN 'erased since approval' WHEN EXISTS"
            " (SELECT 1 FROM audience_suppression s WHERE s.canonical = d.canonical) THEN 'on the never-mail list'"
            f" WHEN {self.gone} THEN 'left since approval' ELSE '' END"
        )

    # --- taking ------------------------------------------------------------------------------------------------

    def lease(self, number: int, now: datetime | None = None) -> tuple[list[Leased], int]:
        """Take up to `number` people who are due: those still waiting, then those to try again.

        People who left, were suppressed or were erased since approval become `suppressed` in the same statement.
        Returns the rows and how many were suppressed.
        """

        take = self._lease_sqlite if self.store.is_sqlite else self._lease

        def work(run: Run) -> tuple[list[Row], list[Row]]:
            waiting = take(run, self._pending, (self.mailing, number), Delivery.State.PENDING)
            if len(waiting) >= number:
                return waiting, []
            moment: tuple[Any, ...] = (now,) if now else ()
            chosen = partial(self._deferred, now)
            due = take(run, chosen, (self.mailing, *moment, number - len(waiting)), Delivery.State.DEFERRED)
            return waiting, due

        waiting, due = self.store.together(work)
        self.suppressed_again = sum(row[2] == Delivery.State.SUPPRESSED for row in due)
        leased = [(row, False) for row in waiting if row[2] == Delivery.State.LEASED]
        leased += [(row, True) for row in due if row[2] == Delivery.State.LEASED]
        return [_leased(row, again) for row, again in leased], len(waiting) + len(due) - len(leased)

    def _pending(self, what: str = "id") -> str:
        # INDEXED BY: see models.Delivery.Meta; tests/sending/test_outbox.py holds the query plan.
        return (
            f"SELECT {what} FROM sending_delivery AS d {self._by('delivery_pending')}"
            f" WHERE mailing_id = %s AND state = 'pending' ORDER BY id + 0 LIMIT %s{self._skipping}"
        )

    def _deferred(self, now: datetime | None, what: str = "id") -> str:
        moment = "%s" if now else self.store.clock()
        return (
            f"SELECT {what} FROM sending_delivery AS d {self._by('delivery_deferred')}"
            f" WHERE mailing_id = %s AND state = 'deferred' AND due <= {moment} ORDER BY due LIMIT %s{self._skipping}"
        )

    def _by(self, index: str) -> str:
        return f"INDEXED BY {index}" if self.store.is_sqlite else ""

    @property
    def _skipping(self) -> str:
        """Rows that another worker is taking at this moment are passed over, not waited for."""
        return "" if self.store.is_sqlite else " FOR UPDATE SKIP LOCKED"

    def _lease(self, run: Run, chosen: Callable[[], str], params: Sequence[Any], before: str) -> list[Row]:
        rows: list[Row] = run.prepared(
            f"UPDATE sending_delivery AS d SET state = CASE WHEN {self.gone} THEN 'suppressed' ELSE 'leased' END,"
            f" reason = '', attempt = attempt + 1, worker = %s, leased_until = {self.store.clock(LEASE)},"
            f" changed = {self.store.clock()} WHERE id IN ({chosen()}) RETURNING {RETURNING}",
            [self.worker, *params],
        ).fetchall()
        gone = [row[0] for row in rows if row[2] == Delivery.State.SUPPRESSED]
        if gone:  # in words, for the few: asking why for everybody was a third of a lease
            marks = ", ".join(["%s"] * len(gone))
            run(
                f"UPDATE sending_delivery AS d SET leased_until = NULL, reason = {self.why} WHERE id IN ({marks})",
                gone,
            )
        return self._taken(run, rows, before)

    def _lease_sqlite(self, run: Run, chosen: Callable[..., str], params: Sequence[Any], before: str) -> list[Row]:
        """The same where there is one writer at a time: nothing comes between reading the rows and taking them, and
        a row taken by its id costs a third of one in UPDATE … IN … RETURNING."""
        state = f"CASE WHEN {self.gone} THEN 'suppressed' ELSE 'leased' END"
        columns = RETURNING.replace('"attempt", "state"', f"attempt + 1, {state}")
        rows = run.all(chosen(what=columns), self.store.adapted(params))
        now, until = run.moments(0, LEASE)
        run.each(
            "UPDATE sending_delivery SET state = 'leased', reason = '', attempt = attempt + 1, worker = %s,"
            " leased_until = %s, changed = %s WHERE id = %s",
            [(self.worker, until, now, row[0]) for row in rows],
        )
        if gone := [row[0] for row in rows if row[2] == "suppressed"]:
            marks = ", ".join(["%s"] * len(gone))
            run(
                "UPDATE sending_delivery AS d SET state = 'suppressed', leased_until = NULL,"
                f" reason = {self.why} WHERE id IN ({marks})",
                gone,
            )
        return self._taken(run, rows, before)

    def _taken(self, run: Run, rows: list[Row], before: str) -> list[Row]:
        leased = sum(row[2] == "leased" for row in rows)
        self._moved(run, {before: -len(rows), Delivery.State.LEASED: leased, "suppressed": len(rows) - leased})
        return sorted(rows, key=lambda row: int(row[0]))

    def renew(self) -> None:
        """Hold what is ours for longer: a slowed provider keeps rows waiting."""
        self.store.change(
            f"UPDATE sending_delivery SET leased_until = {self.store.clock(LEASE)}"
            " WHERE mailing_id = %s AND worker = %s AND state IN ('leased', 'inflight')",
            [self.mailing, self.worker],
        )

    # --- writing down ------------------------------------------------------------------------------------------

    def write(
        self, starts: Sequence[Leased], results: Sequence[Result], days: Mapping[str, Mapping[str, int]] | None = None
    ) -> tuple[set[int], set[int]]:
        """One transaction: results of mails that were answered, then the starts of bodies that may leave when this
        has returned. Returns the ids that may start, and those whose result was kept (the others are fenced: they
        belong to somebody else by now). `days`: relay → provider → mails to count for its daily limit.

        A body must not start when its person left since the lease, when the mailing is no longer sending, or when
        the row is no longer ours. One commit for all connections that were answered at the same moment.
        """

        def work(run: Run) -> tuple[set[int], set[int]]:
            moves: Counter[str] = Counter()
            kept = self._settle(run, results, moves) if results else set()
            begun = self._begin(run, starts, moves) if starts else set()
            self._moved(run, moves)
            for relay, people in (days or {}).items():
                relay_days.add(SimpleNamespace(execute=run), relay, people, relay_days.today())
            return begun, kept

        # On the disk: after a power cut everything since the last sync is forgotten, and whoever is called pending
        # though their body had left would be mailed twice in silence. Results alone are safe to forget: their
        # person is found in flight, which is uncertain, and never mailed again by itself.
        return self.store.together(work, on_the_disk=bool(starts) and self.on_the_disk)

    def _begin(self, run: Run, starts: Sequence[Leased], moves: Counter[str]) -> set[int]:
        begun = self._begin_sqlite(run, starts) if self.store.is_sqlite else self._begin_postgresql(run, starts)
        moves["leased"] -= len(begun)
        moves["inflight"] += len(begun)
        return begun

    def _begin_sqlite(self, run: Run, starts: Sequence[Leased]) -> set[int]:
        if not run.all("SELECT 1 FROM sending_mailing WHERE id = %s AND state = 'sending'", [self.mailing]):
            return set()
        [now] = run.moments(0)
        done = run.each(
            "UPDATE sending_delivery AS d SET state = 'inflight', changed = %s"
            f" WHERE d.id = %s AND d.attempt = %s AND d.state = 'leased' AND NOT {self.gone}",
            [(now, row.id, row.attempt) for row in starts],
        )
        return {row.id for row, begun in zip(starts, done, strict=True) if begun}

    def _begin_postgresql(self, run: Run, starts: Sequence[Leased]) -> set[int]:
        mine, params = self._mine(starts)
        rows = run.prepared(
            f"UPDATE sending_delivery AS d SET state = 'inflight', changed = {self.store.clock()}"
            f" FROM {mine} WHERE d.id = mine.column1 AND d.attempt = mine.column2"
            # Not `state = 'leased'`: PostgreSQL then takes the index of all taken rows, dead ones too, not the key.
            f" AND d.state || '' = 'leased' AND NOT {self.gone}"
            " AND EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = %s AND m.state = 'sending')"
            " RETURNING id",
            [*params, self.mailing],
        ).fetchall()
        return {int(row[0]) for row in rows}

    def _settle(self, run: Run, results: Sequence[Result], moves: Counter[str]) -> set[int]:
        keep = self._settle_sqlite if self.store.is_sqlite else self._settle_postgresql
        kept = keep(run, results)
        for one in results:
            if one.row.id in kept:
                moves["inflight" if one.begun else "leased"] -= 1
                moves[one.state] += 1
        return kept

    def _settle_sqlite(self, run: Run, results: Sequence[Result]) -> set[int]:
        [now] = run.moments(0)
        done = run.each(
            "UPDATE sending_delivery SET state = %s, reason = %s, reply_code = %s, reply_text = %s, remote_id = %s,"
            " due = %s, tries = tries + %s, relay = %s, provider = %s, proof = %s, leased_until = NULL, changed = %s"
            " WHERE id = %s AND attempt = %s AND state = %s",
            [(*_said(one, self.store.time(one.due) if one.due else None), now, *_known(one)) for one in results],
        )
        return {one.row.id for one, kept in zip(results, done, strict=True) if kept}

    def _settle_postgresql(self, run: Run, results: Sequence[Result]) -> set[int]:
        table, params = self.store.table("r", _RESULT, [(*_known(one), *_said(one, one.due)) for one in results])
        rows = run.prepared(
            "UPDATE sending_delivery AS d SET state = r.column4, reason = r.column5, reply_code = r.column6,"
            " reply_text = r.column7, remote_id = r.column8, due = r.column9, tries = d.tries + r.column10,"
            " relay = r.column11, provider = r.column12, proof = r.column13, leased_until = NULL,"
            f" changed = {self.store.clock()} FROM {table}"
            " WHERE d.id = r.column1 AND d.attempt = r.column2 AND d.state = r.column3 RETURNING id",
            params,
        ).fetchall()
        return {int(row[0]) for row in rows}

    def _mine(self, rows: Sequence[Leased]) -> tuple[str, list[Any]]:
        return self.store.table("mine", ("bigint", "integer"), [(row.id, row.attempt) for row in rows])

    def give_back(self, rows: Sequence[Leased]) -> set[int]:
        """Rows that were leased and never begun wait again; who has left meanwhile is suppressed. Nobody is forgotten
        by a stop. Returns the ids of the suppressed."""
        if not rows:
            return set()
        mine, params = self._mine(rows)

        def work(run: Run) -> set[int]:
            done = run(
                f"UPDATE sending_delivery AS d SET state = CASE WHEN {self.gone} THEN 'suppressed' ELSE 'pending' END,"
                f" reason = {self.why}, leased_until = NULL, changed = {self.store.clock()}"
                f" FROM {mine} WHERE d.id = mine.column1 AND d.attempt = mine.column2 AND d.state = 'leased'"
                " RETURNING id, state",
                params,
            ).fetchall()
            gone = {int(id_) for id_, state in done if state == Delivery.State.SUPPRESSED}
            self._moved(run, {"leased": -len(done), "suppressed": len(gone), "pending": len(done) - len(gone)})
            return gone

        return self.store.together(work)

    def recover(self, *, expired: bool = False) -> tuple[int, int]:
        """After a sender died: what it had only leased waits again, what it had begun is uncertain.

        All rows: only for the holder of the sending lock (lock.py), for nobody else can be sending then. `expired`:
        those of other workers whose lease has run out by the database's clock. Raising `attempt` fences a sender that
        was merely frozen. Returns (waiting again, uncertain).
        """
        whose = f" AND worker <> %s AND leased_until < {self.store.clock()}" if expired else ""
        more = [self.worker] if expired else []

        def work(run: Run) -> tuple[int, int]:
            # `changed` stays: it is when a body began, and tells `newsletter settle` where in the log to look.
            head = "UPDATE sending_delivery SET attempt = attempt + 1, leased_until = NULL"
            where = "WHERE mailing_id = %s AND state ="
            again = run(f"{head}, state = 'pending' {where} 'leased'{whose}", [self.mailing, *more]).rowcount
            uncertain = run(
                f"{head}, state = 'uncertain', reason ="
                " 'sending broke off while this message was being handed over; it may have arrived'"
                f" {where} 'inflight'{whose}",
                [self.mailing, *more],
            ).rowcount
            self._moved(run, {"leased": -again, "pending": again, "inflight": -uncertain, "uncertain": uncertain})
            return int(again), int(uncertain)

        return self.store.together(work)

    def _moved(self, run: Run, differences: Mapping[str, int]) -> None:
        rows = tally.rows_of(self.mailing, self.worker, differences)
        if self.store.is_sqlite:
            run.each(tally.MOVE, rows)
        elif rows:
            table, params = self.store.table("moved", ("bigint", "text", "text", "bigint"), rows)
            run.prepared(tally.MOVE.replace("VALUES (%s, %s, %s, %s)", f"SELECT * FROM {table}"), params)

    # --- looking -----------------------------------------------------------------------------------------------

    def mailing_state(self) -> str:
        """The mailing's state as the database has it now: pause and stop come from other processes."""
        rows = self.store.rows("SELECT state FROM sending_mailing WHERE id = %s", [self.mailing])
        return str(rows[0][0]) if rows else Mailing.State.STOPPED

    def pause(self, why: str) -> None:
        """Pause the mailing because the sender itself is refused; `why` in words."""
        self.store.change(
            "UPDATE sending_mailing SET state = 'paused', paused_why = %s WHERE id = %s AND state = 'sending'",
            [why, self.mailing],
        )

    def next_due(self) -> datetime | None:
        """When the next person to try again is due; None when nobody is."""
        rows = self.store.rows(
            f"SELECT due FROM sending_delivery {self._by('delivery_deferred')}"
            " WHERE mailing_id = %s AND state = 'deferred' ORDER BY due LIMIT 1",
            [self.mailing],
        )
        if not rows:
            return None
        due = rows[0][0]
        moment = datetime.fromisoformat(due) if isinstance(due, str) else due
        return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)

    def counts(self) -> dict[str, int]:
        """How many people are in each state; every state is named, so the sum is law L1's."""
        found = dict.fromkeys(STATES, 0)
        for state, people in self.store.rows(
            "SELECT state, SUM(people) FROM sending_tally WHERE mailing_id = %s GROUP BY state", [self.mailing]
        ):
            found[state] += int(people)
        return found


def _known(one: Result) -> tuple[int, int, str]:
    """What the row must be for this result to be written."""
    return one.row.id, one.row.attempt, "inflight" if one.begun else "leased"


def _said(one: Result, due: Any) -> tuple[Any, ...]:
    """What is written, in the order of `settle`'s columns."""
    state = str(one.state)
    return (
        state,
        one.reason[:300],
        one.code or None,
        one.text[:2000],
        one.remote_id[:200],
        due,
        int(one.tried),
        one.relay[:40],
        one.provider[:60],
        "answer" if state == "accepted" else "",
    )


def _leased(row: Row, again: bool) -> Leased:
    """A row of RETURNING. Its token is that of the unsubscribe link too: see finding.unsubscribe_key."""
    id_, attempt, _, tries, canonical, address, name, language, values, lists, token = row
    held = {} if values == "{}" else loaded(values)
    token = bytes(token)
    return Leased(id_, attempt, tries, canonical, address, name, language, held, _lists(lists), token, token, again)


@lru_cache(maxsize=1024)
def _lists(held: str) -> tuple[str, ...]:
    """The JSON array of a row, read once for all who are on the same lists."""
    return tuple(loaded(held))


def lists_key(lists: Sequence[str]) -> str:
    """The set of lists as text, for the unique key of UnsubscribeKey: sorted and joined by a space."""
    return " ".join(sorted(lists))
