"""Draining: carry the waiting people of one mailing until none is left or somebody says stop. Who calls it is free."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from newsletter.audience import database
from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.problems import NewsletterError
from newsletter.sending import dead_addresses, epoch, lock, mailings, providers, settling
from newsletter.sending.breaker import Breaker
from newsletter.sending.crew import PATIENCE, Crew
from newsletter.sending.helpers import Helpers, number
from newsletter.sending.message import Composer
from newsletter.sending.models import Mailing
from newsletter.sending.outbox import Outbox
from newsletter.sending.progress import Ended, How, Progress
from newsletter.sending.providers import Groups
from newsletter.sending.store import Store, fresh
from newsletter.sending.ways import Transport, Way, configured, plain

__all__ = ["Ended", "How", "Progress", "drain"]


def drain(
    config: Config,
    mailing: Mailing,
    transport_factory: Callable[[], Transport],
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    connections: int = 4,
    patience: timedelta = PATIENCE,
    ways: Sequence[Way] = (),
) -> Ended:
    """Send to everybody of `mailing` who waits or is due again; the mailing must be sending.

    `ways`: the relays in their order; without them `transport_factory` is the one way, over so many `connections`.
    `on_progress` is called some 20 times a second, `should_stop` as often: when it says True, what is in flight is
    finished and everybody else goes on waiting. `patience`: how long to stay for people who are to be tried again.
    First settles what a sender that died had left: see Outbox.recover.
    Raises NewsletterError: already-sending, lost-key, and the database's problems; nobody is lost by any of them.
    """
    keyring = Keyring.load(config.var / "secret.key")
    processes = number(config) if ways and ways[0].pace else 1
    if processes > 1:
        ways = configured(config, share=processes)
    with lock.sending(config.var, mailing.slug, timezone.localtime()) as held:
        epoch.guard(config)
        with _crew(config, keyring, mailing, ways or plain(transport_factory, connections), patience) as crew:
            recovered = _recovered(crew, mailing)
            epoch.mark(config, mailing, crew.outbox.counts()["accepted"])
            marks = _Marks(config, mailing, on_progress)
            helpers = Helpers(config, mailing, processes - 1, held) if processes > 1 else None
            try:
                ended = crew.run(0 if ways else connections, marks, should_stop, helpers)
            finally:
                if helpers:
                    helpers.wait()
            # What a helper that died has left, or what a PostgreSQL that fell over had not written down yet: the
            # sender rides through its restart, and answers of the last moment are not waited for on the disk.
            left = _recovered(crew, mailing) if helpers or crew.outbox.store.lost else (0, 0)
            if any(left) and ended.how in (How.DONE, How.LATER):
                before = ended.sent
                ended = crew.again(marks, should_stop)
                ended.sent += before
            ended.recovered = recovered
            fresh()
            epoch.mark(config, mailing, ended.counts["accepted"])
        if mailings.cancel_the_rest(mailing):
            ended.counts = {state: mailings.status(mailing)[state] for state in ended.counts}
        if ended.how is How.DONE:
            mailings.finish(mailing)
            ended.dead = dead_addresses.give_up(mailing)
        mailing.refresh_from_db()
        if ended.how is How.PAUSED:
            ended.words = ended.words or mailing.paused_why  # where a helper has paused it
        return ended


def _recovered(crew: Crew, mailing: Mailing) -> tuple[int, int]:
    """Settle what a sender that died had left; in an urgent mailing the uncertain wait again, by themselves."""
    again, uncertain = crew.outbox.recover()
    repeated = settling.again_if_urgent(mailing)
    return again + repeated, uncertain - repeated


class _Marks:
    """Passes progress on, and leaves a mark in var/ledger.journal now and then: a copy of the database that is older
    than the last mark is noticed (epoch.guard)."""

    EVERY = 60.0  # seconds; what is sent between two marks is the most that a restored backup can hide

    def __init__(self, config: Config, mailing: Mailing, on_progress: Callable[[Progress], None]) -> None:
        self.config, self.mailing, self.on_progress = config, mailing, on_progress
        self.marked = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.marked > self.EVERY:
            self.marked = now
            try:
                fresh()
                epoch.mark(self.config, self.mailing, progress.counts["accepted"])
            except (NewsletterError, DatabaseError) as error:
                if not database.is_away(error):
                    raise
                self.marked = now - self.EVERY + 1  # in a second again; nothing is sent while it is away
        self.on_progress(progress)


def share_of(config: Config, mailing: Mailing, share: int, should_stop: Callable[[], bool]) -> Ended:
    """What one of several processes does: carry until nobody waits. The first process recovers and finishes."""
    keyring = Keyring.load(config.var / "secret.key")
    with _crew(config, keyring, mailing, configured(config, share=share), timedelta(0)) as crew:
        return crew.run(0, lambda progress: None, should_stop)


def useful_until(mailing: Mailing) -> datetime | None:
    """The end of the day until which the issue is of use, in the site's time zone; None where it names no date."""
    try:
        day = date.fromisoformat(str(mailing.settings.get("useful_until", "")))
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), datetime.min.time()))


@contextmanager
def _crew(
    config: Config, keyring: Keyring, mailing: Mailing, ways: Sequence[Way], patience: timedelta
) -> Iterator[Crew]:
    store = Store()
    groups = Groups(providers.table()) if any(way.pace and way.pace.careful for way in ways) else None
    worker = f"{socket.gethostname()[:20]} {os.getpid()}"
    try:
        yield Crew(
            Outbox(store, mailing, worker, survives=config.sending.survives),
            Composer.of(config, keyring, mailing).compose,
            ways,
            Breaker(config.sending.bounces, already_complained=bool(mailing.paused_why)),
            group_of=groups.of if groups else None,
            patience=patience,
            give_up=timedelta(hours=config.sending.give_up),
            useful_until=useful_until(mailing),
        )
    finally:
        store.close()
        if groups:
            groups.close()
