"""The loop that carries one mailing: takes people, talks on every connection at once, writes down each answer."""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.utils import timezone

from newsletter.problems import NewsletterError
from newsletter.sending import verdicts
from newsletter.sending.doorway import Doorway
from newsletter.sending.message import Ready
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased, Outbox, Result
from newsletter.sending.progress import Ended, How, Progress
from newsletter.sending.transports.outcome import Outcome, Phase, Refused
from newsletter.sending.transports.wire import Event, What, Wire
from newsletter.sending.verdicts import Fault, Verdict

BATCH = 500  # rows leased at once: 9 us a row instead of 90; a lease is not in doubt after kill -9, only a started body
LOOK = 0.2  # seconds between looks at the mailing's state: pause and stop from another terminal act within 1 s
SHOW = 0.05  # seconds between looks at should_stop, and between pictures of the progress
RENEW = 300.0  # seconds between renewals of our leases (outbox.LEASE)
PATIENCE = timedelta(seconds=60)  # how long we stay for people to try again, before leaving them for the next `send`
BACK_OFF = (1.0, 2.0, 4.0, 8.0)  # seconds after the relay failed as a whole; then we give up for now
POISON = 10  # messages in a row that could not be built: then the mailing, not the people, is thought to be ill


class Transport(Protocol):
    """The way to a relay; `open` may take as long as the network does, and raises opening.Unready."""

    def open(self) -> Wire[Any]: ...


@dataclass(slots=True)
class Parcel:
    """One person's mail on its way."""

    row: Leased
    ready: Ready
    begun: bool = False


