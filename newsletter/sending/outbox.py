"""The outbox: takes people from the ledger to be sent to, and writes down what became of each of them."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from newsletter.audience import selecting
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.store import Store, loaded

LEASE = timedelta(minutes=30)  # far longer than one batch takes; only other workers look at it

# Who may no longer be mailed, asked twice: when a row is leased and when its body starts (law L4).
GONE = f"(d.subscriber_id IS NULL OR {selecting.gone_since('d')})"
WHY = (
    "CASE WHEN d.subscriber_id IS NULL THEN 'erased since approval'"
    " WHEN EXISTS (SELECT 1 FROM audience_suppression s WHERE s.canonical = d.canonical) THEN 'on the never-mail list'"
    f" WHEN {GONE} THEN 'left since approval' ELSE '' END"
)
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


class Withdrawn(Exception):
    """The body of this message must not start: the person left, or the row is no longer ours."""


class Outbox:
    """The rows of one mailing. Every write says WHERE attempt = mine: a sender that lost its rows changes nothing."""

    def __init__(self, store: Store, mailing: Mailing, worker: str = "") -> None:
        self.store = store
        self.mailing = mailing.pk
        self.worker = worker[:40]
        self.started = mailing.started_at

    def lease(self, number: int, now: datetime | None = None) -> tuple[list[Leased], int]:
        """Take up to `number` people who are due: those still waiting, then those to try again.

        People who left, were suppressed or were erased since approval become `suppressed` in the same statement.
        Returns the rows and how many were suppressed.
        """
        now = now or timezone.now()
        waiting = self._lease(self._pending(), (self.mailing, number), now)
        due: list[tuple[Any, ...]] = []
        if len(waiting) < number:
            due = self._lease(self._deferred(), (self.mailing, now, number - len(waiting)), now)
        leased = [(row, False) for row in waiting if row[2] == Delivery.State.LEASED]
        leased += [(row, True) for row in due if row[2] == Delivery.State.LEASED]
        return self._with_keys(leased), len(waiting) + len(due) - len(leased)

    def _pending(self) -> str:
        # INDEXED BY: see models.Delivery.Meta; tests/sending/test_outbox.py holds the query plan.
        return (
            f"SELECT id FROM sending_delivery {self._by('delivery_pending')}"
            " WHERE mailing_id = %s AND state = 'pending' ORDER BY id LIMIT %s"
        )

    def _deferred(self) -> str:
        return (
            f"SELECT id FROM sending_delivery {self._by('delivery_deferred')}"
            " WHERE mailing_id = %s AND state = 'deferred' AND due <= %s ORDER BY due LIMIT %s"
        )

    def _by(self, index: str) -> str:
        return f"INDEXED BY {index}" if self.store.is_sqlite else ""

    def _lease(self, chosen: str, params: Sequence[Any], now: datetime) -> list[tuple[Any, ...]]:
        sql = (
            f"UPDATE sending_delivery AS d SET state = CASE WHEN {GONE} THEN 'suppressed' ELSE 'leased' END,"
            f" reason = {WHY},"
            " attempt = attempt + 1, worker = %s, leased_until = %s, changed = %s"
            f" WHERE id IN ({chosen}) RETURNING {RETURNING}"
        )
        rows = self.store.rows(sql, [self.worker, now + LEASE, now, *params])
        return sorted(rows, key=lambda row: int(row[0]))

    def _with_keys(self, rows: list[tuple[tuple[Any, ...], bool]]) -> list[Leased]:
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
            chosen = tuple(loaded(lists))
            made.append(
                Leased(
                    id=id_,
                    attempt=attempt,
                    tries=tries,
                    canonical=canonical,
                    address=address,
                    name=name,
                    language=language,
                    values=loaded(values),
                    lists=chosen,
                    token=bytes(token),
                    unsubscribe_token=keys.get((canonical, lists_key(chosen)), b""),
                    again=again,
                )
            )
        return made

    def begin(self, row: Leased) -> None:
        """Write down, durably, that this body starts now; to be called before its first byte leaves.

        Raises Withdrawn when it must not start: suppressed or left since the lease, the mailing no longer sending,
        or the row no longer ours.
        """
        sql = (
            "UPDATE sending_delivery AS d SET state = 'inflight', changed = %s"
            " WHERE d.id = %s AND d.attempt = %s AND d.state = 'leased' AND d.subscriber_id IS NOT NULL"
            f" AND NOT {GONE}"
            " AND EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = d.mailing_id AND m.state = 'sending')"
        )
        # On the disk: after a power cut everything since the last sync is forgotten, and whoever is called pending
        # though their body had left would be mailed twice in silence. This sync carries the results before it, too.
        if self.store.change(sql, [timezone.now(), row.id, row.attempt], on_the_disk=True) != 1:
            raise Withdrawn

    def withdraw(self, row: Leased) -> str:
        """After Withdrawn: put the row where it belongs, and return its state ("" = it is no longer ours)."""
        rows = self.store.rows(
            f"UPDATE sending_delivery AS d SET state = CASE WHEN {GONE} THEN 'suppressed' ELSE 'pending' END,"
            f" reason = {WHY}, leased_until = NULL, changed = %s"
            " WHERE d.id = %s AND d.attempt = %s AND d.state = 'leased' RETURNING state",
            [timezone.now(), row.id, row.attempt],
        )
        return str(rows[0][0]) if rows else ""

    def settle(
        self,
        row: Leased,
        state: str,
        *,
        reason: str = "",
        code: int | None = None,
        text: str = "",
        remote_id: str = "",
        due: datetime | None = None,
        tried: bool = False,
    ) -> bool:
        """Write the result of this attempt; False when the row is no longer ours (fenced) and nothing changed.

        `tried` counts the answer towards the retry schedule.
        """
        sql = (
            "UPDATE sending_delivery SET state = %s, reason = %s, reply_code = %s, reply_text = %s, remote_id = %s,"
            " due = %s, tries = tries + %s, leased_until = NULL, changed = %s"
            " WHERE id = %s AND attempt = %s AND state IN ('leased', 'inflight')"
        )
        values = [state, reason[:300], code or None, text[:2000], remote_id[:200], due, int(tried), timezone.now()]
        return self.store.change(sql, [*values, row.id, row.attempt]) == 1

    def give_back(self, rows: Sequence[Leased]) -> None:
        """Rows that were leased and never begun wait again; nobody is forgotten by a stop."""
        for row in rows:
            self.store.change(
                "UPDATE sending_delivery SET state = 'pending', leased_until = NULL"
                " WHERE id = %s AND attempt = %s AND state = 'leased'",
                [row.id, row.attempt],
            )

    def recover(self) -> tuple[int, int]:
        """After a sender died: what it had only leased waits again, what it had begun is uncertain.

        Only for the holder of the sending lock (lock.py): nobody else can be sending then. Raising `attempt` fences
        a sender that was merely frozen. Returns (waiting again, uncertain).
        """
        now = timezone.now()
        again = self.store.change(
            "UPDATE sending_delivery SET state = 'pending', attempt = attempt + 1, leased_until = NULL, changed = %s"
            " WHERE mailing_id = %s AND state = 'leased'",
            [now, self.mailing],
        )
        uncertain = self.store.change(
            "UPDATE sending_delivery SET state = 'uncertain', attempt = attempt + 1, leased_until = NULL, changed = %s,"
            " reason = 'sending broke off while this message was being handed over; it may have arrived'"
            " WHERE mailing_id = %s AND state = 'inflight'",
            [now, self.mailing],
        )
        return again, uncertain

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
        found = dict(
            self.store.rows(
                "SELECT state, COUNT(*) FROM sending_delivery WHERE mailing_id = %s GROUP BY state", [self.mailing]
            )
        )
        return {state.value: int(found.get(state.value, 0)) for state in Delivery.State}


def lists_key(lists: Sequence[str]) -> str:
    """The set of lists as text, for the unique key of UnsubscribeKey: sorted and joined by a space."""
    return " ".join(sorted(lists))
