"""The loop that carries one mailing: takes people, talks on every connection at once, writes down each answer."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from newsletter.problems import NewsletterError
from newsletter.sending import providers, verdicts
from newsletter.sending.breaker import Breaker
from newsletter.sending.doorway import Doorway
from newsletter.sending.helpers import Helpers
from newsletter.sending.message import Ready
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased, Outbox, Result
from newsletter.sending.pace import Pace
from newsletter.sending.progress import Ended, How, Lines, Progress
from newsletter.sending.relays import Relays
from newsletter.sending.transports.outcome import Outcome, Phase, Refused
from newsletter.sending.transports.wire import Event, What, Wire
from newsletter.sending.verdicts import Fault, Verdict
from newsletter.sending.waiting import Waiting
from newsletter.sending.ways import Way

BATCH = 500  # rows leased at once: 9 us a row instead of 90; a lease is not in doubt after kill -9, only a started body
LOOK = 0.2  # seconds between looks at the mailing's state: pause and stop from another terminal act within 1 s
COUNT = 5.0  # seconds between looks at the ledger's own numbers: staff and other commands move people, too
SHOW = 0.05  # seconds between looks at should_stop, and between pictures of the progress
RENEW = 300.0  # seconds between renewals of our leases (outbox.LEASE)
PATIENCE = timedelta(seconds=60)  # how long we stay for people to try again, before leaving them for the next `send`
HOLD = 2000  # rows held at most while providers make them wait; others are leased meanwhile
PARK = 60.0  # seconds: who must wait for longer goes back to the ledger with the time at which they are due
POISON = 10  # messages in a row that could not be built: then the mailing, not the people, is thought to be ill


@dataclass(slots=True)
class Parcel:
    """One person's mail on its way."""

    row: Leased
    ready: Ready
    group: str
    way: Way
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
        ways: Sequence[Way],
        breaker: Breaker,
        *,
        group_of: Callable[[str], str] | None = None,
        patience: timedelta = PATIENCE,
        give_up: timedelta = verdicts.GIVE_UP,
        useful_until: datetime | None = None,
    ) -> None:
        self.outbox, self.compose = outbox, compose
        self.ways = {way.key: way for way in ways}
        self.relays = Relays(list(self.ways))
        self.breaker = breaker
        self.doorway = Doorway()
        self.patience, self.give_up, self.useful_until = patience, give_up, useful_until
        self.queue = Waiting(group_of)
        self.counts: dict[str, int] = {}
        self.lines = Lines()
        self.sent = 0
        self.halted = self.held = False
        self.how: How | None = None
        self.note = self.words = ""
        self.error: BaseException | None = None
        self.starts: list[tuple[Wire[Parcel], Parcel]] = []  # servers that wait for a text
        self.results: list[Result] = []
        self.returned: list[Leased] = []
        self.looked = self.counted = self.look_again = self.not_before = self.renewed = 0.0  # monotonic
        self.due: datetime | None = None  # when the next person is to be tried again
        self.poisoned = self.before = 0
        self.helpers: Helpers | None = None

    # --- the loop ----------------------------------------------------------------------------------------------

    def run(
        self,
        connections: int,
        on_progress: Callable[[Progress], None],
        should_stop: Callable[[], bool],
        helpers: Helpers | None = None,
    ) -> Ended:
        """Carry. `on_progress` and `should_stop` are called some twenty times a second. `connections` 0 = as many as
        the relay is set to. `helpers`: other processes at the same mailing, for whom we stay and look after."""
        self.counts, self.helpers = self.outbox.counts(), helpers
        self.before = self.counts[Delivery.State.ACCEPTED]
        began = shown = self.renewed = time.monotonic()
        try:
            while not self._finished() or (helpers and helpers.running()):
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
        return self._ended(seconds)

    def again(self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Ended:
        """Once more, alone, for what a helper that died has left."""
        self.doorway = Doorway()
        return self.run(0, on_progress, should_stop)

    def _finished(self) -> bool:
        """True when there is nothing left to do or to wait for."""
        if self.doorway.wires and any(not wire.idle for wire in self.doorway.wires):
            return False
        if self.halted:
            return True
        if self.held or self.queue or time.monotonic() < self.not_before:
            return False
        return not self._refill() and not self._worth_waiting()

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

    def _ended(self, seconds: float) -> Ended:
        counts = self.outbox.counts()
        how = self.how or How.DONE
        due = self.outbox.next_due() if counts[Delivery.State.DEFERRED] else None
        if how is How.DONE and due:
            how = How.LATER
        return Ended(how, counts, counts[Delivery.State.ACCEPTED] - self.before, seconds, self.words, due)

    def _progress(self, began: float) -> Progress:
        now = time.monotonic()
        lines = self.lines.shown(self.ways.values(), now)
        return Progress(dict(self.counts), self.sent, now - began, self.note, self.held, lines)

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
        if self.helpers or now - self.counted > COUNT:  # others move people, too
            self.counted, self.counts = now, self.outbox.counts()
            if self.helpers:
                self.sent = self.counts[Delivery.State.ACCEPTED] - self.before
        if self.halted:
            return
        state = self.outbox.mailing_state()
        if state in (Mailing.State.STOPPED, Mailing.State.FINISHED):  # finished by another sender, while we slept
            self._halt(How.STOPPED)
        elif state == Mailing.State.PAUSED and not self.held:
            self.held = True
            self._let_go()
        elif state == Mailing.State.SENDING and self.held:
            self.held = False

    def _halt(self, how: How, words: str = "") -> None:
        if not self.halted:
            self.halted, self.how, self.words = True, how, words
            if self.helpers:
                self.helpers.stop()
            self._let_go()

    def _let_go(self) -> None:
        """Nothing new begins: mails that were only named go back, bodies on their way are waited for."""
        for wire in list(self.doorway.wires):
            if not wire.idle and not wire.begun:
                self._hear(wire.abandon(), wire)
        self._give_back()

    def _give_back(self) -> None:
        rows, self.returned = [*self.queue.empty(), *self.returned], []
        gone = self.outbox.give_back(rows)
        self._moved(Delivery.State.LEASED, Delivery.State.SUPPRESSED, len(gone))
        self._moved(Delivery.State.LEASED, Delivery.State.PENDING, len(rows) - len(gone))
        self.look_again = 0.0

    # --- people to connections ---------------------------------------------------------------------------------

    def _fill(self, connections: int, now: float) -> None:
        """Give every idle connection a mail, and open more where people wait."""
        if self.halted or self.held or now < self.not_before:
            return
        way = self._way(now)
        if way is None:
            return
        for wire in list(self.doorway.wires):
            if wire.idle and wire.tag is not way:  # its relay rests, or a better one is back
                wire.close()
                self.doorway.mind(wire)
            elif wire.idle and (parcel := self._take(wire)):
                self._hear(wire.offer(parcel, *self._named(parcel)), wire)
        most = min(connections or way.connections, self._busy() + len(self.queue))
        wanted = most if self.queue or self._refill() else 0
        self.doorway.open(wanted - len(self.doorway.wires) - self.doorway.opening[way.key], way.factory, way)

    def _way(self, now: float) -> Way | None:
        """The relay that carries now; None while all of them rest."""
        while key := self.relays.next(now):
            if self.ways[key].day_left(now):
                return self.ways[key]
            self.note = self.relays.used_up(key, self.ways[key].day_ends()) or self.note
        if words := self.relays.hopeless(now):
            self._halt(How.UNREACHABLE, words)
        elif (wait := self.relays.wait(now)) > self.patience.total_seconds() > 0 or wait == float("inf"):
            words = "; ".join(f"{one.key}: {one.words}" for one in self.relays.state(now))
            self._halt(How.LATER, words)
        else:
            self.not_before = now + wait
        return None

    def _busy(self) -> int:
        return sum(not wire.idle for wire in self.doorway.wires)

    @staticmethod
    def _named(parcel: Parcel) -> tuple[str, str, bytes]:
        return parcel.ready.envelope_sender, parcel.ready.recipient.wire, parcel.ready.data

    def _take(self, wire: Wire[Parcel]) -> Parcel | None:
        """The next mail that this connection can carry; None when nobody waits."""
        way: Way = wire.tag
        while not self.halted and not self.held and (found := self._next(way)):
            row, group = found
            try:
                ready = self.compose(row)
                why = ready.unfit
            except (NewsletterError, ValueError) as error:
                self._poison(row, str(error))
                self._answered(way, group, sent=False)
                continue
            if not why and not ready.recipient.wire.isascii() and not wire.extensions.smtputf8:
                why = "the part before the @ is not plain ASCII, and the relay does not offer SMTPUTF8"
            if why:
                self._write(Parcel(row, ready, group, way), verdicts.judge(Refused(Phase.BUILD, None, why), 0), None)
                self._answered(way, group, sent=False)
                continue
            self.poisoned = 0
            return Parcel(row, ready, group, way)
        return None

    def _next(self, way: Way) -> tuple[Leased, str] | None:
        """The next row that its provider lets go now."""
        now = time.monotonic()
        found = self.queue.take(way.pace, now)
        if found is None and len(self.queue) < HOLD and self._refill():
            found = self.queue.take(way.pace, now)
        if found is None and self.queue and way.pace and way.day_left(now):
            self._park(way.pace, now)
        return found

    def _park(self, pace: Pace, now: float) -> None:
        """Who must wait long goes back to the ledger, due when their provider takes mail again; so others are found."""
        for row, group, wait in self.queue.slowed(pace, now, PARK if len(self.queue) < HOLD else 1.0):
            until = min(wait, max(1.0, pace.day_ends - now), 24 * 3600.0)
            due = timezone.now() + timedelta(seconds=until)
            kind = providers.kind(group)
            why = f"{providers.table().name(kind)} takes no more mail from us at the moment; tried again by itself"
            self.results.append(
                Result(row=row, state=Delivery.State.DEFERRED, begun=False, reason=why, due=due, provider=kind)
            )

    @staticmethod
    def _answered(way: Way, group: str, *, sent: bool = True) -> None:
        if way.pace:
            way.pace.done(group, time.monotonic(), sent)

    def _refill(self) -> bool:
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
            self._moved(Delivery.State.DEFERRED, Delivery.State.LEASED, again)
            self._moved(Delivery.State.PENDING, Delivery.State.LEASED, len(rows) - again)
            self._moved(Delivery.State.PENDING, Delivery.State.SUPPRESSED, suppressed)
        if not rows:
            self.look_again, self.due = now + LOOK, self.outbox.next_due()
        return bool(rows)

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
        for way, trouble in self.doorway.troubles():
            self._react(verdicts.judge(trouble, 0), trouble, way)

    def _take_in(self, events: list[Event[Parcel]], wire: Wire[Parcel]) -> None:
        for event in events:
            parcel = event.job
            if event.what is What.BODY:
                self.starts.append((wire, parcel))
            elif event.what is What.BACK:
                self.returned.append(parcel.row)
                self._answered(parcel.way, parcel.group, sent=False)
            else:
                assert event.outcome is not None
                verdict = verdicts.judge(event.outcome, parcel.row.tries)
                self._write(parcel, verdict, event.outcome)
                self._answered(parcel.way, parcel.group, sent=parcel.begun)
                self._listen(parcel, event.outcome)
                self._react(verdict, event.outcome, parcel.way)
        self.doorway.mind(wire)

    def _write(self, parcel: Parcel, verdict: Verdict, outcome: Outcome | None) -> None:
        state, due = verdict.state, None
        if verdict.wait is not None:
            due = timezone.now() + verdict.wait
            started = self.outbox.started
            if started and verdicts.too_late(due, started, self.give_up / timedelta(hours=1), self.useful_until):
                state, due = Delivery.State.EXPIRED, None
        code = outcome.code if outcome else None
        self.results.append(
            Result(
                row=parcel.row,
                state=state,
                begun=parcel.begun,
                reason=verdict.reason,
                code=code if code and 200 <= code <= 599 else None,
                text=outcome.text if outcome else "",
                remote_id=getattr(outcome, "remote_id", ""),
                due=due,
                tried=verdict.tried,
                relay=parcel.way.key,
                provider=providers.kind(parcel.group) if parcel.group else "",
            )
        )

    def _listen(self, parcel: Parcel, outcome: Outcome) -> None:
        """An answer may ask us to go slower with everybody at this provider."""
        pace = parcel.way.pace
        if pace and outcome.code and outcome.code >= 300:
            enhanced = getattr(outcome, "enhanced", "")
            words = pace.heard(parcel.group, outcome.code, enhanced, outcome.text, time.monotonic())
            self.note = words or self.note

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
            begun, kept = self.outbox.write([parcel.row for _, parcel in starts], results, self._days())
        except BaseException:
            # Such as a full disk: no body may begin. Their connections are dropped; the leases run out or are
            # taken back by the next sender, and whoever was in flight is uncertain.
            self.doorway.close()
            raise
        for result in results:
            if result.row.id in kept:
                self._settled(result)
        for wire, parcel in starts:
            # Durable now, so whatever stops us in the middle of this loop must let these bodies go.
            parcel.begun = wire.begun = parcel.row.id in begun
        for wire, parcel in starts:
            if parcel.begun and wire.alive:
                self._moved(Delivery.State.LEASED, Delivery.State.INFLIGHT, 1)
                following = self._take(wire) if wire.may_follow else None
                self._hear(wire.body((following, *self._named(following)) if following else None), wire)
            else:
                self._hear(wire.abandon(), wire)
        if self.returned:
            self._back()

    def _days(self) -> dict[str, dict[str, int]]:
        """What the daily limits of the relays are counted by."""
        return {way.key: fresh for way in self.ways.values() if way.pace and (fresh := way.pace.fresh())}

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
        self.lines.add(result.provider, result.state)
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

    def _react(self, verdict: Verdict, outcome: Outcome, way: Way) -> None:
        now = time.monotonic()
        if verdict.day_used:
            self.note = self.relays.used_up(way.key, way.day_ends(), verdict.reason) or self.note
        elif verdict.fault is Fault.RELAY:
            self.note = self.relays.failed(way.key, verdict.reason, now) or self.note
        elif verdict.fault is Fault.SETUP:
            if len(self.ways) > 1:
                self.note = self.relays.used_up(way.key, float("inf"), verdict.reason) or self.note
            else:
                self._halt(How.UNREACHABLE, f"The mail server cannot be used: {verdict.reason}")
        else:
            self.relays.worked(way.key)
            if verdict.state == Delivery.State.ACCEPTED:
                self.note = ""
        if words := self.breaker.saw(verdict.state, verdict.fault, outcome.phase, verdict.reason):
            self._stand_still(words)

    def _stand_still(self, why: str) -> None:
        self.outbox.pause(why)
        self._halt(How.PAUSED, why)
