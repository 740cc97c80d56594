"""Freezing the people of a mailing: one row each, with the address and the values that its copy will show."""

# ruff: noqa: S608 - only names of columns and constants are put together; every value is a parameter

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone

from newsletter import settings
from newsletter.audience import dialect, never, selecting
from newsletter.content.model import SlotKind
from newsletter.rendering.model import Condition, Rendered
from newsletter.sending import tally
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import lists_key
from newsletter.sending.store import loaded

# Names in `{{ }}` and `only` that are not attributes of a person: the column.
COLUMNS = {
    "email": "person.address",
    "name": "person.name",
    "first_name": "person.first_name",
    "last_name": "person.last_name",
    "language": "person.language",
}
SEGMENT = "segment:"  # before the key of a segment that a block asks for
LISTS = {"tag": "tags", "area": "areas"}  # names in the mail that stand for several values, and their key


def keys_used(renders: Iterable[Rendered]) -> tuple[str, ...]:
    """The field names that the subject, the texts or the `only` blocks of these renders look at, in order."""
    names: dict[str, None] = {}
    for rendered in renders:
        names.update(dict.fromkeys(slot.key for slot in rendered.slots if slot.kind is SlotKind.FIELD))
        names.update(dict.fromkeys(asked(rendered.conditions)))
    return tuple(names)


def asked(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """What `only` blocks look at: the names of fields, and `segment:KEY` for each segment."""
    terms = [term for condition in conditions for term in condition.terms]
    names = [[f"{SEGMENT}{one}" for one in values] if key == "segment" else [key] for key, values in terms]
    return tuple(dict.fromkeys(name for several in names for name in several))


def values_sql(keys: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for the JSON object of one person's values, over a row called `person`."""
    parts: list[str] = []
    params: list[Any] = []
    segments = [key.removeprefix(SEGMENT) for key in keys if key.startswith(SEGMENT)]
    if segments:
        from newsletter.audience.segments import compiling

        array, more = compiling.array_sql(settings.current(), segments, "person.subscriber_id")
        parts.append(f"CAST(%s AS text), {array}")
        params += ["segment", *more]
    for key in keys:
        if key.startswith(SEGMENT):
            continue
        params.append(key)
        if key in COLUMNS:
            value = COLUMNS[key]
        elif key == "list":
            value = dialect.as_json("person.lists")
        else:
            value = dialect.fact("person.attributes")
            params.append(dialect.key(LISTS.get(key, key)))
        parts.append(f"CAST(%s AS text), {value}")
    return dialect.json_object(parts), params


def token_sql(person: str) -> tuple[str, list[Any]]:
    """SQL for the nine stored bytes of a person's tokens, over a column with their number, and its parameters.

    Five bytes drawn now for the whole mailing, four of the person's number from a random start on: each is another,
    their index is written in its own order (drawn by itself each of a million cost 1.6 us more), and a mailing made
    after a backup was restored has other tokens than the one that was forgotten. What they name is no secret, and
    cannot be forged: a token is signed (docs/decisions/tokens-in-order.md).
    """
    if dialect.is_sqlite():  # `char` up to 127 is one byte
        drawn = secrets.randbelow(1 << 28)
        places = ", ".join(f"({person} + {drawn}) >> {bits} & 127" for bits in (21, 14, 7, 0))
        return f"CAST(%s || CAST(char({places}) AS BLOB) AS BLOB)", [secrets.token_bytes(5)]
    drawn = secrets.randbelow(1 << 32)
    return f"(CAST(%s AS bytea) || substring(int8send({person} + {drawn}) from 5))", [secrets.token_bytes(5)]


@contextmanager
def _room(cursor: Any) -> Iterator[None]:
    """SQLite, while a million rows are written at once: memory for the indexes that are written all over, where with
    its 2 MB every other row waits; and no checks, 1 us a row: what they look at is written by the statement itself."""
    if not dialect.is_sqlite():
        yield
        return
    cursor.execute("PRAGMA cache_size = -65536")  # KiB
    cursor.execute("PRAGMA ignore_check_constraints = ON")
    try:
        yield
    finally:
        cursor.execute("PRAGMA ignore_check_constraints = OFF")
        cursor.execute("PRAGMA cache_size = -2000")


def freeze_people(
    mailing: Mailing, lists: Sequence[str], keys: Sequence[str], people: tuple[str, list[Any]] | None = None
) -> int:
    """Make the rows of everybody chosen by `lists` in one statement (0.6 us a person); returns how many.
    `people`: SQL with the columns of selecting.sql and its parameters, instead of the lists'.

    Runs inside the caller's transaction. Address, name, language, values and lists are copies: what is changed in
    the list later does not change what is sent.
    """
    never.sweep()
    chosen_by, chosen = people or selecting.sql(settings.current(), lists)
    values, named = values_sql(keys)
    token, drawn = token_sql("person.subscriber_id")
    sql = (
        'INSERT INTO sending_delivery (mailing_id, subscriber_id, canonical, address, name, language, "values",'
        " lists, token, state, attempt, tries, worker, reason, reply_text, remote_id, relay,"
        " provider, proof, changed)"
        " SELECT %s, person.subscriber_id, person.canonical, person.address, person.name, person.language,"
        f" {values}, person.lists, {token}, 'pending', 0, 0, '', '', '', '', '', '', '', %s"
        f" FROM ({chosen_by}) AS person ORDER BY person.subscriber_id"
    )
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor, _room(cursor):
        before = _last_id(cursor)
        cursor.execute(sql, [mailing.pk, *named, *drawn, now, *chosen])
        frozen = int(cursor.rowcount)
        mailing.first_id, mailing.last_id = before + 1, _last_id(cursor)
        mailing.save(update_fields=["first_id", "last_id"])
        tally.moved(cursor, mailing.pk, "", {Delivery.State.PENDING: frozen})
    return frozen


def _last_id(cursor: Any) -> int:
    """The last id that any delivery was given; on PostgreSQL other approvals may take some between two askings."""
    if dialect.is_sqlite():
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'sending_delivery'")
    else:
        cursor.execute("SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM sending_delivery_id_seq")
    return int(cursor.fetchone()[0])


def keep_unsubscribe_keys(mailing: Mailing) -> int:
    """What must run before deliveries are thrown away: an unsubscribe link never expires, so its token, person and
    lists are kept in a table of their own. Returns how many were new."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT lists FROM sending_delivery WHERE mailing_id = %s", [mailing.pk])
        made = 0
        for (lists,) in cursor.fetchall():
            chosen = sorted(loaded(lists))
            cursor.execute(
                "INSERT INTO sending_unsubscribekey (token, canonical, lists, lists_key)"
                f" SELECT d.token, d.canonical, {dialect.as_json('%s')}, %s FROM sending_delivery d"
                " WHERE d.mailing_id = %s AND d.lists = %s ON CONFLICT DO NOTHING",
                [as_json(chosen), lists_key(chosen), mailing.pk, lists],
            )
            made += int(cursor.rowcount)
    return made


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def groups(lists: Sequence[str], keys: Sequence[str]) -> list[tuple[dict[str, Any], int]]:
    """The different combinations of values of `keys` among the people of `lists`, and how many people have each.

    What the send screen counts its `only` blocks from: 17,742 people come down to a few dozen combinations.
    """
    people, chosen = selecting.sql(settings.current(), lists)
    values, named = values_sql(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {values} AS combination, COUNT(*) FROM ({people}) AS person GROUP BY combination",
            [*named, *chosen],
        )
        return [(loaded(text), count) for text, count in cursor.fetchall()]
