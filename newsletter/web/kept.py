"""The database stays open from one request to the next.

Opening SQLite's file takes 1 ms of a page's 2, and whoever closes it last writes its log back: 6 ms after each form.
PostgreSQL's connections are kept anyway (settings.database). Before a request Django asks each whether it still lives,
with 110 us of both: while the server says nothing by itself, that is done only once in a while.
"""

from __future__ import annotations

import math
import select
import time
from pathlib import Path
from typing import Any

from django.core.signals import request_started
from django.db import connections
from django.db.backends.signals import connection_created

SECONDS = 60  # then a thread opens it anew


ASKED = 5.0  # seconds for which a connection that answered, and that nobody has closed since, is taken to live


def keep_open() -> None:
    """From now on, for every thread of this process that answers requests."""
    connections.databases["default"]["CONN_MAX_AGE"] = SECONDS
    connection_created.connect(_remember, dispatch_uid="newsletter.web.kept")
    # Behind Django's own, which puts down that a connection is to be looked at: its test client moves that to the end.
    request_started.disconnect(dispatch_uid="newsletter.web.kept")
    request_started.connect(_look, dispatch_uid="newsletter.web.kept")


def _remember(connection: Any, **_: Any) -> None:
    connection.newsletter_file = _file_of(connection)
    connection.newsletter_asked = time.monotonic()


def _look(**_: Any) -> None:
    """Before a request, after Django has put down that the connection should be looked at."""
    ours: Any = connections["default"]
    if ours.connection is None:
        return
    if ours.vendor == "postgresql":
        _listen(ours)
    elif getattr(ours, "newsletter_file", None) != _file_of(ours):
        ours.close()  # another file lies there now, such as a backup: what is written into the old one would be lost


def _listen(ours: Any) -> None:
    """A server that was restarted, or that ended this connection, has said so or hung up. One that has vanished, with
    its computer or the network, is noticed within the five seconds, as it would be in the middle of a page."""
    now = time.monotonic()
    if _silent(ours.connection) and now - getattr(ours, "newsletter_asked", -math.inf) < ASKED:
        ours.health_check_done = True
    else:
        ours.close_if_health_check_failed()
        ours.newsletter_asked = now


def _silent(connection: Any) -> bool:
    """Whether nothing has come from the server that we did not ask for; 3 µs."""
    if connection.closed:
        return False
    ear = select.poll()
    ear.register(connection.fileno(), select.POLLIN)
    return not ear.poll(0)


def _file_of(connection: Any) -> tuple[int, int] | None:
    """Which file it is, by more than its name; None for a server."""
    if connection.vendor != "sqlite":
        return None
    try:
        found = Path(connection.settings_dict["NAME"]).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
