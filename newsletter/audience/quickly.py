"""Single rows for the public pages: what a page asks the database for must not take longer than making the page.

Putting together `objects.filter(…).first()` takes 0.48 ms of CPU, the same row by `raw` 0.11; a page asks four times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from newsletter.audience import dialect
from newsletter.audience.models import Subscription

Row = TypeVar("Row", bound=Model)


def first(model: type[Row], where: str, params: Sequence[object], columns: str = "*") -> Row | None:
    """The row of which this is true. `where`: a condition of our own in SQL, by whose columns a row is the only one."""
    return next(iter(every(model, where, params, columns)), None)


def held(model: type[Row], where: str, params: Sequence[object]) -> Row | None:
    """The same, and the row is ours until the caller's transaction ends. SQLite has one writer anyway."""
    return first(model, where if dialect.is_sqlite() else f"{where} FOR UPDATE", params)


def every(model: type[Row], where: str, params: Sequence[object], columns: str = "*") -> list[Row]:
    """All rows of which this is true, in no order."""
    sql = f"SELECT {columns} FROM {model._meta.db_table} WHERE {where}"  # noqa: S608 (names of ours)
    return list(model._default_manager.raw(sql, list(params)))


def number(sql: str, params: Sequence[Any] = ()) -> int:
    """What a statement of ours counts or sums; 0 for nothing."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        found = cursor.fetchone()
    return int(found[0] or 0) if found else 0


@cache
def without(model: type[Model], *names: str) -> str:
    """All its columns but these, for `columns`: the large ones cost more than the rest of the row."""
    quote = connection.ops.quote_name
    return ", ".join(quote(str(field.column)) for field in model._meta.concrete_fields if field.name not in names)


def confirmed(subscriber_id: int) -> dict[str, datetime | None]:
    """Key → until when it is paused, of each list that this person is on."""
    sql = """SELECT row.*, list.key AS list_key FROM audience_subscription AS row
        JOIN audience_mailinglist AS list ON list.id = row.list_id
        WHERE row.subscriber_id = %s AND row.state = 'confirmed'"""
    rows: list[Any] = list(Subscription.objects.raw(sql, [subscriber_id]))
    return {row.list_key: row.paused_until for row in rows}
