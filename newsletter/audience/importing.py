"""Brings a file of people in: reads and compares it first, then makes the changes, any number of times the same."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter.audience import columns as header
from newsletter.audience import database, refusing, selecting, services, spreadsheet, workbook
from newsletter.audience.basis import Basis
from newsletter.audience.formulas import neutral
from newsletter.audience.people import People, Refused, Staged
from newsletter.audience.spreadsheet import Table
from newsletter.audience.staging import Stage
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where

SHOWN = 20  # refused rows that are explained one by one; all of them are in the file
_STEP = 5_000  # rows held in memory, good or refused

Progress = Callable[[str, int, int], None]  # what, how far, of how much (bytes while reading, people while writing)


@dataclass
class Counts:
    """What became of the rows: rows = new + updated + unchanged + suppressed + left + repeated + refused."""

    rows: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: dict[str, int] = field(default_factory=dict)  # left out, by the suppression's reason
    left: int = 0  # left out: they left every list that the file names for them
    departed: dict[str, int] = field(default_factory=dict)  # of another service: left, blocked … there, or stayed here
    departing: int = 0  # those of the departed for whom something changes here
    taken_off: int = 0  # those of the departing who are on a list now
    repeated: int = 0  # rows joined into another row of the same address
    refused: int = 0

    @property
    def adds_up(self) -> bool:
        taken = self.new + self.updated + self.unchanged
        out = sum(self.suppressed.values()) + sum(self.departed.values())
        return self.rows == taken + out + self.left + self.repeated + self.refused

    @property
    def changes(self) -> int:
        """People for whom something would be written."""
        return self.new + self.updated + self.departing

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__}


@dataclass
class Plan:
    """A file read and compared, nothing changed yet. `preview` holds the first people, cell by cell."""

    name: str
    path: Path
    encoding: str  # for people, such as UTF-8
    delimiter: str  # for people, such as semicolons, or the sheet of a workbook
    lists: tuple[str, ...]  # every list that the file or --list names
    counts: Counts
    stay_off: int  # people taken who stay off a list that they left
    problems: list[Problem]
    preview: list[dict[str, Any]]
    header: tuple[str, ...]
    seconds: float
    _stage: Stage = field(repr=False)
    _config: Config = field(repr=False)


@dataclass
class Imported:
    """What an import did."""

    counts: Counts
    refused_file: Path | None
    seconds: float
    spared: Path | None = None  # an earlier file of refused rows that somebody has mended; left as it is


def plan(
    path: Path,
    config: Config,
    list_key: str | Sequence[str] = "",
    *,
    encoding: str = "",
    sheet: str = "",
    service: str = "",
    state: str = "",
    renamed: Mapping[str, str] = MappingProxyType({}),
    on_progress: Progress = lambda *_: None,
) -> Plan:
    """Read the whole file into temporary tables and say what importing it would do; changes nothing anywhere.

    Raises NewsletterError where the file as a whole cannot be used; rows that cannot be used are Problems of the plan,
    the first twenty one by one. `encoding`: where somebody knows it; `sheet`: of a workbook, empty = the first shown;
    `service`: whose export it is; `state`: of services.TOLD, that all in it had there; `renamed`: heading → key.
    """
    started = time.monotonic()
    keys = _lists(config, [list_key] if isinstance(list_key, str) and list_key else list_key)
    name = _name(path, config)
    theirs, table = services.known(service) if service else None, _opened(path, name, encoding, sheet)
    try:
        reader = services.Reader(theirs, table.header, config, services.TOLD.get(state, "")) if theirs else None
        columns = _columns(table, config, {**(theirs.renamed(table.header, name) if theirs else {}), **renamed}, reader)
        if on_lists := theirs is None or theirs.on_lists(table.header):
            _ask_for_list(keys, columns, config, name)
        people = People(table, columns, config, keys)
        counts, problems = Counts(), [*table.problems, *columns.problems]
        with database.problems_of():
            stage = Stage()
            _stage_all(stage, _read(table, people, stage, counts, problems, on_progress, reader), people, reader)
            on_progress("comparing", 0, 0)
            stage.name_lists(people.lists, make=False)
            counts.repeated, again = stage.sort()
            _count(counts, stage.classify(), stage)
            counts.departing, counts.taken_off = stage.departing()
            stay_off, first = stage.stay_off(), stage.first_people(5)
    finally:
        table.close()
    problems += [*_repeated(again, counts.repeated, name), *_too_many(counts.refused, name)]
    problems += [note for note in people.notes() if on_lists or note.code != "without-list"]
    _refuse_empty(counts, name)
    return Plan(
        name=name,
        path=path,
        encoding=spreadsheet.encoding_name(table.encoding),
        delimiter=table.layout,
        lists=tuple(people.lists),
        counts=counts,
        stay_off=stay_off,
        problems=problems,
        preview=_preview(first),
        header=columns.header,
        seconds=time.monotonic() - started,
        _stage=stage,
        _config=config,
    )


def run(plan: Plan, *, basis: Basis = Basis(), on_progress: Progress = lambda *_: None) -> Imported:  # noqa: B008
    """Make the changes of a plan, 10,000 people to a transaction, and keep refused rows in `recipients/…refused.csv`.

    Each person's record, subscriptions and proof are written together. Killed half-way, some people are in and the
    others are not; the same import again brings in exactly the rest. Raises NewsletterError: database-locked, -full.
    `basis`: why the people may be written to, kept with each ConsentEvent beside the file's name; see basis.told.
    """
    from django.utils import timezone

    from newsletter.audience.models import Wording

    started, now, stage = time.monotonic(), timezone.now(), plan._stage
    before = plan.counts
    counts = Counts(before.rows, repeated=before.repeated, refused=before.refused)
    counts.departing, counts.taken_off = before.departing, before.taken_off
    verdicts: dict[str, int] = {}
    with _refused_kept(plan, stage) as (kept, spared), database.problems_of():
        stage.name_lists(plan.lists, make=True)
        words = Wording.of(basis.wording)
        shown = words.pk if words else None
        if not before.changes:  # nothing to do: comparing all of them again would tell no more
            verdicts = stage.verdicts()
        for low, high in () if verdicts else stage.batches():
            for verdict, people in stage.apply(low, high, now, shown, basis.why(plan.name)).items():
                verdicts[verdict] = verdicts.get(verdict, 0) + people
            on_progress("importing", high, stage.size)
        _count(counts, verdicts, stage)
        stage.drop()
    return Imported(counts, kept, time.monotonic() - started, spared)


def _opened(path: Path, name: str, encoding: str, sheet: str) -> Table | workbook.Book:
    if workbook.is_workbook(path):
        return workbook.Book(path, name, sheet)
    return spreadsheet.open_table(path, name, encoding)


def _read(
    table: Table | workbook.Book,
    people: People,
    stage: Stage,
    counts: Counts,
    problems: list[Problem],
    on_progress: Progress,
    reader: services.Reader | None = None,
) -> Iterator[Staged]:
    size = table.path.stat().st_size
    refused: list[tuple[int, str, str]] = []
    person, rows = people.person, 0
    unfolded = reader.unfolded if reader and reader.extra else None
    for row in table.rows():
        rows += 1
        if not rows % _STEP:
            on_progress("reading", table.position(), size)
        if unfolded and not row.fault:
            row.cells = unfolded(row.cells)
        try:
            if row.fault is None:
                yield person(row)
                continue
            message = row.fault.message
            shown = row.fault if counts.refused < SHOWN else None
        except Refused as error:
            message = people.message(row, error)
            shown = people.problem(row, error) if counts.refused < SHOWN else None
        counts.refused += 1
        if shown:
            problems.append(shown)
        refused.append((row.number, message, json.dumps(row.cells)))
        if len(refused) >= _STEP:
            stage.refuse(refused)
            refused.clear()
    counts.rows = rows
    stage.refuse(refused)
    if table.path.stat().st_size != size:
        hint = "Wait until it is complete, then import it again: who is in already stays as they are."
        message = f"{table.name} was written to while it was read; its last row may be half a row"
        problems.append(Problem("file-changed", message, hint, Where(table.name), Severity.WARNING))


def _with_states(rows: Iterator[Staged], people: People, reader: services.Reader, stage: Stage) -> Iterator[Staged]:
    """The rows as they come, while what became of their people at the other service is noted."""
    states: list[tuple[str, str, int, datetime | None]] = []
    for person in rows:
        state, at = reader.state(people.cells)
        states.append((person[0], state, services.RANK[state], at))
        if len(states) >= _STEP:
            stage.states(states)
            states.clear()
        yield person
    stage.states(states)


def _count(counts: Counts, verdicts: dict[str, int], stage: Stage) -> None:
    counts.new, counts.updated = verdicts.get("new", 0), verdicts.get("updated", 0)
    counts.unchanged, counts.left = verdicts.get("unchanged", 0), verdicts.get("left", 0)
    counts.departed = stage.departed() if verdicts.get("departed") else {}
    counts.suppressed = stage.suppressed() if verdicts.get("suppressed") else {}


def _preview(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    keys = ("email", "name", "first_name", "last_name", "language", "attributes", "verdict", "why")
    people = [dict(zip(keys, row, strict=True)) for row in rows]
    for person in people:
        person["attributes"] = json.loads(person["attributes"])
        if person["why"] == "stayed":
            person["verdict"] = "stayed"  # nothing becomes of them
    return people


@contextmanager
def _refused_kept(plan: Plan, stage: Stage) -> Iterator[tuple[Path | None, Path | None]]:
    """Write the refused rows beside their file's name; they take its place only when the block (the import) ends well,
    for it may be the very file that was read. The file's own delimiter, so that the same program opens it."""
    if not plan.counts.refused:
        yield None, None
        return
    path, spared = refusing.place(plan.path, plan._config)
    with refusing.kept(path, plan._config) as target:
        delimiter = next((sign for sign, word in spreadsheet.DELIMITERS.items() if word == plan.delimiter), ",")
        writer = csv.writer(target, delimiter=delimiter)
        writer.writerow([header.REASON, *plan.header])
        for _, reason, cells in stage.refused():
            writer.writerow([reason, *map(neutral, json.loads(cells))])
        yield path, spared


