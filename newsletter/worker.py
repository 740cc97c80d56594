"""The worker: sends whatever is due, keeps schedules, tries people again for days, until it is told to end.

It decides only when and which; how a mailing is carried is `sending.drain.drain`, the same that `newsletter send`
calls. Several at once are harmless: the sending lock lets one of them carry, the others look again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, close_old_connections, connection

from newsletter.config import Config
from newsletter.problems import NewsletterError
from newsletter.replies import fetching
from newsletter.replies.chores import CHORES
from newsletter.replies.imap_watching import Watching
from newsletter.replies.listening import Listening
from newsletter.sending import carrier, heartbeats, lock, logbook, mailings, schedules
from newsletter.sending.drain import Ended, How, Progress, drain
from newsletter.sending.models import Mailing
from newsletter.sending.store import whole

LOOK = 1.0  # seconds between looks for something that is due: three questions that indexes answer
PROGRESS = 10.0  # seconds between lines about a mailing that is being sent
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds after a trouble: doubled each time, never longer than five minutes
BUSY = "already-sending"  # another sender holds the lock: no trouble at all


@dataclass(frozen=True)
class Event:
    """Something that happened: `what` for machines, `words` for people."""

    what: str  # started | sending | progress | ended | paused | trouble | stopped
    words: str
    issue: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Trouble:
    """What is in the way of one mailing, and when (monotonic) it is tried again."""

    times: int
    again: float


class Worker:
    """Looks what is due, and carries it. `now` is the clock for schedules: the database's; a test has its own."""

    def __init__(
        self,
        config: Config,
        tell: Callable[[Event], None],
        *,
        now: Callable[[], datetime] = heartbeats.clock,
        monotonic: Callable[[], float] = time.monotonic,
        beat_every: float = heartbeats.EVERY,
    ) -> None:
        self.config, self.tell, self.now, self.monotonic = config, tell, now, monotonic
        self.ending = threading.Event()  # set it, from a signal or another thread, and run() comes to its end
        self.beating = heartbeats.Beating(beat_every)
        self.chores: dict[str, float] = {}  # name → when (monotonic) it is due again
        self.troubles: dict[int, Trouble] = {}  # by mailing; 0 = the database itself

    def run(self) -> None:
        """Work until `ending` is set; what is in flight then is finished. Raises what opening the database raises."""
        listening, watching = Listening(self.config, self.monotonic), Watching(self.config)
        try:
            with self.beating:
                self.tell(Event("started", "The worker is ready", facts={"worker": self.beating.worker}))
                house = threading.Thread(target=self._keep_house, args=(listening, watching), name="chores")
                house.start()
                try:
                    while not self.ending.is_set():
                        if not self._one_round():
                            self.ending.wait(LOOK)
                finally:
                    self.ending.set()
                    house.join()
        finally:
            listening.close()
            watching.close()
        self.tell(Event("stopped", "The worker has ended; whoever waits goes on waiting"))

    def _keep_house(self, listening: Listening, watching: Watching) -> None:
        """The regular work, in a thread of its own: a relay that takes 30 mails a minute makes a mailing last for
        hours, and an answer to somebody in need must not wait for its end."""
        try:
            while not self.ending.is_set():
                close_old_connections()
                self._listen(listening, watching)
                self._chores()
                self.ending.wait(LOOK)
        finally:
            connection.close()

    def once(self) -> bool:
        """Carry all that is due now, each mailing once; True when nothing was in the way. For cron."""
        with self.beating:
            while not self.ending.is_set() and self._one_round():
                pass
            self._look_into_mailboxes()
            self._chores()
        return not self.troubles

    def _listen(self, listening: Listening, watching: Watching) -> None:
        """Take in answers by LMTP and IMAP, where that is configured; both have threads of their own."""
        for way, words in (("lmtp", listening.ensure()), ("imap", watching.ensure())):
            for what, said in zip(("chore", "trouble"), words, strict=True):
                for one in said:
                    self.tell(Event(what, one, facts={"chore": way}))

    def _look_into_mailboxes(self) -> None:
        """One look into each IMAP mailbox, for who runs the worker from cron."""
        for key, mailbox in self.config.mailboxes.items():
            if mailbox.kind != "imap" or self.ending.is_set():
                continue
            try:
                if taken := fetching.fetch(self.config, key).taken:
                    self.tell(Event("chore", f"{key}: {taken} taken in", facts={"chore": "imap"}))
            except NewsletterError as error:
                self.tell(Event("trouble", str(error), facts={"chore": "imap"}))

    def _chores(self) -> None:
        """The regular work of the replies; what fails is said, and tried again at its next turn."""
        for chore in CHORES:
            if self.ending.is_set() or self.monotonic() < self.chores.get(chore.name, 0.0):
                continue
            self.chores[chore.name] = self.monotonic() + chore.every
            try:
                if words := chore.run(self.config):
                    self.tell(Event("chore", words, facts={"chore": chore.name}))
            except (NewsletterError, DatabaseError, OSError) as error:
                self.tell(Event("trouble", f"{chore.name}: {' '.join(str(error).split())}"))
            except Exception as error:  # a fault of ours in one of them must not keep the others from their turn
                self.tell(Event("trouble", f"{chore.name}: {type(error).__name__}: {error}"))

    def _one_round(self) -> bool:
        """Carry what is due and not in trouble; False when there was nothing to do."""
        did = False
        try:
            close_old_connections()  # a database that was started anew meanwhile
            for mailing in schedules.due(self.now()):
                trouble = self.troubles.get(mailing.pk)
                if self.ending.is_set() or (trouble and self.monotonic() < trouble.again):
                    continue
                did = self._look_after(mailing) or did
            self.troubles.pop(0, None)
        except (NewsletterError, DatabaseError) as error:  # such as a database that is being restarted
            self._in_trouble(0, "", str(error))
            self.ending.wait(self.troubles[0].again - self.monotonic())
        return did

    def _look_after(self, mailing: Mailing) -> bool:
        """Begin, put aside or go on with one mailing; whatever is wrong with it stays with it."""
        try:
            if lock.is_held(self.config.var):
                return False  # another sender is at work here; whatever is left is looked at again
            now, stale = self.now(), self.config.sending.stale
            if why := schedules.put_aside(mailing, now, stale, self.config.site.time_zone):
                self._put_aside(mailing, why)
                return True
            if mailing.state == Mailing.State.APPROVED and not self._begin(mailing):
                return False
            ended = self._carry(mailing)
        except NewsletterError as error:
            if error.problems[0].code != BUSY:
                self._in_trouble(mailing.pk, mailing.slug, str(error), error.problems[0].hint)
            return False
        except Exception as error:  # a fault of ours in one mailing must not keep the others from being sent
            self._in_trouble(mailing.pk, mailing.slug, f"{type(error).__name__}: {error}")
            return False
        no_way = ended.how is How.LATER and bool(ended.words) and not ended.sent  # such as a day that is used up
        if ended.how is How.UNREACHABLE or no_way:
            self._in_trouble(mailing.pk, mailing.slug, ended.words)
            return False
        self.troubles.pop(mailing.pk, None)
        return ended.sent > 0 or ended.how is How.DONE

    def _put_aside(self, mailing: Mailing, why: str) -> None:
        self.tell(Event("paused", f"{mailing.slug} is not sent: {why}. newsletter resume asks.", mailing.slug))

    def _begin(self, mailing: Mailing) -> bool:
        with whole():
            mailings.start(mailing)
            if mailing.state != Mailing.State.SENDING:
                return False  # taken back or paused since we looked
            logbook.note(mailing, "started", "its time had come", mailing.frozen, by=logbook.OURSELVES)
        return True

    def _carry(self, mailing: Mailing) -> Ended:
        held = False
        last = self.monotonic()
        begun = False

        def on_progress(progress: Progress) -> None:
            nonlocal held, last, begun
            held = progress.held
            if not begun:
                begun = True  # only now: the lock is ours
                self.beating.doing = f"sending {mailing.slug}"
                self.tell(Event("sending", f"Sending {mailing.slug}", mailing.slug, {"people": mailing.frozen}))
            if progress.note:
                self.beating.doing = f"{mailing.slug}: {progress.note}"
            if self.monotonic() - last >= PROGRESS:
                last = self.monotonic()
                words = progress.note or f"{mailing.slug}: {progress.sent} sent, {progress.rate:,.0f} a second"
                self.tell(Event("progress", words, mailing.slug, dict(progress.counts)))

        with self._busy(), carrier.opened(self.config) as way:
            # A paused mailing would keep us here, and the others waiting; and nobody is waited for: others may be due.
            ended = drain(
                self.config,
                mailing,
                way.factory,
                on_progress,
                lambda: held or self.ending.is_set(),
                ways=way.ways,
                patience=timedelta(0),
            )
        if begun and ended.how is not How.UNREACHABLE:
            self._ended(mailing, ended)
        return ended

    @contextmanager
    def _busy(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.beating.doing = "waiting"

    def _ended(self, mailing: Mailing, ended: Ended) -> None:
        again = ended.counts["deferred"]
        words = f"{mailing.slug}: sent to {ended.sent} now, {ended.counts['accepted']} of {mailing.frozen} in all"
        if again:
            words += f"; {again} to be tried again"
        if ended.dead:
            words += f"; {ended.dead} refused for good, no more mail goes there"
        if ended.words:
            words += f". {ended.words}"
        logbook.ended(mailing, ended)
        self.tell(Event("ended", words, mailing.slug, {"how": ended.how.value, "sent": ended.sent, **ended.counts}))

    def _in_trouble(self, key: int, slug: str, words: str, hint: str = "") -> None:
        """Say it, and leave that mailing alone for a while that grows; the others go on."""
        words = " ".join(words.split()).rstrip(".")
        times = self.troubles[key].times + 1 if key in self.troubles else 1
        pause = min(FIRST_PAUSE * 2 ** min(times - 1, 10), LONGEST_PAUSE)
        self.troubles[key] = Trouble(times, self.monotonic() + pause)
        said = self.beating.doing = f"{slug}: {words}" if slug else words
        more = f" {hint}" if hint else ""
        self.tell(Event("trouble", f"{said}. Tried again in {pause:.0f} s.{more}", slug, {"again_in": pause}))
