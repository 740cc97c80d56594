"""The loop that carries one mailing: takes people, talks on every connection at once, writes down each answer."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from newsletter.problems import NewsletterError
from newsletter.sending import verdicts
from newsletter.sending.breaker import Breaker
from newsletter.sending.doorway import Doorway
from newsletter.sending.helpers import Helpers
from newsletter.sending.holding import LOOK, Holding
from newsletter.sending.message import Ready
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased, Outbox, Result
from newsletter.sending.parcel import Parcel, Until, result
from newsletter.sending.progress import Ended, How, Lines, Progress
from newsletter.sending.relays import Relays
from newsletter.sending.transports.outcome import Outcome, Phase, Refused
from newsletter.sending.transports.wire import Event, What, Wire
from newsletter.sending.verdicts import Fault, Verdict
from newsletter.sending.ways import Way

COUNT = 5.0  # seconds between looks at the ledger's own numbers: staff and other commands move people, too
SOON = 0.001  # seconds: the shortest sleep between two mails that have to keep their distance
TOGETHER = 0.0004  # seconds from one commit to the next: 1.7 mails in each cost 172 us of processor a mail, 3 cost 139
SHOW = 0.05  # seconds between looks at should_stop, and between pictures of the progress
DAYS = 1.0  # seconds between writings of a relay's daily numbers where nothing is limited by them
RENEW = 300.0  # seconds between renewals of our leases (outbox.LEASE)
PATIENCE = timedelta(seconds=60)  # how long we stay for people to try again, before leaving them for the next `send`
POISON = 10  # messages in a row that could not be built: then the mailing, not the people, is thought to be ill


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
        self.patience, self.until = patience, Until(outbox.started, give_up, useful_until)
        self.people = Holding(outbox, group_of)
        self.lines = Lines()
        self.sent = 0
        self.halted = self.held = False
        self.how: How | None = None
        self.note = self.words = ""
        self.error: BaseException | None = None
        self.starts: list[tuple[Wire[Parcel], Parcel]] = []  # servers that wait for a text
        self.results: list[Result] = []
        self.committed = self.looked = self.counted = 0.0  # monotonic
        self.not_before = self.renewed = self.days_written = 0.0  # monotonic
        self.way: Way | None = None  # the relay that carries now
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
        self.people.counts, self.helpers = self.outbox.counts(), helpers
        self.before = self.people.counts[Delivery.State.ACCEPTED]
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
                self._gather()
                self._commit()
        finally:
            self.doorway.close()
        self.people.all_back()
        if days := self._days(everything=True):
            self.outbox.write([], [], days)
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
        if self.held or self.people or time.monotonic() < self.not_before:
            return False
        return not self.people.refill() and not self.people.worth_waiting(self.patience)

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
        return Progress(dict(self.people.counts), self.sent, now - began, self.note, self.held, lines)

    # --- pause, resume and stop of other processes -------------------------------------------------------------

    def _look(self, now: float) -> None:
        for wire in list(self.doorway.wires):
            self._take_in(wire.overdue(now), wire)
        if now - self.looked < LOOK:
            return
        self.looked = now
        if now - self.renewed > RENEW:
            self.renewed = now
            self.outbox.renew()
        if self.helpers or now - self.counted > COUNT:  # others move people, too
            self.counted, self.people.counts = now, self.outbox.counts()
            if self.helpers:
                self.sent = self.people.counts[Delivery.State.ACCEPTED] - self.before
        if self.halted:
            return
        state = self.outbox.mailing_state()
        if state in (Mailing.State.STOPPED, Mailing.State.FINISHED):  # finished by another sender, while we slept
            self._halt(How.STOPPED)
        elif state == Mailing.State.PAUSED and self.helpers and self.helpers.paused():
            self._halt(How.PAUSED)
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
                self._take_in(wire.abandon(), wire)
        self.people.all_back()

    # --- people to connections ---------------------------------------------------------------------------------

    def _fill(self, connections: int, now: float) -> None:
        """Give every idle connection a mail, and open more where people wait."""
        if self.halted or self.held or now < self.not_before:
            return
        way = self.way = self._way(now)
        if way is None:
            return
        for wire in list(self.doorway.wires):
            if wire.idle and wire.tag is not way:  # its relay rests, or a better one is back
                wire.close()
                self.doorway.mind(wire)
            elif wire.idle and (parcel := self._take(wire)):
                self._take_in(wire.offer(parcel, *parcel.named()), wire)
        most = min(connections or way.connections, self._busy() + len(self.people))
        wanted = most if self.people or self.people.refill() else 0
        self.doorway.open(wanted - len(self.doorway.wires) - self.doorway.opening[way.key], way.factory, way)

    def _way(self, now: float) -> Way | None:
        """The relay that carries now; None while all of them rest."""
        while key := self.relays.next(now):
            if self.ways[key].day_left(now):
                return self.ways[key]
            self.note = self.relays.used_up(key, self.ways[key].day_ends()) or self.note
        if words := self.relays.hopeless(now):
            self._halt(How.UNREACHABLE, words)
        elif self._busy():
            self.not_before = now + SHOW  # the last mails of the day are on their way: they are part of it
        elif (wait := self.relays.wait(now)) > (self.patience or PATIENCE).total_seconds():
            words = "; ".join(f"{one.key}: {one.words}" for one in self.relays.state(now))
            self._halt(How.LATER, words)
        else:
            self.not_before = now + wait
        return None

    def _busy(self) -> int:
        return sum(not wire.idle for wire in self.doorway.wires)

    def _take(self, wire: Wire[Parcel]) -> Parcel | None:
        """The next mail that this connection can carry; None when nobody waits."""
        way: Way = wire.tag
        while not self.halted and not self.held and (found := self.people.next(way, self.results.extend)):
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
                verdict = verdicts.judge(Refused(Phase.BUILD, None, why), 0)
                self.results.append(result(Parcel(row, ready, group, way), verdict, None, self.until))
                self._answered(way, group, sent=False)
                continue
            self.poisoned = 0
            if way.pace and way.pace.careful and wire.last_for(group, way.pace.messages(group)):
                wire.left = 1
            return Parcel(row, ready, group, way)
        return None

    @staticmethod
    def _answered(way: Way, group: str, *, sent: bool = True) -> None:
        if way.pace:
            way.pace.done(group, time.monotonic(), sent)

    # --- what servers say --------------------------------------------------------------------------------------

    def _wait(self, now: float) -> Iterable[tuple[Wire[Parcel], int]]:
        """Until a server says something, a connection is open, or it is time to look around."""
        if self.starts or self.results:
            return self.doorway.select(0)
        if self.held:
            return self.doorway.select(SHOW)
        if not self.people and not self._busy():
            return self.doorway.select(SHOW / 5)
        # A connection that waits for its turn wakes at its turn: at 50 a second looking every 50 ms made 19 of them.
        turn = self.way is not None and now >= self.not_before and any(wire.idle for wire in self.doorway.wires)
        soonest = self.people.queue.soonest(self.way.pace, now) if turn and self.way else SHOW
        return self.doorway.select(min(SHOW, max(soonest, SOON)))

    def _hear(self, found: Iterable[tuple[Wire[Parcel], int]]) -> None:
        """Take everything that `select` found ready."""
        for one, mask in found:
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
                self.people.returned.append(parcel.row)
                self._answered(parcel.way, parcel.group, sent=False)
            else:
                assert event.outcome is not None
                verdict = verdicts.judge(event.outcome, parcel.row.tries)
                self.results.append(result(parcel, verdict, event.outcome, self.until))
                self._answered(parcel.way, parcel.group, sent=parcel.begun)
                self._listen(parcel, event.outcome)
                self._react(verdict, event.outcome, parcel.way)
        self.doorway.mind(wire)

    def _listen(self, parcel: Parcel, outcome: Outcome) -> None:
        """An answer may ask us to go slower with everybody at this provider."""
        pace = parcel.way.pace
        if pace and outcome.code and outcome.code >= 300:
            enhanced = getattr(outcome, "enhanced", "")
            words = pace.heard(parcel.group, outcome.code, enhanced, outcome.text, time.monotonic())
            self.note = words or self.note

    def _gather(self) -> None:
        """Wait a moment for more answers where one commit follows the other at once. Not for the last of them: while
        most connections wait for us, the server has nothing to do."""
        left = self.committed + TOGETHER - time.monotonic()
        if self.starts and left > 0 and 2 * len(self.starts) < self._busy():
            time.sleep(left)
            self._hear(self.doorway.select(0))

    def _commit(self) -> None:
        """Write down what was answered and what begins; then, and only then, let the bodies go."""
        starts = [(wire, parcel) for wire, parcel in self.starts if wire.alive and wire.held]
        results, self.starts, self.results = self.results, [], []
        if self.halted or self.held:
            for wire, _ in starts:
                self._take_in(wire.abandon(), wire)
            starts = []
        if not starts and not results and not self.people.returned:
            return
        try:
            begun, kept = self.outbox.write([parcel.row for _, parcel in starts], results, self._days())
        except BaseException:
            # Such as a full disk: no body may begin. Their connections are dropped; the leases run out or are
            # taken back by the next sender, and whoever was in flight is uncertain.
            self.doorway.close()
            raise
        self.committed = time.monotonic()
        for one in results:
            if one.row.id in kept:
                self.people.settled(one)
                self.lines.add(one.provider, one.state)
                self.sent += one.state == Delivery.State.ACCEPTED
        for wire, parcel in starts:
            # Durable now, so whatever stops us in the middle of this loop must let these bodies go.
            parcel.begun = wire.begun = parcel.row.id in begun
        for wire, parcel in starts:
            if parcel.begun and wire.alive:
                self.people.moved(Delivery.State.LEASED, Delivery.State.INFLIGHT, 1)
                following = self._take(wire) if wire.may_follow else None
                self._take_in(wire.body((following, *following.named()) if following else None), wire)
            else:
                self._take_in(wire.abandon(), wire)
        if self.people.returned:
            if self.halted or self.held:
                self.people.all_back()
            else:
                self.people.back()

    def _days(self, *, everything: bool = False) -> dict[str, dict[str, int]]:
        """What the daily limits of the relays are counted by: with every commit where there is such a limit, else now
        and then (it was a quarter of a commit's statements)."""
        now = time.monotonic()
        everything = everything or now - self.days_written >= DAYS
        if everything:
            self.days_written = now
        paces = ((way.key, way.pace) for way in self.ways.values() if way.pace and (everything or way.pace.has_day))
        return {key: fresh for key, pace in paces if (fresh := pace.fresh())}

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