def _name(path: Path, config: Config) -> str:
    resolved, root = path.resolve(), config.root.resolve()
    return spreadsheet.readable(str(resolved.relative_to(root) if resolved.is_relative_to(root) else path))


def _lists(config: Config, keys: Sequence[str]) -> tuple[str, ...]:
    """The keys, each once. A segment is not a list: nobody can be put into it. Raises NewsletterError(unknown-list)."""
    for key in selecting.known(config, keys):
        if key not in config.lists:
            hint = f"People join lists, and segments choose among them. The lists are: {', '.join(config.lists)}."
            raise NewsletterError(Problem("unknown-list", f"‘{key}’ is a segment, not a list", hint))
    return tuple(dict.fromkeys(keys))


def _columns(
    table: Table | workbook.Book, config: Config, told: Mapping[str, str], reader: services.Reader | None
) -> header.Columns:
    headings = [*table.header, *(reader.extra if reader else ())]
    examples = table.examples if isinstance(table, Table) else lambda _: ()
    return header.understand(headings, config, table.name, told, examples)


def _stage_all(stage: Stage, rows: Iterator[Staged], people: People, reader: services.Reader | None) -> None:
    if reader:
        rows = _with_states(rows, people, reader, stage)
    while batch := list(islice(rows, _STEP)):
        stage.add(batch)


