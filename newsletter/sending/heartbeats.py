"""Is a worker there? Each one says so every ten seconds, by the database's clock, so that no computer's own matters."""

from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType

from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from newsletter.audience import database
from newsletter.mail.tokens import new_id
from newsletter.problems import NewsletterError
from newsletter.sending.models import Heartbeat

EVERY = 10.0  # seconds between two beats: five may be lost to a busy disk before anybody thinks us dead
ALIVE = timedelta(seconds=60)
FORGOTTEN = timedelta(hours=1)  # a worker that was killed leaves its row; another one sweeps it away


def clock() -> datetime:
    """What time the database thinks it is."""
    with database.problems_of(), connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        found = cursor.fetchone()[0]
    moment = datetime.fromisoformat(found) if isinstance(found, str) else found
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)


def alive() -> list[str]:
    """The workers that were heard within the last minute. One of tomorrow (the clock was put back) counts for none."""
    with database.problems_of():
        heard = Heartbeat.objects.filter(seen__gt=Now() - ALIVE, seen__lt=Now() + ALIVE)
        return list(heard.order_by("started").values_list("worker", flat=True))


def absent() -> str:
    """Since when no worker is heard, in words; "" while one is alive."""
    if alive():
        return ""
    with database.problems_of():
        last = Heartbeat.objects.filter(seen__lt=Now()).order_by("-seen").values_list("seen", flat=True).first()
    if last is None:
        return "none is running"
    minutes = max(1, round((clock() - last).total_seconds() / 60))
    ago = (
        f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
    )
    return f"the last one was heard {ago} ago"


def trouble(slug: str) -> str:
    """What a worker says is in the way of this mailing, in words; "" when nothing is."""
    begun = f"{slug}: "
    heard = Heartbeat.objects.filter(doing__startswith=begun, seen__gt=Now() - ALIVE).first()
    return heard.doing.removeprefix(begun) if heard else ""


def beat(worker: str, doing: str = "") -> None:
    """Say that `worker` is there and what it does."""
    with database.problems_of():
        if not Heartbeat.objects.filter(worker=worker).update(seen=Now(), doing=doing[:200]):
            Heartbeat.objects.create(worker=worker, started=Now(), seen=Now(), doing=doing[:200])


def sweep() -> None:
    """Remove workers that were not heard for an hour."""
    with database.problems_of():
        Heartbeat.objects.filter(Q(seen__lt=Now() - FORGOTTEN) | Q(seen__gt=Now() + FORGOTTEN)).delete()


class Beating:
    """A heartbeat for as long as the block runs: a thread with a connection of its own, also while mail is sent."""

    def __init__(self, every: float = EVERY) -> None:
        self.every = every
        self.worker = f"{socket.gethostname()[:40]}:{os.getpid()}:{new_id()[:4].hex()}"
        self.doing = "waiting"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heartbeat")

    def __enter__(self) -> Beating:
        beat(self.worker, self.doing)  # here, so that a database that cannot be written is said at once
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        try:
            with database.problems_of():
                Heartbeat.objects.filter(worker=self.worker).delete()
        except NewsletterError:
            if error is None:
                raise

    def _run(self) -> None:
        while not self._over.wait(self.every):
            try:
                beat(self.worker, self.doing)
                sweep()
            except (NewsletterError, DatabaseError):
                pass  # a full, locked or restarted database: whoever sends says it; the next beat tries again
            finally:
                connection.close()  # of this thread: a database that was started anew is found again
