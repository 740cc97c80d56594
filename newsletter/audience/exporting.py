"""Writes people to a CSV file that a spreadsheet program can open without harm and that can be imported again."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from newsletter.audience import dialect, selecting
from newsletter.audience.formulas import neutral
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Where

_NAMES = ("email", "name", "first_name", "last_name", "language", "lists", "area", "tags")

_ROWS = """
    SELECT person.address, person.name, person.first_name, person.last_name, person.language, (
        SELECT {joined} FROM (
            SELECT list.key FROM audience_subscription AS chosen
            JOIN audience_mailinglist AS list ON list.id = chosen.list_id
            WHERE chosen.subscriber_id = person.id AND chosen.state = 'confirmed' ORDER BY list.key) AS in_order
    ), person.attributes
    FROM audience_subscriber AS person
"""
_ON_LISTS = """
    WHERE EXISTS (
        SELECT 1 FROM audience_subscription AS wanted JOIN audience_mailinglist AS list ON list.id = wanted.list_id
        WHERE wanted.subscriber_id = person.id AND wanted.state = 'confirmed' AND list.key IN ({lists}))
"""


def header(config: Config) -> list[str]:
    """The columns of an export: the known ones, then every declared field."""
    return [*_NAMES, *(key for key in config.fields if key not in _NAMES)]


def rows(config: Config, list_keys: Sequence[str] = ()) -> Iterator[list[str]]:
    """Every person (of these lists) as the cells of `header`, in the order they joined; streamed, never all at once.

    Only lists that the person is on now are named; that somebody left is not in it, nor who is suppressed.
    """
    from django.db import connection

    keys = selecting.known_lists(config, list_keys)
    fields = header(config)[len(_NAMES) :]
    statement = _ROWS.format(joined=dialect.joined("key", ";"))
    statement += (_ON_LISTS.format(lists=", ".join(["%s"] * len(keys))) if keys else "") + " ORDER BY person.id"
    with connection.chunked_cursor() as cursor:  # PostgreSQL would send all of them at once otherwise
        cursor.execute(statement, keys)
        while people := cursor.fetchmany(1000):
            for *person, lists, attributes in people:
                facts = json.loads(attributes)
                area = (
                    facts["area"] if "area" in config.fields and "area" in facts else ";".join(facts.get("areas", ()))
                )
                tags = ";".join(facts.get("tags", ()))
                yield [*person, lists or "", str(area), tags, *(str(facts.get(key, "")) for key in fields)]


def to_file(config: Config, path: Path, list_keys: Sequence[str] = ()) -> int:
    """Write the CSV whole or not at all. Returns the people; raises NewsletterError(cannot-write)."""
    with whole_file(path) as target:
        return write(config, target, list_keys)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file for rows, streamed beside `path` and put in its place when the block ends well; else removed.

    UTF-8 with its mark, so that Excel reads it rightly, and for this user only: it holds people's addresses.
    Raises NewsletterError(cannot-write).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="", errors="replace") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(path)
    except OSError as error:
        hint = "Check that the folder exists, that you may write to it, and that the disk is not full."
        problem = Problem("cannot-write", f"Cannot write {path}: {error.strerror or error}", hint, Where(str(path)))
        raise NewsletterError(problem, exit=Exit.CONFIG) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)  # gone already where all went well


def write(config: Config, target: TextIO, list_keys: Sequence[str] = ()) -> int:
    """Write header and people as CSV, every cell quoted and formulas neutralised (threat T19); returns the people."""
    writer = csv.writer(target, quoting=csv.QUOTE_ALL)
    writer.writerow(header(config))
    people = 0
    for people, cells in enumerate(rows(config, list_keys), 1):  # noqa: B007 (the count of the last one)
        writer.writerow(map(neutral, cells))
    return people
