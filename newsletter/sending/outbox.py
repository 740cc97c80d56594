"""The outbox: takes people from the ledger to be sent to, and writes down what became of each of them."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from django.utils import timezone

from newsletter.audience import selecting
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


@dataclass(frozen=True)
class Leased:
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


@dataclass(frozen=True)
class Result:
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
        self.on_the_disk = survives == "power"
        # Who may no longer be mailed, asked twice: when a row is leased and when its body starts (law L4).
        self.gone = f"(d.subscriber_id IS NULL OR {selecting.gone_since('d')})"
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

        def work(run: Run) -> tuple[list[Row], list[Row]]:
            waiting = self._lease(run, self._pending(), (self.mailing, number), Delivery.State.PENDING)
            if len(waiting) >= number:
                return waiting, []
            moment: tuple[Any, ...] = (now,) if now else ()
            due = self._lease(
                run, self._deferred(now), (self.mailing, *moment, number - len(waiting)), Delivery.State.DEFERRED
            )
            return waiting, due

        waiting, due = self.store.together(work)
        leased = [(row, False) for row in waiting if row[2] == Delivery.State.LEASED]
        leased += [(row, True) for row in due if row[2] == Delivery.State.LEASED]
        return self._with_keys(leased), len(waiting) + len(due) - len(leased)

    def _pending(self) -> str:
        # INDEXED BY: see models.Delivery.Meta; tests/sending/test_outbox.py holds the query plan.
        return (
            f"SELECT id FROM sending_delivery {self._by('delivery_pending')}"
            f" WHERE mailing_id = %s AND state = 'pending' ORDER BY id LIMIT %s{self._skipping}"
        )

    def _deferred(self, now: datetime | None) -> str:
        moment = "%s" if now else self.store.clock()
        return (
            f"SELECT id FROM sending_delivery {self._by('delivery_deferred')}"
            f" WHERE mailing_id = %s AND state = 'deferred' AND due <= {moment} ORDER BY due LIMIT %s{self._skipping}"
        )

    def _by(self, index: str) -> str:
        return f"INDEXED BY {index}" if self.store.is_sqlite else ""

    @property
    def _skipping(self) -> str:
        """Rows that another worker is taking at this moment are passed over, not waited for."""
        return "" if self.store.is_sqlite else " FOR UPDATE SKIP LOCKED"

    def _lease(self, run: Run, chosen: str, params: Sequence[Any], before: str) -> list[Row]:
        rows: list[Row] = run(
            f"UPDATE sending_delivery AS d SET state = CASE WHEN {self.gone} THEN 'suppressed' ELSE 'leased' END,"
            f" reason = '', attempt = attempt + 1, worker = %s, leased_until = {self.store.clock(LEASE)},"
            f" changed = {self.store.clock()} WHERE id IN ({chosen}) RETURNING {RETURNING}",
            [self.worker, *params],
        ).fetchall()
        gone = [row[0] for row in rows if row[2] == Delivery.State.SUPPRESSED]
        if gone:  # in words, for the few: asking why for everybody was a third of a lease
            marks = ", ".join(["%s"] * len(gone))
            run(
                f"UPDATE sending_delivery AS d SET leased_until = NULL, reason = {self.why} WHERE id IN ({marks})",
                gone,
            )
        leased = sum(row[2] == Delivery.State.LEASED for row in rows)
        self._moved(run, {before: -len(rows), Delivery.State.LEASED: leased, "suppressed": len(rows) - leased})
        return sorted(rows, key=lambda row: int(row[0]))

    def _with_keys(self, rows: list[tuple[Row, bool]]) -> list[Leased]:
        """The rows as values, each with the stored id of its unsubscribe token (made at approval)."""
        made = []
        keys: dict[tuple[str, str], bytes] = {}
        if rows:
            marks = ", ".join(["%s"] * len(rows))
            found = self.store.rows(
                f"SELECT canonical, lists_key, token FROM sending_unsubscribekey WHERE canonical IN ({marks})",
                [row[4] for row, _ in rows],
            )
            keys = {(canonical, lists_key): bytes(token) for canonical, lists_key, token in found}
        for (id_, attempt, _, tries, canonical, address, name, language, values, lists, token), again in rows:
            chosen = _lists(lists)
            made.append(
                Leased(
                    id=id_,
                    attempt=attempt,
                    tries=tries,
                    canonical=canonical,
                    address=address,
                    name=name,
                    language=language,
                    values={} if values == "{}" else loaded(values),
                    lists=chosen,
                    token=bytes(token),
                    unsubscribe_token=keys.get((canonical, lists_key(chosen)), b""),
                    again=again,
                )
            )
        return made

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
        mine, params = self._mine(starts)
        rows = run(
            f"UPDATE sending_delivery AS d SET state = 'inflight', changed = {self.store.clock()}"
            f" FROM {mine} WHERE d.id = mine.column1 AND d.attempt = mine.column2 AND d.state = 'leased'"
            f" AND NOT {self.gone}"
            " AND EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = d.mailing_id AND m.state = 'sending')"
            " RETURNING id",
            params,
        ).fetchall()
        moves["leased"] -= len(rows)
        moves["inflight"] += len(rows)
        return {int(row[0]) for row in rows}

    def _settle(self, run: Run, results: Sequence[Result], moves: Counter[str]) -> set[int]:
        values = []
        for one in results:
            proof = "answer" if one.state == Delivery.State.ACCEPTED else ""
            known = (one.row.id, one.row.attempt, "inflight" if one.begun else "leased", str(one.state))
            said = (one.reason[:300], one.code or None, one.text[:2000], one.remote_id[:200], one.due)
            values.append((*known, *said, int(one.tried), one.relay[:40], one.provider[:60], proof))
        table, params = self.store.table("r", _RESULT, values)
        rows = run(
            "UPDATE sending_delivery AS d SET state = r.column4, reason = r.column5, reply_code = r.column6,"
            " reply_text = r.column7, remote_id = r.column8, due = r.column9, tries = d.tries + r.column10,"
            " relay = r.column11, provider = r.column12, proof = r.column13, leased_until = NULL,"
            f" changed = {self.store.clock()} FROM {table}"
            " WHERE d.id = r.column1 AND d.attempt = r.column2 AND d.state = r.column3 RETURNING id",
            params,
        ).fetchall()
        kept = {int(row[0]) for row in rows}
        for one in results:
            if one.row.id in kept:
                moves["inflight" if one.begun else "leased"] -= 1
                moves[one.state] += 1
        return kept

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
        tally.moved_by(run, self.mailing, self.worker, differences)

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


@lru_cache(maxsize=1024)
def _lists(held: str) -> tuple[str, ...]:
    """The JSON array of a row, read once for all who are on the same lists."""
    return tuple(loaded(held))


def lists_key(lists: Sequence[str]) -> str:
    """The set of lists as text, for the unique key of UnsubscribeKey: sorted and joined by a space."""
    return " ".join(sorted(lists))
