"""Draining: carry the waiting people of one mailing until none is left or somebody says stop. Who calls it is free."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.utils import timezone

from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.sending import lock, mailings, providers
from newsletter.sending.breaker import Breaker
from newsletter.sending.crew import PATIENCE, Crew
from newsletter.sending.message import Composer
from newsletter.sending.models import Mailing
from newsletter.sending.outbox import Outbox
from newsletter.sending.progress import Ended, How, Progress
from newsletter.sending.providers import Groups
from newsletter.sending.store import Store
from newsletter.sending.ways import Transport, Way, plain

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
    with lock.sending(config.var, mailing.slug, timezone.localtime()):
        composer = Composer.of(config, keyring, mailing)
        store = Store()
        groups = Groups(providers.table()) if any(way.pace and way.pace.careful for way in ways) else None
        try:
            outbox = Outbox(
                store, mailing, worker=f"{socket.gethostname()[:20]} {os.getpid()}", survives=config.sending.survives
            )
            crew = Crew(
                outbox,
                composer.compose,
                ways or plain(transport_factory, connections),
                Breaker(config.sending.bounces, already_complained=bool(mailing.paused_why)),
                group_of=groups.of if groups else None,
                patience=patience,
                give_up=timedelta(hours=config.sending.give_up),
            )
            ended = crew.run(0 if ways else connections, on_progress, should_stop)
        finally:
            store.close()
            if groups:
                groups.close()
        if mailings.cancel_the_rest(mailing):
            ended.counts = {state: mailings.status(mailing)[state] for state in ended.counts}
        if ended.how is How.DONE:
            mailings.finish(mailing)
        mailing.refresh_from_db()
        return ended
