"""The mails that people ask for on the pages go out from `newsletter web` itself while no worker is there.

Who presses "subscribe" must not wait for a program that nobody started. It is the worker's own code, for these mails
alone; where a worker begins meanwhile, each request and each mail is still taken by one of the two.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from django.db import DatabaseError, connections

from newsletter.config import Config
from newsletter.problems import NewsletterError
from newsletter.replies import compacting
from newsletter.sending import heartbeats, notices, own_asking
from newsletter.sending.models import Notice

LOOK, PAUSE = 1.0, 60.0  # seconds between looks; and after a trouble, so that it is not said every second
log = logging.getLogger(__name__)


def turn(config: Config) -> int:
    """Queue what was asked for and carry it; gives back how many mails were accepted. Nothing where a worker is heard.
    And who was forgotten here is not left in old pages of the database's file until somebody starts one.

    Raises NewsletterError and DatabaseError for what is in the way.
    """
    if heartbeats.alive():
        return 0
    compacting.turn(config)
    own_asking.work(config)
    waiting = Notice.objects.filter(kind=Notice.Kind.OWN, state__in=(Notice.State.PENDING, Notice.State.DEFERRED))
    numbers = list(waiting.values_list("pk", flat=True)[:1000])
    return notices.deliver(config, numbers) if numbers else 0


class Carrying:
    """A turn every second for as long as the block runs, in a thread with a connection of its own."""

    def __init__(self, config: Config, every: float = LOOK) -> None:
        self.config, self.every = config, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrying")

    def __enter__(self) -> Carrying:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self.every
        while not self._over.wait(wait):
            wait = self.every
            try:
                turn(self.config)
            except (NewsletterError, DatabaseError, OSError) as error:
                log.error("the mails that were asked for wait: %s", " ".join(str(error).split()))
                wait = PAUSE
            except Exception as error:  # a fault of ours here must not end it: the pages go on, and so does this
                log.error("the mails that were asked for wait", exc_info=error)
                wait = PAUSE
            finally:
                connections.close_all()