def _refuse_empty(counts: Counts, name: str) -> None:
    if counts.rows:
        return
    hint = "Below the columns’ names there must be a row for each person. Was the right sheet saved?"
    message = f"{name} holds nobody: it has a heading and no rows"
    raise NewsletterError(Problem("no-rows", message, hint, Where(name)))


def _ask_for_list(keys: tuple[str, ...], columns: header.Columns, config: Config, name: str) -> None:
    if not keys and columns.at("lists") is None:
        raise NewsletterError(_which_list(config, name), exit=Exit.USAGE)


def _which_list(config: Config, name: str) -> Problem:
    keys = ", ".join(config.lists) or "none yet: add [lists.KEY] to newsletter.toml"
    return Problem(
        "no-list",
        f"{name} does not say which list its people join",
        hint=f"Say it with --list KEY, or add a column ‘lists’. The lists are: {keys}.",
        where=Where(name),
    )


def _repeated(again: list[tuple[int, int, str]], count: int, name: str) -> list[Problem]:
    if not count:
        return []
    examples = "; ".join(f"row {later} repeats row {first} ({address})" for later, first, address in again[:3])
    rows = "1 row repeats an address" if count == 1 else f"{count:,} rows repeat an address"
    hint = "They are joined into one person: a later cell wins unless it is empty, lists add up."
    message = f"{rows} of the file: {examples}{' …' if count > 3 else ''}"
    return [Problem("repeated-address", message, hint, Where(name), Severity.NOTE, affected=count)]


def _too_many(refused: int, name: str) -> list[Problem]:
    if refused <= SHOWN:
        return []
    message = f"{refused - SHOWN:,} more rows cannot be used"
    return [Problem("more-refused", message, "The file of refused rows holds them all.", Where(name))]
