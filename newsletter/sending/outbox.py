"""The outbox: takes people from the ledger to be sent to, and writes down what became of each of them."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.utils import timezone

from newsletter.sending import relay_days, tally
from newsletter.sending.at_once import AtOnce
from newsletter.sending.models import OF_MAILING, STATES, Delivery, Mailing
from newsletter.sending.row_by_row import RowByRow
from newsletter.sending.store import Run, Store, loaded
from newsletter.sending.taking import LEASE, Row, Taken, Taker

UNSYNCED = 5000  # answers of a second at the fastest; PostgreSQL has them on its disk within 0.6 s (wal_writer_delay)
SHORT = 60  # letters of values up to which they are remembered: 4,096 of them are half a MiB


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

    def told(self, moment: Any) -> tuple[Any, ...]:
        """What is written (RowByRow._settle has the columns), and what the row must be: id, attempt, state."""
        row, state, begun, reason, code, text, _, _, tried, provider, relay = self
        state = str(state)
        proof = "answer" if state == "accepted" else ""
        said = (state, reason[:300], code or None, text[:2000], 1 if tried else 0, relay[:40], provider[:60], proof)
        return *said, moment, row[0], row[1], "inflight" if begun else "leased"


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
        self.taker = Taker(store, mailing, self.worker)
        self.gone, self.why = self.taker.gone, self.taker.why
        self.writing = (RowByRow if store.is_sqlite else AtOnce)(store, self.mailing, self.worker, self.gone)
        # What is leased to us or in flight → Run.version when it was asked whether its person has left.
        self.held: dict[int, int] = {}
        # PostgreSQL: what was written and is perhaps not on its disk yet, and how often it had fallen over then.
        self.unsynced: deque[Result] = deque(maxlen=UNSYNCED)
        self.fell_over = store.lost

    # --- taking ------------------------------------------------------------------------------------------------

    def lease(self, number: int, now: datetime | None = None) -> tuple[list[Leased], int]:
        """Take up to `number` people who are due: those still waiting, then those to try again.

        People who left, were suppressed or were erased since approval become `suppressed` in the same statement.
        Returns the rows and how many were suppressed.
        """

        def work(run: Run) -> Taken:
            taken = self.taker.take(run, number, now)
            suppressed = Counter(row[2] for row in (*taken.waiting, *taken.due))[Delivery.State.SUPPRESSED.value]
            found = len(taken.waiting) + len(taken.due)
            differences = {"pending": -len(taken.waiting), "deferred": -len(taken.due)}
            self._moved(run, {**differences, "leased": found - suppressed, "suppressed": suppressed})
            return taken

        # Repeated, others are taken; whom the first time took after all, `recover` finds when the sending is over.
        taken = self.store.together(work, repeatable=True)
        self.store.own += bool(taken.waiting or taken.due)
        self.taker.keep(taken)
        leased = [_leased(row, False) for row in taken.waiting if row[2] == "leased"]
        again = [_leased(row, True) for row in taken.due if row[2] == "leased"]
        self.suppressed_again = len(taken.due) - len(again)
        rows = leased + again
        self.held.update(dict.fromkeys([row.id for row in rows], taken.version))
        return rows, len(taken.waiting) + len(taken.due) - len(rows)

    def renew(self) -> None:
        """Hold what is ours for longer: a slowed provider keeps rows waiting."""
        among, held = self.store.among("id", sorted(self.held))
        self.store.together(
            lambda run: run.prepared(
                f"UPDATE sending_delivery SET leased_until = {self.store.clock(LEASE)}"
                f" WHERE {among} AND worker = %s AND state IN ('leased', 'inflight')",
                [held, self.worker],
            ),
            repeatable=True,
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

        put = self.writing.put

        def work(run: Run) -> tuple[set[int], set[int]]:
            begun, kept = put(run, starts, results, self.held) if starts or results else (set(), set())
            for relay, people in (days or {}).items():  # twice is a limit reached a little early
                relay_days.add(SimpleNamespace(execute=run), relay, people, relay_days.today())
            return (begun | self._begun(run, starts), kept | self._kept(run, results)) if run.doubted else (begun, kept)

        # On the disk: after a power cut everything since the last sync is forgotten, and whoever is called pending
        # though their body had left would be mailed twice in silence. Results alone are safe to forget: their
        # person is found in flight, which is uncertain, and never mailed again by itself.
        on_the_disk = bool(starts) and self.on_the_disk
        begun, kept = self.store.together(work, on_the_disk=on_the_disk, alone=not days, repeatable=True)
        self.store.own += bool(begun or kept)
        self._written_again()
        if on_the_disk:
            self.unsynced.clear()
        elif self.on_the_disk and not self.store.is_sqlite:
            self.unsynced += results
        for one in results:
            self.held.pop(one.row.id, None)
            if one.state == "pending" and one.row.id in kept:
                self.taker.back.add(one.row.id)
        return begun, kept

    def _written_again(self) -> None:
        """After PostgreSQL fell over: the answers that it may have forgotten. What it has not forgotten is no longer
        as the answer found it, and stays as it is."""
        if self.fell_over == self.store.lost:
            return
        self.fell_over, forgotten = self.store.lost, list(self.unsynced)
        if forgotten:
            self.store.together(
                lambda run: self.writing.put(run, [], forgotten, {}), on_the_disk=True, alone=True, repeatable=True
            )

    def _begun(self, run: Run, starts: Sequence[Leased]) -> set[int]:
        """Those of these that a commit without an answer has put in flight: the attempt is ours alone, and no body has
        left, for `write` has not returned."""
        return {row.id for row in starts if (row.attempt, "inflight") == self._as_kept(run, row)}

    def _kept(self, run: Run, results: Sequence[Result]) -> set[int]:
        """Those of these that it has written down."""
        return {one.row.id for one in results if (one.row.attempt, str(one.state)) == self._as_kept(run, one.row)}

    def _as_kept(self, run: Run, row: Leased) -> tuple[int, str]:
        [(attempt, state)] = run("SELECT attempt, state FROM sending_delivery WHERE id = %s", [row.id]).fetchall()
        return int(attempt), str(state)

    def _mine(self, rows: Sequence[Leased]) -> tuple[str, list[Any]]:
        return self.store.table("mine", ("bigint", "integer"), [(row.id, row.attempt) for row in rows])

    def give_back(self, rows: Sequence[Leased]) -> set[int]:
        """Rows that were leased and never begun wait again; who has left meanwhile is suppressed. Nobody is forgotten
        by a stop. Returns the ids of the suppressed."""
        if not rows:
            return set()
        mine, params = self._mine(rows)

        def work(run: Run) -> list[tuple[int, str]]:
            done = run(
                f"UPDATE sending_delivery AS d SET state = CASE WHEN {self.gone} THEN 'suppressed' ELSE 'pending' END,"
                f" reason = {self.why}, leased_until = NULL, changed = {self.store.clock()}"
                f" FROM {mine} WHERE d.id = mine.column1 AND d.attempt = mine.column2 AND d.state = 'leased'"
                " RETURNING id, state",
                params,
            ).fetchall()
            gone = sum(state == "suppressed" for _, state in done)
            self._moved(run, {"leased": -len(done), "suppressed": gone, "pending": len(done) - gone})
            return [(int(id_), str(state)) for id_, state in done]

        done = self.store.together(work, repeatable=True)
        for row in rows:
            self.held.pop(row.id, None)
        self.taker.back.update(id_ for id_, state in done if state == "pending")
        return {id_ for id_, state in done if state == "suppressed"}

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
            # One walk over the mailing (no index holds who is taken): at the start, not while mail leaves.
            found = Counter(
                state
                for (state,) in run(
                    f"UPDATE sending_delivery SET attempt = attempt + 1, leased_until = NULL,"
                    " state = CASE state WHEN 'leased' THEN 'pending' ELSE 'uncertain' END,"
                    " reason = CASE state WHEN 'leased' THEN reason ELSE"
                    " 'sending broke off while this message was being handed over; it may have arrived' END"
                    f" WHERE {OF_MAILING} AND state IN ('leased', 'inflight')"
                    f"{whose} RETURNING state",
                    [self.taker.first, self.taker.last, self.mailing, *more],
                ).fetchall()
            )
            again, uncertain = found["pending"], found["uncertain"]
            self._moved(run, {"leased": -again, "pending": again, "inflight": -uncertain, "uncertain": uncertain})
            return again, uncertain

        self._written_again()
        done = self.store.together(work)
        self.taker.from_the_start()
        return done

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
            f"SELECT due FROM sending_delivery {self.taker.by_due}"
            " WHERE mailing_id = %s AND due IS NOT NULL ORDER BY due LIMIT 1",
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


def _leased(row: Row, again: bool) -> Leased:
    """A row of RETURNING. Its token is that of the unsubscribe link too: see finding.unsubscribe_key."""
    id_, attempt, _, tries, canonical, address, name, language, values, lists, token = row
    held = loaded(values) if len(values) > SHORT or not isinstance(values, str) else _values(values)
    token = bytes(token)
    return Leased(id_, attempt, tries, canonical, address, name, language, held, _lists(lists), token, token, again)


@lru_cache(maxsize=4096)
def _values(held: str) -> dict[str, Any]:
    """The values of a row, read once for all who have the same: nobody writes into them. First names repeat."""
    return dict(loaded(held))


@lru_cache(maxsize=1024)
def _lists(held: str) -> tuple[str, ...]:
    """The JSON array of a row, read once for all who are on the same lists."""
    return tuple(loaded(held))


def lists_key(lists: Sequence[str]) -> str:
    """The set of lists as text, for the unique key of UnsubscribeKey: sorted and joined by a space."""
    return " ".join(sorted(lists))
