"""Reads a list of addresses that must never be mailed: a table with a header (CSV, TSV, XLSX), or one a line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.utils import timezone

from newsletter.audience import columns, refusing, spreadsheet, subscribing, workbook
from newsletter.audience.formulas import neutral, plain
from newsletter.audience.spreadsheet import Row, Table
from newsletter.audience.subscribing import ALL, BULK, Stop
from newsletter.audience.workbook import Book
from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.problems import NewsletterError, Problem, Where

STEP = 1_000  # addresses to a transaction: 50 ms under the write lock
SHOWN = 20  # refused rows that are explained one by one; all of them are in the file

Progress = Callable[[str, int, int], None]

# What other programs call what happened; anything else is taken for their own wish, which only they can undo.
_REASONS = {
    "complaint": ("complaint", "complained", "spam", "abuse", "fbl", "blocklisted", "blacklisted"),
    "gone": ("gone", "bounce", "bounced", "hard bounce", "hardbounce", "hard_bounce", "cleaned", "invalid", "dead"),
    "staff": ("staff", "admin", "manual", "manually"),
    "unsubscribed": ("unsubscribed", "unsubscribe", "opt-out", "optout", "opted out", "left", "removed"),
}
_MEANING = {word: reason for reason, words in _REASONS.items() for word in words}
_EMAIL = ("email", "e-mail", "email address", "e-mail address", "address", "mail", "recipient")
_WHY = ("reason", "why", "status", "type", "cause")
_WHEN = ("date", "at", "since", "created", "created_at", "time", "timestamp", "unsubscribed at", "unsub_time")


@dataclass
class Counts:
    """rows = suppressed + already + repeated + refused."""

    rows: int = 0
    suppressed: int = 0
    already: int = 0
    repeated: int = 0
    refused: int = 0


@dataclass
class Taken:
    """What became of a list."""

    counts: Counts = field(default_factory=Counts)
    refused_file: Path | None = None
    spared: Path | None = None  # an earlier file of refused rows that somebody has mended; left as it is
    problems: list[Problem] = field(default_factory=list)
    own: int = 0  # rows taken as the people's own wish, which they can undo by signing up


@dataclass(frozen=True)
class _Places:
    """Where what stands; -1: nowhere. `headless`: the first row is an address already."""

    email: int
    why: int = -1
    when: int = -1
    headless: bool = False


def scope_of(reason: str) -> str:
    """What a reason stops: an address that is gone gets nothing at all, everything else no mailings."""
    return ALL if reason == "gone" else BULK


def take(
    path: Path,
    config: Config,
    *,
    reason: str = "unsubscribed",
    by: str = "",
    dry_run: bool = False,
    on_progress: Progress = lambda *_: None,
) -> Taken:
    """Suppress every address of the file; the same file again changes nothing. `reason` is for rows that name none.

    Rows that hold no address are kept with the reason in recipients/NAME.refused.csv, to be mended. Killed half-way,
    run again: the rest is taken. Raises NewsletterError as `recipients import` does for files it cannot use.
    """
    name = spreadsheet.readable(path.name)
    table = _opened(path, name)
    taken = Taken(problems=list(table.problems))
    seen: set[str] = set()
    refused: list[tuple[str, list[str]]] = []
    try:
        places = _places(table, name)
        found = _stops(table, places, reason, taken, refused, seen)
        size = max(1, path.stat().st_size)
        while batch := list(islice(found, STEP)):
            if dry_run:
                continue
            made, already = subscribing.suppress_all(batch, "import", why=name, by=by)
            taken.counts.suppressed += made
            taken.counts.already += already
            on_progress("suppressing", table.position(), size)
    finally:
        table.close()
    if not taken.counts.rows:
        hint = "Below the columns’ names there must be a row for each address. Was the right sheet saved?"
        message = f"{name} holds nobody: it has a heading and no rows"
        raise NewsletterError(Problem("no-rows", message, hint, Where(name)))
    if refused and not dry_run:
        taken.refused_file, taken.spared = _keep(path, config, table, places, refused)
    return taken


def _opened(path: Path, name: str) -> Table | Book:
    """A workbook as it is, or a table."""
    return Book(path, name) if workbook.is_workbook(path) else spreadsheet.open_table(path, name)


def _places(table: Table | Book, name: str) -> _Places:
    titles = [cell.strip().strip("\ufeff").casefold() for cell in table.header]
    if any("@" in title for title in titles):
        return _Places(next(place for place, title in enumerate(titles) if "@" in title), headless=True)

    def place(names: tuple[str, ...]) -> int:
        return next((place for word in names for place, title in enumerate(titles) if title == word), -1)

    email = place(_EMAIL)
    if email < 0:
        hint = f"Call the column with the addresses ‘email’. Right now it has: {', '.join(titles)[:200]}."
        raise NewsletterError(
            Problem("no-email-column", "No column of this file holds addresses", hint, Where(name, 1))
        )
    return _Places(email, place(_WHY), place(_WHEN))


def _rows(table: Table | Book, places: _Places) -> Iterator[Row]:
    if places.headless:
        yield Row(1, 1, list(table.header))
    yield from table.rows()


def _stops(
    table: Table | Book,
    places: _Places,
    reason: str,
    taken: Taken,
    refused: list[tuple[str, list[str]]],
    seen: set[str],
) -> Iterator[Stop]:
    for row in _rows(table, places):
        taken.counts.rows += 1
        cells = row.cells
        try:
            if row.fault:
                raise ValueError(row.fault.message)
            canonical = addresses.canonical(plain(_cell(cells, places.email)))
            if len(canonical) > 320:
                raise ValueError("it is too long")
            at = _moment(_cell(cells, places.when))
        except ValueError as error:
            taken.counts.refused += 1
            refused.append((str(error), list(cells)))
            if taken.counts.refused <= SHOWN:
                message = f"Row {row.number}: {error}"
                taken.problems.append(row.fault or Problem("bad-address", message, where=Where(table.name, row.line)))
            continue
        if canonical in seen:
            taken.counts.repeated += 1
            continue
        seen.add(canonical)
        meant = _MEANING.get(_cell(cells, places.why).casefold(), reason)
        taken.own += meant == "unsubscribed"
        yield Stop(canonical, scope_of(meant), meant, at)


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if 0 <= place < len(cells) else ""


def _moment(text: str) -> datetime | None:
    """ISO 8601, with or without a time; a date that we cannot read is no reason to mail somebody, so it is left out."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if found is None:
        return None
    found = found if found.tzinfo else timezone.make_aware(found)
    return min(found, timezone.now())


def _keep(
    path: Path, config: Config, table: Table | Book, places: _Places, refused: list[tuple[str, list[str]]]
) -> tuple[Path, Path | None]:
    target, spared = refusing.place(path, config)
    title = ["email"] if places.headless else table.header
    with refusing.kept(target, config) as out:
        writer = csv.writer(out, delimiter=table.delimiter if isinstance(table, Table) else ",")
        writer.writerow([columns.REASON, *title])
        for why, cells in refused:
            writer.writerow([why, *map(neutral, cells)])
    return target, spared
