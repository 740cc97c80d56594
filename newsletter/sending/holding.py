"""The people whom a sender holds: leased from the ledger, kept until a connection takes them, or given back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from newsletter.sending.models import Delivery
from newsletter.sending.outbox import Leased, Outbox, Result
from newsletter.sending.pace import Pace
from newsletter.sending.parcel import parked
from newsletter.sending.waiting import Waiting
from newsletter.sending.ways import Way

BATCH = 500  # rows leased at once: 9 us a row instead of 90; a lease is not in doubt after kill -9, only a started body
LOOK = 0.2  # seconds between looks at the mailing's state: pause and stop from another terminal act within 1 s
HOLD = 2000  # rows held at most while providers make them wait; others are leased meanwhile
PARK = 60.0  # seconds: who must wait for longer goes back to the ledger with the time at which they are due


class Holding:
    """Every step from waiting to leased and back, with the numbers of the mailing as this sender knows them."""

    def __init__(self, outbox: Outbox, group_of: Callable[[str], str] | None = None) -> None:
        self.outbox = outbox
        self.counts: dict[str, int] = {}
        self.queue = Waiting(group_of)
        self.returned: list[Leased] = []  # named to a server and not begun
        self.due: datetime | None = None  # when the next person is to be tried again
        self.look_again = 0.0  # monotonic: not before then is the ledger asked for more

    def __len__(self) -> int:
        return len(self.queue)

    def moved(self, before: str, after: str, people: int) -> None:
        """So many went from one state to another."""
        self.counts[before] -= people
        self.counts[after] += people

    def next(self, way: Way, park: Callable[[Iterable[Result]], None]) -> tuple[Leased, str] | None:
        """The next row that its provider lets go now; None when there is none. Who has to wait long is parked."""
        now = time.monotonic()
        found = self.queue.take(way.pace, now)
        if found is None and len(self.queue) < HOLD and self.refill():
            found = self.queue.take(way.pace, now)
        if found is None and self.queue and way.pace and way.day_left(now):
            park(self._slowed(way.pace, now))
        return found

    def refill(self) -> bool:
        """Lease the next people. An empty answer holds until somebody comes back or LOOK has passed."""
        now = time.monotonic()
        if now < self.look_again:
            return False
        suppressed = 1
        rows: list[Leased] = []
        while suppressed and not rows:  # a whole batch of people may have left
            rows, suppressed = self.outbox.lease(BATCH)
            self.queue.add(rows)
            again = sum(row.again for row in rows)
            self.moved(Delivery.State.DEFERRED, Delivery.State.LEASED, again)
            self.moved(Delivery.State.PENDING, Delivery.State.LEASED, len(rows) - again)
            gone = self.outbox.suppressed_again
            self.moved(Delivery.State.DEFERRED, Delivery.State.SUPPRESSED, gone)
            self.moved(Delivery.State.PENDING, Delivery.State.SUPPRESSED, suppressed - gone)
        if not rows:
            self.look_again, self.due = now + LOOK, self.outbox.next_due()
        return bool(rows)

    def worth_waiting(self, patience: timedelta) -> bool:
        """Somebody is to be tried again soon."""
        return self.due is not None and self.due - timezone.now() <= patience

    def settled(self, result: Result) -> None:
        """A result was written down."""
        before = Delivery.State.INFLIGHT if result.begun else Delivery.State.LEASED
        self.moved(before, result.state, 1)
        if result.state in (Delivery.State.PENDING, Delivery.State.DEFERRED):
            self.look_again = 0.0

    def back(self) -> None:
        """People whose mail was named and not begun: they wait again, or have left meanwhile."""
        rows, self.returned = self.returned, []
        gone = self.outbox.give_back(rows)
        self.moved(Delivery.State.LEASED, Delivery.State.SUPPRESSED, len(gone))
        self.moved(Delivery.State.LEASED, Delivery.State.PENDING, len(rows) - len(gone))
        self.look_again = 0.0

    def all_back(self) -> None:
        """Everybody waits again."""
        self.returned = [*self.queue.empty(), *self.returned]
        self.back()

    def _slowed(self, pace: Pace, now: float) -> Iterable[Result]:
        """Who must wait long goes back to the ledger, due when their provider takes mail again; so others are found."""
        for row, group, wait in self.queue.slowed(pace, now, PARK if len(self.queue) < HOLD else 1.0):
            yield parked(row, group, min(wait, max(1.0, pace.day_ends - now), 24 * 3600.0))
