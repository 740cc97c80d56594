"""The crew that carries one mailing: threads that take one person each, and a foreman who watches and shows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.utils import timezone

from newsletter.problems import NewsletterError
from newsletter.sending import verdicts
from newsletter.sending.message import Ready
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased, Outbox, Withdrawn
from newsletter.sending.verdicts import Fault, Verdict

BATCH = 50  # rows leased at once; a lease is not in doubt after kill -9, only a started body is
LOOK = 0.2  # seconds between looks at the mailing's state: pause and stop from another terminal act within 1 s
PATIENCE = timedelta(seconds=60)  # how long we stay for people to try again, before leaving them for the next `send`
BACK_OFF = (1.0, 2.0, 4.0, 8.0)  # seconds after the relay failed as a whole; then we give up for now
POISON = 10  # messages in a row that could not be built: then the mailing, not the people, is thought to be ill


class Transport(Protocol):
    """One connection that carries one message at a time."""

    def send(self, envelope_sender: str, recipient: str, data: bytes, before_body: Callable[[], None]) -> Any: ...
    def close(self) -> None: ...


class How(StrEnum):
    """How draining ended."""

    DONE = "done"  # nobody waits
    LATER = "later"  # some people are to be tried again, later than we stay
    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Progress:
    """Where we are, some ten times a second. `counts` are of this moment; their sum is the mailing's `frozen`."""

    counts: dict[str, int]
    sent: int  # accepted in this run
    seconds: float
    note: str = ""  # what a person should know now: "mail.example.org does not answer; trying again in 4 s"
    held: bool = False

    @property
    def rate(self) -> float:
        return self.sent / self.seconds if self.seconds > 0.2 else 0.0


@dataclass
class Ended:
    """The end of draining: why, the exact counts of the ledger, and words where something is to be done."""

    how: How
    counts: dict[str, int]
    sent: int
    seconds: float
    words: str = ""
    next_due: datetime | None = None
    recovered: tuple[int, int] = field(default=(0, 0))


