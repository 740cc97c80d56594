"""One shared door to the ledger: raw SQL on a single database connection that the sending threads take in turn."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from django.db import Error, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from newsletter.audience import database
from newsletter.problems import NewsletterError

PATIENCE = 15  # times that a locked database is asked; each asking waits for 20 s (settings.LOCK_WAIT)

ANEW = 1 << 40  # added to Store.own when PostgreSQL hung up: a server that fell over may give a number a second time

ENDED = "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"  # transactions, up to this statement

T = TypeVar("T")
_read = json.JSONDecoder().raw_decode  # of what json.loads does, what a text of the database needs


class SomeUnchanged(Exception):
    """Not all rows changed, and it is not known which: the transaction is done again with Run.singly."""


class Run:
    """Runs the statements of one transaction: `run(sql, params) -> cursor`."""

    def __init__(self, store: Store, *, singly: bool = False, doubted: bool = False) -> None:
        self.store = store
        self.singly = singly  # it has to be known of each row whether it changed
        self.doubted = doubted  # the same was done before, and nobody knows whether its commit happened

    def __call__(self, sql: str, params: Sequence[Any] = ()) -> Any:
        cursor = self.store.connection.cursor()
        cursor.execute(sql, self.store.adapted(params))
        return cursor

    def prepared(self, sql: str, params: Sequence[Any]) -> Any:
        """PostgreSQL: planned once and kept, past Django's cursor, which writes every value into the text."""
        if self.store.is_sqlite:
            return self(sql, params)
        import psycopg

        with self.store.connection.wrap_database_errors:
            return psycopg.Cursor(self.store.connection.connection).execute(
                sql.replace("%%", "%") if not params else sql, params, prepare=True
            )

    def each(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[bool]:
        """SQLite: one prepared statement for row after row, past Django's cursor; says which of them changed a row.

        An UPDATE by primary key in place is 3 us; joined to a table of VALUES it was 10 (two passes, and a text of
        500 places read anew). All at once in C, which only tells how many; when some did not change, everything is
        done again one by one (a savepoint each time for that rare case was 0.4 us a row).
        """
        text = _sqlite(sql)
        with self.store.connection.wrap_database_errors:
            cursor = self.store.connection.connection.cursor()
            if self.singly or len(rows) < 2:
                return [cursor.execute(text, row).rowcount == 1 for row in rows]
            if cursor.executemany(text, rows).rowcount != len(rows):
                raise SomeUnchanged
            return [True] * len(rows)

    def whole(self, sql: str, params: Sequence[Any], people: int) -> None:
        """SQLite: one statement that must change so many rows; else everything is done again, row by row."""
        with self.store.connection.wrap_database_errors:
            if self.store.connection.connection.execute(_sqlite(sql), params).rowcount != people:
                raise SomeUnchanged

    def all(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """SQLite: the rows of one SELECT, past Django's cursor."""
        with self.store.connection.wrap_database_errors:
            found: list[tuple[Any, ...]] = self.store.connection.connection.execute(_sqlite(sql), params).fetchall()
        return found

    def version(self) -> int:
        """A number that stays the same for as long as nobody else has written anything at all; -1: nobody knows.

        PostgreSQL numbers transactions that write: those that have ended, without ours, while none is under way that
        may end behind our back.
        """
        if self.store.is_sqlite:
            return int(self.all("PRAGMA data_version", ())[0][0]) + (self.store.closed << 32)
        [(calm, ended)] = self.prepared(
            f"SELECT pg_snapshot_xmin(now) = pg_snapshot_xmax(now), {ENDED} FROM pg_current_snapshot() AS now",  # noqa: S608
            (),
        ).fetchall()
        return int(ended) - self.store.own if calm else -1

    def moments(self, *seconds: int) -> tuple[str, ...]:
        """SQLite: the database's time, so many seconds from now, asked once for all rows of a transaction."""
        times = ", ".join(self.store.clock(number) for number in seconds)
        return tuple(self.all(f"SELECT {times}", ())[0])


@lru_cache(maxsize=64)
def _sqlite(sql: str) -> str:
    """Django's placeholders as sqlite3's."""
    return sql.replace("%s", "?").replace("%%", "%")


def _array(kind: str, values: Sequence[Any]) -> str:
    """A PostgreSQL array as text: numbers as they are, everything else in quotes."""
    if kind in ("bigint", "integer"):
        return f"{{{','.join(map(str, values))}}}"
    if kind == "text":
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return f'{{"{joined}"}}'
    return f"{{{','.join(map(_quoted, values))}}}"


def _quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    return '"{}"'.format(str(value).replace("\\", "\\\\").replace('"', '\\"'))


def _ended_by_the_server(error: Error) -> bool:
    """A server that says that it ends our connection (57P01) says so between two transactions, or has given ours up:
    a statement that is answered by it has not happened."""
    return getattr(error.__cause__, "sqlstate", None) == "57P01"


def fresh() -> None:
    """Make sure that this thread's own connection answers: a PostgreSQL that was restarted while a store rode through
    it has hung up on this one, too."""
    ours = connection.vendor == "postgresql" and connection.connection is not None and not connection.in_atomic_block
    if ours and not connection.is_usable():
        connection.close()


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
        self.committing = False  # a COMMIT was sent; when the connection breaks now, nobody knows whether it happened
        self.closed = 0  # times
        self.lost = 0  # times that PostgreSQL hung up: what it had not written down yet may be forgotten
        self.own = 0  # transactions that surely wrote something: one too few is safe, see Run.version
        self.fully: bool | None = None  # whether a commit waits for the disk; None: as the database starts

    def close(self) -> None:
        """Give the connection up."""
        with self.lock:
            self.connection.close()
            self.closed += 1

    @property
    def is_sqlite(self) -> bool:
        return self.connection.vendor == "sqlite"

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement that writes; returns the number of rows it touched."""
        return self.together(lambda run: int(run(sql, params).rowcount))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""

        def read(doubted: bool) -> list[tuple[Any, ...]]:
            self.committing = False
            with self.connection.cursor() as cursor:
                cursor.execute(sql, self.adapted(params))
                return list(cursor.fetchall())

        return self._patiently(read)

    def together(
        self, work: Callable[[Run], T], *, on_the_disk: bool = False, alone: bool = False, repeatable: bool = False
    ) -> T:
        """Do `work` in one transaction; it is given `run(sql, params) -> cursor` and may be called again.

        When this returns, kill -9 cannot undo it, and with `on_the_disk` neither can a power cut. A database that
        another program holds (a large import, a backup) is asked again: a result that is not written down is a
        person in doubt, and a mailing that ends for it has to be started again by hand.

        `alone`: on PostgreSQL `work` is a single statement, a transaction by itself; BEGIN and COMMIT were a tenth of
        a commit of fifty mails.

        `repeatable`: `work` changes only rows that it has not changed before, so that it may be done once more when a
        server fell over in the middle of a commit (Run.doubted); else that is raised.
        """
        return self._patiently(lambda doubted: self._once(work, on_the_disk, alone, doubted), repeatable)

    def _patiently(self, ask: Callable[[bool], T], repeatable: bool = False) -> T:
        doubted = False
        for tried in range(1, PATIENCE + 1):
            try:
                with self.lock, database.problems_of():
                    return ask(doubted)
            except (NewsletterError, Error) as error:
                locked = isinstance(error, NewsletterError) and error.problems[0].code == "database-locked"
                lost = not locked and self._lost()
                # A commit that was not answered may have happened: doing it twice could count people twice.
                if tried == PATIENCE or not (locked or (lost and (repeatable or not self.committing))):
                    raise
                if lost:
                    doubted = doubted or self.committing
                    time.sleep(min(2.0, 0.05 * 2**tried))  # a restart takes a second; 20 s in all
        raise AssertionError

    def _lost(self) -> bool:
        """Whether PostgreSQL hung up (a restart, an administrator); the next statement then connects anew, and what
        the old connection had been told about durability is forgotten."""
        held: Any = self.connection.connection
        if self.is_sqlite or not (held is None or held.closed):
            return False
        with self.lock:
            self.connection.close()
            self.fully = None
            self.lost += 1
            self.own += ANEW
        return True

    def _once(self, work: Callable[[Run], T], on_the_disk: bool, alone: bool, doubted: bool) -> T:
        self.committing = False
        self.connection.ensure_connection()
        if on_the_disk != self.fully:
            self._say(self._durability(on_the_disk))
            self.fully = on_the_disk
        if alone and not self.is_sqlite:
            try:
                return work(Run(self, doubted=doubted))
            except Error as error:  # the answer to the statement is the answer to its commit
                self.committing = not _ended_by_the_server(error)
                raise
        try:
            with self._whole():
                return work(Run(self, doubted=doubted))
        except SomeUnchanged:
            with self._whole():
                return work(Run(self, singly=True, doubted=doubted))

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """BEGIN … COMMIT by hand on a connection in autocommit: a fifth of what transaction.atomic() costs a mail."""
        self._say("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        try:
            yield
            self.committing = True
            self._say("COMMIT")
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                self._say("ROLLBACK")
            raise

    def _say(self, words: str) -> None:
        """A statement without values or rows, past Django's cursor, which took longer over it than the database."""
        with self.connection.wrap_database_errors:
            self.connection.connection.execute(words)

    def _durability(self, on_the_disk: bool) -> str:
        if self.is_sqlite:
            return f"PRAGMA synchronous={'FULL' if on_the_disk else 'NORMAL'}"
        return f"SET synchronous_commit = {'on' if on_the_disk else 'off'}"

    def clock(self, seconds: int = 0) -> str:
        """SQL for the database's own time, some seconds from now: leases of two computers compare by it."""
        if self.is_sqlite:
            return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '{seconds:+d} seconds')"
        return f"(clock_timestamp() + interval '{seconds} seconds')" if seconds else "clock_timestamp()"

    def table(self, name: str, types: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Rows of values as a table `name` with column1, column2 … for FROM, and its parameters.

        PostgreSQL: an array for each column, so that the statement is the same for any number of rows; as VALUES the
        client read a new text each time, 70 us a row.
        """
        if self.is_sqlite:
            marks = f"({', '.join(['%s'] * len(types))})"
            return f"(VALUES {', '.join([marks] * len(rows))}) AS {name}", [value for row in rows for value in row]
        columns = ", ".join(f"column{number}" for number in range(1, len(types) + 1))
        marks = ", ".join(f"CAST(%s AS {kind}[])" for kind in types)
        return f"unnest({marks}) AS {name}({columns})", self.arrays(types, rows)

    def arrays(self, types: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
        """PostgreSQL: the columns of these rows as the texts of arrays; psycopg takes 1 us a value for a list."""
        if not rows:
            return ["{}"] * len(types)
        return [_array(kind, column) for kind, column in zip(types, zip(*rows, strict=True), strict=True)]

    def among(self, column: str, ids: Sequence[int]) -> tuple[str, Any]:
        """SQL for "is one of these", the same for any number of them, and its one parameter."""
        if self.is_sqlite:
            return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps([*ids])  # noqa: S608 (names of ours)
        return f"{column} = ANY(CAST(%s AS bigint[]))", _array("bigint", ids)

    def adapted(self, params: Sequence[Any]) -> list[Any]:
        return [self.time(value) if isinstance(value, datetime) else value for value in params]

    def time(self, value: datetime) -> Any:
        """A moment as the database keeps it, so that it compares with what the models wrote."""
        return self.connection.ops.adapt_datetimefield_value(value)


def loaded(value: Any) -> Any:
    """A JSON column read by raw SQL: SQLite gives text, PostgreSQL the value itself."""
    return _read(value)[0] if isinstance(value, str) else value


@contextmanager
def whole() -> Iterator[None]:
    """A transaction of the calling thread; a full, locked or damaged database is said in words."""
    with database.problems_of(), transaction.atomic():
        yield
