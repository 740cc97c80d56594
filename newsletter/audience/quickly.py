"""Single rows and short statements for the public pages: what a page asks the database for must not take longer than
making the page.

`objects.filter(…).first()` takes 0.27 ms of our CPU on SQLite and 0.5 on PostgreSQL, the same row as here 0.05 and
0.15; a page asks four times. PostgreSQL keeps these statements prepared: a row takes 58 us of its time instead of 102.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.models import Model

from newsletter.audience import dialect
from newsletter.audience.models import Subscription

Row = TypeVar("Row", bound=Model)


def first(
    model: type[Row],
    where: str,
    params: Sequence[object],
    columns: Sequence[str] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> Row | None:
    """The row of which this is true. `where`: a condition of our own in SQL, by whose columns a row is the only one.
    `columns`: the names of those that are read; all without. `more`: what else is asked with it, as an attribute."""
    return next(iter(every(model, where, params, columns, more)), None)


def held(model: type[Row], where: str, params: Sequence[object]) -> Row | None:
    """The same, and the row is ours until the caller's transaction ends. SQLite has one writer anyway."""
    return first(model, where if dialect.is_sqlite() else f"{where} FOR UPDATE", params)


def every(
    model: type[Row],
    where: str,
    params: Sequence[object],
    columns: Sequence[str] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> list[Row]:
    """All rows of which this is true, in no order."""
    reader = _reader(model, tuple(columns))
    asked = ", ".join((reader.columns, *more.values()))
    sql = f"SELECT {asked} FROM {model._meta.db_table} WHERE {where}"  # noqa: S608 (names of ours)
    size, found = len(reader.names), []
    for row in rows(sql, params):
        one = model.from_db(connection.alias, reader.names, reader.values(row[:size]))
        for name, value in zip(more, row[size:], strict=True):
            setattr(one, name, value)
        found.append(one)
    return found


def rows(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What a statement of ours gives back, as the database has it; RETURNING of a change, too."""
    with _cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def change(sql: str, params: Sequence[Any] = ()) -> int:
    """How many rows a statement of ours has written."""
    with _cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        return int(cursor.rowcount)


def insert(row: Model) -> None:
    """Write down a new row that the database gives its id. Its values are made ready as by `save`."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    sql = f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({marks(fields)}) RETURNING id"  # noqa: S608 (ours)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    [(row.pk,)] = rows(sql, values)
    row._state.adding, row._state.db = False, connection.alias


def number(sql: str, params: Sequence[Any] = ()) -> int:
    """What a statement of ours counts or sums; 0 for nothing."""
    found = rows(sql, params)
    return int(found[0][0] or 0) if found else 0


def marks(values: Sequence[object]) -> str:
    """The places of so many parameters in `IN (…)`."""
    return ", ".join(["%s"] * len(values))


@cache
def without(model: type[Model], *names: str) -> tuple[str, ...]:
    """All its columns but these, for `columns`: the large ones cost more than the rest of the row."""
    return tuple(field.attname for field in model._meta.concrete_fields if field.name not in names)


def confirmed(subscriber_id: int) -> dict[str, datetime | None]:
    """Key → until when it is paused, of each list that this person is on."""
    reader = _reader(Subscription, ("paused_until",))
    sql = f"""SELECT {reader.columns}, list.key FROM audience_subscription
        JOIN audience_mailinglist AS list ON list.id = list_id
        WHERE subscriber_id = %s AND state = 'confirmed'"""  # noqa: S608 (names of ours)
    return {row[1]: reader.values(row[:1])[0] for row in rows(sql, [subscriber_id])}


@dataclass(frozen=True)
class _Reader:
    """How rows of a table are read: `columns` in SQL, their names, and by place what makes Python's value of one."""

    columns: str
    names: tuple[str, ...]
    made: tuple[tuple[int, Any, Any], ...]

    def values(self, row: Iterable[Any]) -> list[Any]:
        found = list(row)
        for place, make, expression in self.made:
            found[place] = make(found[place], expression, connection)
        return found


def _reader(model: type[Model], columns: tuple[str, ...]) -> _Reader:
    """Kept with the connection, whose own functions are in it."""
    known: dict[Any, _Reader] = vars(connections[connection.alias]).setdefault("newsletter_readers", {})
    if (found := known.get((model, columns))) is None:
        found = known[model, columns] = _made(model, columns)
    return found


def _made(model: type[Model], columns: tuple[str, ...]) -> _Reader:
    table, quote = model._meta.db_table, connection.ops.quote_name
    fields = [field for field in model._meta.concrete_fields if not columns or field.attname in columns]
    if columns and len(fields) != len(columns):
        raise ValueError(f"{table} has not all of {', '.join(columns)}")
    made = []
    for place, field in enumerate(fields):
        expression = field.get_col(table)
        makers = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]
        made += [(place, make, expression) for make in makers]
    # By name, not *: a prepared statement survives a column that a newer version adds.
    names = ", ".join(f"{quote(table)}.{quote(str(field.column))}" for field in fields)
    return _Reader(names, tuple(field.attname for field in fields), tuple(made))


def _cursor() -> Any:
    """Django's cursor; on PostgreSQL around one that prepares its statements, where Django's own writes every value
    into the text."""
    if dialect.is_sqlite():
        return connection.cursor()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    cursor = _preparing()(connection.connection)
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


@cache
def _preparing() -> Any:
    import psycopg

    class Preparing(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
            return super().execute(query, params, prepare=True)

    return Preparing


def _adapted(params: Sequence[Any]) -> list[Any]:
    """Moments as the models write them, so that they compare."""
    adapt = connection.ops.adapt_datetimefield_value
    return [adapt(one) if isinstance(one, datetime) else one for one in params]