class Crew:
    """The people of one mailing, several threads that take one each, and a foreman who watches.

    The foreman (the calling thread) shows progress, sees pause and stop of other processes, and ends it.
    """

    def __init__(
        self,
        outbox: Outbox,
        compose: Callable[[Leased], Ready],
        factory: Callable[[], Transport],
        *,
        patience: timedelta = PATIENCE,
        already_complained: bool = False,
    ) -> None:
        self.outbox, self.compose, self.factory = outbox, compose, factory
        self.patience = patience
        self.changed = threading.Condition()
        self.queue: deque[Leased] = deque()
        self.counts: dict[str, int] = {}
        self.sent = self.busy = 0
        self.halted = self.held = False
        self.how: How | None = None
        self.note = self.words = ""
        self.error: BaseException | None = None
        self.looked = 0.0  # monotonic: when the foreman last looked for pause and stop
        self.look_again = 0.0  # monotonic: nobody is waiting in the ledger before, as far as we know
        self.due: datetime | None = None  # when the next person is to be tried again
        self.not_before = 0.0  # monotonic: nobody takes a row before, the relay asked for a rest
        self.troubles = 0
        self.poisoned = 0
        self.sender_faults = 0
        self.already_complained = already_complained

    # --- the foreman -------------------------------------------------------------------------------------------

    def run(self, connections: int, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Ended:
        """Carry until done, stopped or unreachable. Nothing is lost whichever way it ends."""
        recovered = self.outbox.recover()
        self.counts = self.outbox.counts()
        began = time.monotonic()
        threads = [threading.Thread(target=self._work, daemon=True, name=f"sending-{n}") for n in range(connections)]
        for thread in threads:
            thread.start()
        try:
            while alive := [thread for thread in threads if thread.is_alive()]:
                self._watch(should_stop)
                on_progress(self._progress(began))
                alive[0].join(0.05)  # not woken for every message
        except KeyboardInterrupt:  # the second Ctrl-C: what is in flight is given up, and will be uncertain
            self.halted = True  # without the lock: a thread may hold it while it waits for the database
            raise
        except BaseException as error:  # such as a closed pipe: what is in flight is finished first
            self._fail(error)
        for thread in threads:
            thread.join()
        self._give_back()
        if self.error:
            raise self.error
        seconds = time.monotonic() - began
        on_progress(self._progress(began))
        return self._ended(recovered, seconds)

    def _ended(self, recovered: tuple[int, int], seconds: float) -> Ended:
        counts = self.outbox.counts()
        how = self.how or How.DONE
        due = self.outbox.next_due() if counts[Delivery.State.DEFERRED] else None
        if how is How.DONE and due:
            how = How.LATER
        return Ended(how, counts, self.sent, seconds, self.words, due, recovered)

    def _progress(self, began: float) -> Progress:
        return Progress(dict(self.counts), self.sent, time.monotonic() - began, self.note, self.held)

    def _watch(self, should_stop: Callable[[], bool]) -> None:
        if should_stop():
            self._halt(How.INTERRUPTED)
        now = time.monotonic()
        if self.halted or now - self.looked < LOOK:
            return
        self.looked = now
        state = self.outbox.mailing_state()
        if state == Mailing.State.STOPPED:
            self._halt(How.STOPPED)
        elif state == Mailing.State.PAUSED and not self.held:
            self._hold()
        elif state == Mailing.State.SENDING and self.held:
            with self.changed:
                self.held = False
                self.changed.notify_all()

    def _hold(self) -> None:
        with self.changed:
            self.held = True
        self._give_back()

    def _halt(self, how: How, words: str = "") -> None:
        with self.changed:
            if not self.halted:
                self.halted, self.how, self.words = True, how, words
            self.changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self._halt(How.INTERRUPTED)

    def _give_back(self) -> None:
        with self.changed:
            rows, self.queue = list(self.queue), deque()
        self.outbox.give_back(rows)
        self.look_again = 0.0

    # --- the threads -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        transport: Transport | None = None
        try:
            while (row := self._next()) is not None:
                try:
                    transport = transport or self.factory()
                    self._carry(row, transport)
                finally:
                    with self.changed:
                        self.busy -= 1
                        self.changed.notify_all()
        except BaseException as error:  # every thread ends, and the foreman raises it where a person sees it
            self._fail(error)
        finally:
            if transport:
                transport.close()

    def _next(self) -> Leased | None:
        """The next row to carry, waiting while paused, while the relay rests, or for people due soon; None = end."""
        with self.changed:
            while not self.halted:
                rest = self.not_before - time.monotonic()
                if self.held or rest > 0:
                    self.changed.wait(min(rest, 1.0) if rest > 0 else 1.0)
                elif self.queue or self._refill():
                    self.busy += 1
                    return self.queue.popleft()
                elif self.busy == 0 and not self._worth_waiting():
                    self.how, self.halted = How.DONE, True
                    self.changed.notify_all()
                else:
                    self.changed.wait(0.1)
            return None

    def _refill(self) -> bool:
        """Lease the next people. An empty answer holds until somebody comes back or LOOK has passed: else at the end
        of a mailing fifty threads would ask again whenever one of them has finished."""
        now = time.monotonic()
        if now < self.look_again:
            return False
        suppressed = 1
        while suppressed and not self.queue:  # a whole batch of people may have left
            rows, suppressed = self.outbox.lease(BATCH)
            self.queue.extend(rows)
            self._count(Delivery.State.SUPPRESSED, Delivery.State.PENDING, suppressed)
        if not self.queue:
            self.look_again, self.due = now + LOOK, self.outbox.next_due()
        return bool(self.queue)

    def _worth_waiting(self) -> bool:
        return self.due is not None and self.due - timezone.now() <= self.patience

    def _carry(self, row: Leased, transport: Transport) -> None:
        try:
            ready = self.compose(row)
        except (NewsletterError, ValueError) as error:
            self._poison(row, error)
            return
        self.poisoned = 0
        try:
            outcome = transport.send(
                ready.envelope_sender, ready.recipient.wire, ready.data, lambda: self.outbox.begin(row)
            )
        except Withdrawn:
            self._settled(row, self.outbox.withdraw(row))
            return
        verdict = verdicts.judge(outcome, row.tries)
        self._write(row, verdict, outcome)
        self._react(verdict)

    def _write(self, row: Leased, verdict: Verdict, outcome: Any) -> None:
        state, due = verdict.state, None
        if verdict.wait is not None:
            due = timezone.now() + verdict.wait
            if self._too_late(due):
                state, due = Delivery.State.EXPIRED, None
        kept = self.outbox.settle(
            row,
            state,
            reason=verdict.reason,
            code=outcome.code,
            text=outcome.text,
            remote_id=getattr(outcome, "remote_id", ""),
            due=due,
            tried=verdict.tried,
        )
        self._settled(row, state if kept else "")

    def _too_late(self, due: datetime) -> bool:
        return self.outbox.started is not None and due - self.outbox.started > verdicts.GIVE_UP

    def _poison(self, row: Leased, error: Exception) -> None:
        """This one message cannot be built: the person fails with the reason, the others go on."""
        words = str(error)
        self._settled(row, Delivery.State.FAILED if self.outbox.settle(row, "failed", reason=words) else "")
        with self.changed:
            self.poisoned += 1
            ill = self.poisoned >= POISON
        if ill:
            self._stand_still(f"{POISON} messages in a row could not be built. The last one: {words}")

    def _react(self, verdict: Verdict) -> None:
        """What an answer means for everybody else: a rest for the relay, or a pause when we ourselves are refused."""
        if verdict.fault is Fault.RELAY:
            self._rest(verdict.reason)
        elif verdict.fault is Fault.SETUP:
            self._halt(How.UNREACHABLE, f"The mail server cannot be used: {verdict.reason}")
        elif verdict.fault is Fault.SENDER:
            with self.changed:
                self.sender_faults += 1
                # Once is enough the first time. After a person has resumed, only three in a row pause again: one
                # mailbox that refuses us must not hold up everybody else.
                still = not self.already_complained or self.sender_faults >= 3
            if still:
                self._stand_still(f"The mail server refuses us, not one person: {verdict.reason}")
        else:
            with self.changed:
                self.troubles, self.note = 0, ""
                if verdict.state == Delivery.State.ACCEPTED:
                    self.sender_faults = 0

    def _rest(self, why: str) -> None:
        with self.changed:
            now = time.monotonic()
            if now < self.not_before:
                return  # the others met the same trouble
            if self.troubles >= len(BACK_OFF):
                words = f"The mail server does not take mail: {why}"
            else:
                wait = BACK_OFF[self.troubles]
                self.troubles += 1
                self.not_before = now + wait
                self.note = f"The mail server does not take mail ({why}); trying again in {wait:.0f} s"
                return
        self._halt(How.UNREACHABLE, words)

    def _stand_still(self, why: str) -> None:
        self.outbox.pause(why)
        self._halt(How.PAUSED, why)

    def _settled(self, row: Leased, state: str) -> None:
        with self.changed:
            if state:
                self._count(state, Delivery.State.DEFERRED if row.again else Delivery.State.PENDING, 1)
            if state in (Delivery.State.PENDING, Delivery.State.DEFERRED):
                self.look_again = 0.0
            if state == Delivery.State.ACCEPTED:
                self.sent += 1

    def _count(self, state: str, before: str, people: int) -> None:
        self.counts[before] -= people
        self.counts[state] += people
