"""The few words that SQLite and PostgreSQL say differently; everything else is one SQL for both.

Each function gives a piece of SQL for the database that is open. JSON columns are text in SQLite and jsonb in
PostgreSQL; raw SQL reads both as text. Pieces only hold names of ours: every value stays a parameter.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_COUNTING = {
    "work_mem": "'64MB'",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "1",
    "enable_parallel_hash": "off",
}
_ASKED = 0x61736B  # "ask": the family of PostgreSQL's advisory locks of one_at_a_time


def is_sqlite() -> bool:
    """Which of the two is open."""
    from django.db import connection

    return connection.vendor == "sqlite"


def one_at_a_time(what: str) -> None:
    """Until the caller's transaction ends nobody else does `what`. SQLite has one writer anyway (BEGIN IMMEDIATE)."""
    from django.db import connection

    if not is_sqlite():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ASKED, zlib.crc32(what.encode()) - (1 << 31)])


def hold(lock: int) -> None:
    """The same under a number that all of a kind share, such as staging.LOCK of all imports."""
    from django.db import connection

    if not is_sqlite():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])


def live(subscription: str) -> str:
    """An SQL condition: this subscription is confirmed and not paused now, so that mail goes to it."""
    row = subscription
    return f"{row}.state = 'confirmed' AND ({row}.paused_until IS NULL OR {row}.paused_until <= CURRENT_TIMESTAMP)"


def odd(subscription: str) -> str:
    """An SQL condition: this subscription brings no mail, or did not always. Word for word the condition of an index
    (models.Subscription), else SQLite does not use it."""
    return f"({subscription}.state IN ('pending', 'left') OR {subscription}.paused_until IS NOT NULL)"


@contextmanager
def counting() -> Iterator[None]:
    """Inside, PostgreSQL plans for counting people. With its 4 MB a hash of 200,000 people goes to the disk, and pages
    taken for four times as dear as the next one make it read whole tables for 20,000 people: 400 instead of 160 ms. One
    helper beside it, not two: on two cores three took from one another. And no hash that both fill: of a million people
    on a list it took 620 ms, where 390 walk over two indexes side by side."""
    if is_sqlite():
        yield
        return
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {name} = {value}" for name, value in _COUNTING.items()))
        yield
        cursor.execute("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _COUNTING))  # a caller may go on


def fact(column: str) -> str:
    """The JSON value of one key in a JSON object; takes one parameter, see `key`. NULL where there is none."""
    return f"json_extract({column}, %s)" if is_sqlite() else f"({column} -> CAST(%s AS text))"


def fact_text(column: str) -> str:
    """The same as text, for comparing with words."""
    return f"json_extract({column}, %s)" if is_sqlite() else f"({column} ->> CAST(%s AS text))"


def key(name: str) -> str:
    """The parameter of `fact`: SQLite takes a path, PostgreSQL the key."""
    return f'$."{name}"' if is_sqlite() else name


def as_json(value: str) -> str:
    """A text as a JSON value, so that it is nested and not quoted."""
    return f"json({value})" if is_sqlite() else f"CAST({value} AS jsonb)"


def json_object(pairs: Iterable[str]) -> str:
    """A JSON object of `key, value` pieces; each key is a parameter."""
    name = "json_object" if is_sqlite() else "jsonb_build_object"
    return f"{name}({', '.join(pairs)})"


def array_of(column: str) -> str:
    """The rows' values as one JSON array, in the order in which they come."""
    return f"json_group_array({column})" if is_sqlite() else f"jsonb_agg({column})"


def joined(column: str, between: str) -> str:
    """The rows' values as one text."""
    return f"group_concat({column}, '{between}')" if is_sqlite() else f"string_agg({column}, '{between}')"


def each(array: str, name: str) -> str:
    """The entries of a JSON array as rows `name.value`, for FROM; none for NULL."""
    return f"json_each({array}) AS {name}" if is_sqlite() else f"jsonb_array_elements_text({array}) AS {name}(value)"


def has(array: str, text: str) -> str:
    """Whether a JSON array of texts has this entry. SQLite keeps the array as JSON text, and so looks for its text."""
    return f"instr({array}, json_quote({text})) > 0" if is_sqlite() else f"jsonb_exists({array}, {text})"


def merged(old: str, new: str) -> str:
    """One JSON object over another, key by key (RFC 7396; our values are flat and never null)."""
    return f"json_patch({old}, {new})" if is_sqlite() else f"({old} || {new})"


def least(values: Sequence[str]) -> str:
    """The least of some numbers that are all there; SQLite's min of one would be that of all rows. 0 of none."""
    return f"{'min' if is_sqlite() else 'least'}({', '.join(values)})" if len(values) > 1 else "".join(values) or "0"


def greatest(values: Sequence[str]) -> str:
    """The greatest of some numbers that are all there; 0 of none."""
    return f"{'max' if is_sqlite() else 'greatest'}({', '.join(values)})" if len(values) > 1 else "".join(values) or "0"


def column_types() -> dict[str, str]:
    """The types of temporary tables: SQLite needs none, and its INTEGER PRIMARY KEY counts by itself.

    On PostgreSQL what is `counted` has no index yet: one made when all rows are there is half as dear.
    """
    if is_sqlite():
        return {
            "text": "",
            "json": "",
            "number": "",
            "counted": "INTEGER PRIMARY KEY",
            "key": "INTEGER PRIMARY KEY",
            "time": "",
            "passing": "",
        }
    counted = "bigint GENERATED BY DEFAULT AS IDENTITY"
    return {
        "text": "text",
        "json": "jsonb",
        "number": "bigint",
        "counted": counted,
        "key": "bigint PRIMARY KEY",
        "time": "timestamptz",
        "passing": "ON COMMIT DELETE ROWS",  # deleted rows of a temporary table are read again and again: no VACUUM
    }


def temporary(table: str) -> str:
    """The full name of a temporary table, so that no real one is ever meant."""
    return f"temp.{table}" if is_sqlite() else f"pg_temp.{table}"


def load(cursor: Any, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append many rows. PostgreSQL: COPY, because each INSERT would be a round trip of 40 us."""
    if is_sqlite():
        marks = ", ".join(["%s"] * len(columns.split(",")))
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608 (names of ours)
        return
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
