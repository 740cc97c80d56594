"""One shared door to the ledger: raw SQL on a single database connection that the sending threads take in turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from newsletter.audience import database


class Store:
    """Runs statements one at a time, whichever thread asks.

    A connection of its own and a lock, instead of a connection per thread: SQLite has one writer anyway, and its
    busy handler sleeps for 1 to 100 ms where a lock hands over at once. Every statement is its own transaction
    (autocommit), so nothing is open while we talk to the network.
    """

    def __init__(self, alias: str = "default") -> None:
        self.connection: BaseDatabaseWrapper = connections.create_connection(alias)
        self.connection.inc_thread_sharing()
        self.lock = threading.Lock()

    def close(self) -> None:
        """Give the connection up."""
        with self.lock:
            self.connection.close()

    @property
    def is_sqlite(self) -> bool:
        return self.connection.vendor == "sqlite"

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement that writes; returns the number of rows it touched, durable when it returns."""
        with self.lock, database.problems_of(), self.connection.cursor() as cursor:
            cursor.execute(sql, self._adapted(params))
            return int(cursor.rowcount)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; also for UPDATE … RETURNING."""
        with self.lock, database.problems_of(), self.connection.cursor() as cursor:
            cursor.execute(sql, self._adapted(params))
            return list(cursor.fetchall())

    def _adapted(self, params: Sequence[Any]) -> list[Any]:
        return [self.time(value) if isinstance(value, datetime) else value for value in params]

    def time(self, value: datetime) -> Any:
        """A moment as the database keeps it, so that it compares with what the models wrote."""
        return self.connection.ops.adapt_datetimefield_value(value)


def loaded(value: Any) -> Any:
    """A JSON column read by raw SQL: SQLite gives text, PostgreSQL the value itself."""
    return json.loads(value) if isinstance(value, str) else value


@contextmanager
def whole() -> Iterator[None]:
    """A transaction of the calling thread; a full, locked or damaged database is said in words."""
    with database.problems_of(), transaction.atomic():
        yield