class Crew:
    """Carries until done, stopped or unreachable; nothing is lost whichever way it ends.

    One thread: every round takes what the servers have answered, writes all of it down together with the starts of
    the next bodies in one commit, and only then lets those bodies go. So a body never leaves before its start is
    durable, and a commit serves as many connections as were answered meanwhile.
    """

    def __init__(
        self,
        outbox: Outbox,
        compose: Callable[[Leased], Ready],
        factory: Callable[[], Transport],
        *,
        patience: timedelta = PATIENCE,
        give_up: timedelta = verdicts.GIVE_UP,
        already_complained: bool = False,
        relay: str = "",
    ) -> None:
        self.outbox, self.compose, self.relay = outbox, compose, relay
        self.doorway = Doorway(factory)
        self.patience, self.give_up = patience, give_up
        self.queue: deque[Leased] = deque()
        self.counts: dict[str, int] = {}
        self.sent = 0
        self.halted = self.held = False
        self.how: How | None = None
        self.note = self.words = ""
        self.error: BaseException | None = None
        self.starts: list[tuple[Wire[Parcel], Parcel]] = []  # servers that wait for a text
        self.results: list[Result] = []
        self.returned: list[Leased] = []
        self.looked = self.look_again = self.not_before = self.renewed = 0.0  # monotonic
        self.due: datetime | None = None  # when the next person is to be tried again
        self.troubles = self.poisoned = self.sender_faults = 0
        self.already_complained = already_complained

    # --- the loop ----------------------------------------------------------------------------------------------

    def run(self, connections: int, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Ended:
        """Carry. `on_progress` and `should_stop` are called some twenty times a second."""
        recovered = self.outbox.recover()
        self.counts = self.outbox.counts()
        began = shown = time.monotonic()
        self.renewed = began
        try:
            while not self._finished():
                now = time.monotonic()
                if now - shown >= SHOW:
                    shown = now
                    self._show(on_progress, should_stop, began)
                    self._look(now)
                self._fill(connections, now)
                self._hear(self._wait(now))
                self._commit()
        finally:
            self.doorway.close()
        self._give_back()
        if self.error:
            raise self.error
        seconds = time.monotonic() - began
        on_progress(self._progress(began))
        return self._ended(recovered, seconds)

    def _finished(self) -> bool:
        """True when there is nothing left to do or to wait for."""
        if self.doorway.wires and any(not wire.idle for wire in self.doorway.wires):
            return False
        if self.halted:
            return True
        if self.held or self.queue or self.doorway.opening or time.monotonic() < self.not_before:
            return False
        if self._refill() or self._worth_waiting():
            return False
        return time.monotonic() >= self.look_again or self._nobody_left()

    def _nobody_left(self) -> bool:
        return not self.counts[Delivery.State.PENDING] and not self.counts[Delivery.State.LEASED]

    def _show(self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool], began: float) -> None:
        try:
            on_progress(self._progress(began))
            if should_stop():
                self._halt(How.INTERRUPTED)
        except KeyboardInterrupt:  # the second Ctrl-C: what is in flight is given up, and will be uncertain
            raise
        except BaseException as error:  # such as a closed pipe: what is in flight is finished first
            self.error = self.error or error
            self._halt(How.INTERRUPTED)

    def _ended(self, recovered: tuple[int, int], seconds: float) -> Ended:
        counts = self.outbox.counts()
        how = self.how or How.DONE
        due = self.outbox.next_due() if counts[Delivery.State.DEFERRED] else None
        if how is How.DONE and due:
            how = How.LATER
        return Ended(how, counts, self.sent, seconds, self.words, due, recovered)

    def _progress(self, began: float) -> Progress:
        return Progress(dict(self.counts), self.sent, time.monotonic() - began, self.note, self.held)

    # --- pause, resume and stop of other processes -------------------------------------------------------------

    def _look(self, now: float) -> None:
        for wire in list(self.doorway.wires):
            self._hear(wire.overdue(now), wire)
        if now - self.looked < LOOK:
            return
        self.looked = now
        if now - self.renewed > RENEW:
            self.renewed = now
            self.outbox.renew()
        if self.halted:
            return
        state = self.outbox.mailing_state()
        if state == Mailing.State.STOPPED:
            self._halt(How.STOPPED)
        elif state == Mailing.State.PAUSED and not self.held:
            self.held = True
            self._let_go()
        elif state == Mailing.State.SENDING and self.held:
            self.held = False

    def _halt(self, how: How, words: str = "") -> None:
        if not self.halted:
            self.halted, self.how, self.words = True, how, words
            self._let_go()

    def _let_go(self) -> None:
        """Nothing new begins: mails that were only named go back, bodies on their way are waited for."""
        for wire in list(self.doorway.wires):
            if not wire.idle and not wire.begun:
                self._hear(wire.abandon(), wire)
        self._give_back()

    def _give_back(self) -> None:
        rows, self.queue = [*self.queue, *self.returned], deque()
        self.returned = []
        gone = self.outbox.give_back(rows)
        self._moved(Delivery.State.LEASED, Delivery.State.SUPPRESSED, len(gone))
        self._moved(Delivery.State.LEASED, Delivery.State.PENDING, len(rows) - len(gone))
        self.look_again = 0.0

    # --- people to connections ---------------------------------------------------------------------------------

    def _fill(self, connections: int, now: float) -> None:
        """Give every idle connection a mail, and open more where people wait."""
        if self.halted or self.held or now < self.not_before:
            return
        for wire in list(self.doorway.wires):
            if wire.idle and (parcel := self._take(wire)):
                self._hear(wire.offer(parcel, *self._named(parcel)), wire)
        wanted = min(connections, self._busy() + len(self.queue)) if self.queue or self._refill() else 0
        self.doorway.open(wanted - len(self.doorway.wires) - self.doorway.opening)

    def _busy(self) -> int:
        return sum(not wire.idle for wire in self.doorway.wires)

    @staticmethod
    def _named(parcel: Parcel) -> tuple[str, str, bytes]:
        return parcel.ready.envelope_sender, parcel.ready.recipient.wire, parcel.ready.data

    def _take(self, wire: Wire[Parcel]) -> Parcel | None:
        """The next mail that this connection can carry; None when nobody waits."""
        while not self.halted and not self.held and (self.queue or self._refill()):
            row = self.queue.popleft()
            try:
                ready = self.compose(row)
                why = ready.unfit
            except (NewsletterError, ValueError) as error:
                self._poison(row, str(error))
                continue
            if not why and not ready.recipient.wire.isascii() and not wire.extensions.smtputf8:
                why = "the part before the @ is not plain ASCII, and the relay does not offer SMTPUTF8"
            if why:
                self._write(row, verdicts.judge(Refused(Phase.BUILD, None, why), row.tries), None, begun=False)
                continue
            self.poisoned = 0
            return Parcel(row, ready)
        return None

    def _refill(self) -> bool:
        """Lease the next people. An empty answer holds until somebody comes back or LOOK has passed."""
        now = time.monotonic()
        if now < self.look_again:
            return False
        suppressed = 1
        while suppressed and not self.queue:  # a whole batch of people may have left
            rows, suppressed = self.outbox.lease(BATCH)
            self.queue.extend(rows)
            again = sum(row.again for row in rows)
            self._moved(Delivery.State.DEFERRED, Delivery.State.LEASED, again)
            self._moved(Delivery.State.PENDING, Delivery.State.LEASED, len(rows) - again)
            self._moved(Delivery.State.PENDING, Delivery.State.SUPPRESSED, suppressed)
        if not self.queue:
            self.look_again, self.due = now + LOOK, self.outbox.next_due()
        return bool(self.queue)

    def _worth_waiting(self) -> bool:
        return self.due is not None and self.due - timezone.now() <= self.patience

    # --- what servers say --------------------------------------------------------------------------------------

    def _wait(self, now: float) -> Iterable[tuple[Wire[Parcel], int]]:
        """Until a server says something, a connection is open, or it is time to look around."""
        if self.starts or self.results:
            return self.doorway.select(0)
        idle = not self.queue and not self._busy()
        return self.doorway.select(SHOW if not idle or self.held else SHOW / 5)

    def _hear(self, what: Any, wire: Wire[Parcel] | None = None) -> None:
        """Take events of one wire, or everything that `select` found ready."""
        if wire is not None:
            self._take_in(what, wire)
            return
        for one, mask in what:
            if mask & selectors.EVENT_WRITE:
                self._take_in(one.writable(), one)
            if mask & selectors.EVENT_READ and one.alive:
                self._take_in(one.readable(), one)
        for trouble in self.doorway.troubles():
            self._react(verdicts.judge(trouble, 0))

    def _take_in(self, events: list[Event[Parcel]], wire: Wire[Parcel]) -> None:
        for event in events:
            parcel = event.job
            if event.what is What.BODY:
                self.starts.append((wire, parcel))
            elif event.what is What.BACK:
                self.returned.append(parcel.row)
            else:
                assert event.outcome is not None
                verdict = verdicts.judge(event.outcome, parcel.row.tries)
                self._write(parcel.row, verdict, event.outcome, begun=parcel.begun)
                self._react(verdict)
        self.doorway.mind(wire)

    def _write(self, row: Leased, verdict: Verdict, outcome: Outcome | None, *, begun: bool) -> None:
        state, due = verdict.state, None
        if verdict.wait is not None:
            due = timezone.now() + verdict.wait
            if self.outbox.started is not None and due - self.outbox.started > self.give_up:
                state, due = Delivery.State.EXPIRED, None
        self.results.append(
            Result(
                row=row,
                state=state,
                begun=begun,
                reason=verdict.reason,
                code=outcome.code if outcome else None,
                text=outcome.text if outcome else "",
                remote_id=getattr(outcome, "remote_id", ""),
                due=due,
                tried=verdict.tried,
                relay=self.relay,
            )
        )

    def _commit(self) -> None:
        """Write down what was answered and what begins; then, and only then, let the bodies go."""
        starts = [(wire, parcel) for wire, parcel in self.starts if wire.alive and wire.held]
        results, self.starts, self.results = self.results, [], []
        if self.halted or self.held:
            for wire, _ in starts:
                self._hear(wire.abandon(), wire)
            starts = []
        if not starts and not results and not self.returned:
            return
        try:
            begun, kept = self.outbox.write([parcel.row for _, parcel in starts], results)
        except BaseException:
            # Such as a full disk: no body may begin. Their connections are dropped; the leases run out or are
            # taken back by the next sender, and whoever was in flight is uncertain.
            self.doorway.close()
            raise
        for result in results:
            if result.row.id in kept:
                self._settled(result)
        for wire, parcel in starts:
            if parcel.row.id in begun:
                parcel.begun = True
                self._moved(Delivery.State.LEASED, Delivery.State.INFLIGHT, 1)
                following = self._take(wire) if wire.may_follow else None
                self._hear(wire.body((following, *self._named(following)) if following else None), wire)
            else:
                self._hear(wire.abandon(), wire)
        if self.returned:
            self._back()

    def _back(self) -> None:
        """People whose mail was named and not begun: they wait again at the head, or have left meanwhile."""
        if self.halted or self.held:
            self._give_back()
            return
        rows, self.returned = self.returned, []
        gone = self.outbox.give_back(rows)
        self._moved(Delivery.State.LEASED, Delivery.State.SUPPRESSED, len(gone))
        self._moved(Delivery.State.LEASED, Delivery.State.PENDING, len(rows) - len(gone))
        self.look_again = 0.0

    def _settled(self, result: Result) -> None:
        before = Delivery.State.INFLIGHT if result.begun else Delivery.State.LEASED
        self._moved(before, result.state, 1)
        if result.state in (Delivery.State.PENDING, Delivery.State.DEFERRED):
            self.look_again = 0.0
        if result.state == Delivery.State.ACCEPTED:
            self.sent += 1

    def _moved(self, before: str, after: str, people: int) -> None:
        self.counts[before] -= people
        self.counts[after] += people

    # --- what an answer means for everybody else ---------------------------------------------------------------

    def _poison(self, row: Leased, words: str) -> None:
        """This one message cannot be built: the person fails with the reason, the others go on."""
        self.results.append(Result(row=row, state=Delivery.State.FAILED, begun=False, reason=words))
        self.poisoned += 1
        if self.poisoned >= POISON:
            self._stand_still(f"{POISON} messages in a row could not be built. The last one: {words}")

    def _react(self, verdict: Verdict) -> None:
        if verdict.fault is Fault.RELAY:
            self._rest(verdict.reason)
        elif verdict.fault is Fault.SETUP:
            self._halt(How.UNREACHABLE, f"The mail server cannot be used: {verdict.reason}")
        elif verdict.fault is Fault.SENDER:
            self.sender_faults += 1
            # Once is enough the first time. After a person has resumed, only three in a row pause again: one
            # mailbox that refuses us must not hold up everybody else.
            if not self.already_complained or self.sender_faults >= 3:
                self._stand_still(f"The mail server refuses us, not one person: {verdict.reason}")
        else:
            self.troubles, self.note = 0, ""
            if verdict.state == Delivery.State.ACCEPTED:
                self.sender_faults = 0

    def _rest(self, why: str) -> None:
        now = time.monotonic()
        if now < self.not_before:
            return  # the others met the same trouble
        if self.troubles >= len(BACK_OFF):
            self._halt(How.UNREACHABLE, f"The mail server does not take mail: {why}")
            return
        wait = BACK_OFF[self.troubles]
        self.troubles += 1
        self.not_before = now + wait
        self.note = f"The mail server does not take mail ({why}); trying again in {wait:.0f} s"

    def _stand_still(self, why: str) -> None:
        self.outbox.pause(why)
        self._halt(How.PAUSED, why)
