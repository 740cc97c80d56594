"""The database stays open from one request to the next.

Opening SQLite's file takes 1 ms of a page's 2, and whoever closes it last writes its log back: 6 ms after each form.
PostgreSQL's connections are kept anyway (settings.database).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.signals import request_started
from django.db import connections
from django.db.backends.signals import connection_created

SECONDS = 60  # then a thread opens it anew


def keep_open() -> None:
    """From now on, for every thread of this process that answers requests."""
    connections.databases["default"]["CONN_MAX_AGE"] = SECONDS
    connection_created.connect(_remember, dispatch_uid="newsletter.web.kept")
    request_started.connect(_look, dispatch_uid="newsletter.web.kept")


def _remember(connection: Any, **_: Any) -> None:
    connection.newsletter_file = _file_of(connection)


def _look(**_: Any) -> None:
    """Another file lies there now, such as a backup: what is written into the old one would be lost. 5 µs."""
    ours: Any = connections["default"]
    if ours.connection is not None and getattr(ours, "newsletter_file", None) != _file_of(ours):
        ours.close()


def _file_of(connection: Any) -> tuple[int, int] | None:
    """Which file it is, by more than its name; None for a server."""
    if connection.vendor != "sqlite":
        return None
    try:
        found = Path(connection.settings_dict["NAME"]).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
