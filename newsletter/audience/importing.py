"""Brings a file of people in: reads and compares it first, then makes the changes, any number of times the same."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from newsletter.audience import columns as header
from newsletter.audience import database, exporting, guided, selecting, spreadsheet
from newsletter.audience.columns import Told
from newsletter.audience.formulas import neutral
from newsletter.audience.guided.past import WORDS
from newsletter.audience.guided.reading import GuidedPeople
from newsletter.audience.people import People, Refused, Staged
from newsletter.audience.spreadsheet import Table
from newsletter.audience.staged_past import StagedPast
from newsletter.audience.staging import BATCH, Stage
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
    repeated: int = 0  # rows joined into another row of the same address
    refused: int = 0
    off: int = 0  # not taken: they left at the service that the file comes from, or could not be reached there
    stopped: int = 0  # what changes here because of them: choices and addresses
    there: dict[str, int] = field(
        default_factory=dict
    )  # what they were at that service: word → people, or rows of `off`

    @property
    def adds_up(self) -> bool:
        taken = self.new + self.updated + self.unchanged + self.off
        return self.rows == taken + sum(self.suppressed.values()) + self.left + self.repeated + self.refused

    @property
    def changes(self) -> bool:
        """Whether the import does anything."""
        return bool(self.new + self.updated + self.stopped)

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__}


@dataclass
class Plan:
    """A file read and compared, nothing changed yet. `preview` holds the first people, cell by cell."""

    name: str
    path: Path
    encoding: str  # for people, such as UTF-8, or Excel workbook
    delimiter: str  # for people, such as semicolons, or the sheet
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


def plan(
    path: Path,
    config: Config,
    list_key: str | Sequence[str] = "",
    *,
    encoding: str = "",
    mapped: Sequence[str] = (),
    service: str = "",
    state: str = "",
    on_progress: Progress = lambda *_: None,
) -> Plan:
    """Read the whole file into temporary tables and say what importing it would do; changes nothing anywhere.

    Raises NewsletterError where the file as a whole cannot be used (no e-mail column, not a CSV file, unknown list …);
    rows that cannot be used are Problems of the plan, the first twenty one by one. Memory stays flat.
    `encoding`: how the file is written, where somebody knows; empty: find out. `mapped`: `Their column=email`.
    `service`: a key of guided.SERVICES that exported the file; `state`: one of guided.STATES that all of it had.
    """
    started = time.monotonic()
    keys = _lists([list_key] if isinstance(list_key, str) and list_key else list_key, config)
    told = header.mapping(mapped, config)
    name = _name(path, config)
    table = spreadsheet.open_table(path, name, encoding)
    try:
        people = _people(table, config, keys, told, service, state)
        columns = people.columns
        if not keys and columns.at("lists") is None and people.on_lists:
            raise NewsletterError(_which_list(config, name), exit=Exit.USAGE)
        counts, problems = Counts(), [*table.problems, *columns.problems]
        stage, again = _staged(table, people, counts, problems, on_progress)
        stay_off, first = stage.stay_off(), stage.first_people(5)
    finally:
        spreadsheet.close(table)
    problems += [*_repeated(again, counts.repeated, name), *_too_many(counts.refused, name), *people.notes()]
    if not counts.rows:
        hint = "Below the columns’ names there must be a row for each person. Was the right sheet saved?"
        message = f"{name} holds nobody: it has a heading and no rows"
        raise NewsletterError(Problem("no-rows", message, hint, Where(name)))
    return Plan(
        name=name,
        path=path,
        encoding="Excel workbook" if table.sheet else spreadsheet.encoding_name(table.encoding),
        delimiter=f"sheet ‘{table.sheet}’" if table.sheet else spreadsheet.DELIMITERS[table.delimiter],
        lists=tuple(people.lists),
        counts=counts,
        stay_off=stay_off,
        problems=problems,
        preview=_preview(first),
        header=tuple(table.header),
        seconds=time.monotonic() - started,
        _stage=stage,
        _config=config,
    )


def _staged(
    table: Table, people: People, counts: Counts, problems: list[Problem], on_progress: Progress
) -> tuple[Stage, list[tuple[int, int, str]]]:
    """Read all rows into temporary tables and compare them; also gives the first repeated addresses."""
    with database.problems_of():
        stage = Stage()
        if isinstance(people, GuidedPeople):
            stage.remember()
        rows = _read(table, people, stage, counts, problems, on_progress)
        while batch := list(islice(rows, _STEP)):
            stage.add(batch)
        on_progress("comparing", 0, 0)
        counts.repeated, again = stage.sort()
        stage.name_lists(people.lists, make=False)
        if stage.past:
            problems += _settle(stage.past, len(people.lists), counts)
        _count(counts, stage.classify(), stage)
        counts.stopped = stage.past.changing() if stage.past else 0
        return stage, again


def run(plan: Plan, *, wording: str = "", basis: str = "", on_progress: Progress = lambda *_: None) -> Imported:
    """Make the changes of a plan, 10,000 people to a transaction, and keep refused rows in `recipients/…refused.csv`.

    Each person's record, subscriptions and proof are written together. Killed half-way, some people are in and the
    others are not; the same import again brings in exactly the rest. Raises NewsletterError: database-locked, -full.
    `wording`: what the people were told, kept with each ConsentEvent beside the file's name; `basis`: why they
    may be written to without having been asked, kept there too.
    """
    from django.utils import timezone

    from newsletter.audience.models import Wording

    started, now, stage = time.monotonic(), timezone.now(), plan._stage
    before = plan.counts
    counts = Counts(before.rows, repeated=before.repeated, refused=before.refused, off=before.off, there=before.there)
    verdicts: dict[str, int] = {}
    with _refused_kept(plan, stage) as kept, database.problems_of():
        stage.name_lists(plan.lists, make=True)
        why = f"Imported from {plan.name}{f'; without asking: {basis}' if basis else ''}"
        for low, high in stage.past.batches(BATCH) if stage.past and before.stopped else ():
            counts.stopped += stage.record(low, high, now, why)
            on_progress("recording who left", high, stage.past.last if stage.past else high)
        words = Wording.of(wording)
        shown = words.pk if words else None
        if not before.new + before.updated:  # nothing to do: comparing all of them again would tell no more
            verdicts = stage.verdicts()
        for low, high in () if verdicts else stage.batches():
            for verdict, people in stage.apply(low, high, now, shown, why).items():
                verdicts[verdict] = verdicts.get(verdict, 0) + people
            on_progress("importing", high, stage.size)
        _count(counts, verdicts, stage)
        stage.drop()
    return Imported(counts, kept, time.monotonic() - started)


def _read(
    table: Table, people: People, stage: Stage, counts: Counts, problems: list[Problem], on_progress: Progress
) -> Iterator[Staged]:
    size = table.path.stat().st_size
    refused: list[tuple[int, str, str]] = []
    person, rows = people.person, 0
    known = people if isinstance(people, GuidedPeople) else None
    for row in table.rows():
        rows += 1
        if not rows % _STEP:
            on_progress("reading", table.position(), size)
            if known:
                stage.keep(known.remembered)
        try:
            if row.fault is None:
                if (one := person(row)) is not None:
                    yield one
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
    if known:
        stage.keep(known.remembered)


def _people(
    table: Table, config: Config, keys: tuple[str, ...], mapped: dict[str, str], service: str, state: str
) -> People:
    """Who turns the rows of this file into people."""
    examples = spreadsheet.examples(table)
    if not service:
        return People(
            table, header.understand(table.header, config, table.name, Told(mapped, {}, examples)), config, keys
        )
    guide = guided.guide(service, table.header, config, table.path, state)
    told = Told(mapped, guide.names, examples)
    columns = header.understand([*table.header, *guide.extra], config, table.name, told)
    return GuidedPeople(table, columns, config, keys, guide)


def _settle(past: StagedPast, lists: int, counts: Counts) -> list[Problem]:
    """Decide what each address of an export was, and count it."""
    counts.repeated += past.settle(lists)
    off = past.counts()
    counts.off = sum(off.values())
    counts.there = {WORDS[was]: rows for was, rows in sorted({**past.chosen(), **off}.items())}
    if not (undated := past.undated()):
        return []
    message = f"{undated:,} rows do not say since when; the day of the import is written down for them"
    return [Problem("undated", message, severity=Severity.NOTE, affected=undated)]


def _lists(keys: Sequence[str], config: Config) -> tuple[str, ...]:
    """The lists that were named; a segment has no members of its own. Raises NewsletterError(unknown-list)."""
    for key in selecting.known(config, keys):
        if key not in config.lists:
            hint = f"The lists are: {', '.join(config.lists) or 'none yet: add [lists.KEY] to newsletter.toml'}."
            message = f"‘{key}’ is a segment: who is in it is worked out anew each time, so nobody can be put into it"
            raise NewsletterError(Problem("not-a-list", message, hint), exit=Exit.USAGE)
    return tuple(dict.fromkeys(keys))


def _count(counts: Counts, verdicts: dict[str, int], stage: Stage) -> None:
    counts.new, counts.updated = verdicts.get("new", 0), verdicts.get("updated", 0)
    counts.unchanged, counts.left = verdicts.get("unchanged", 0), verdicts.get("left", 0)
    counts.suppressed = stage.suppressed() if verdicts.get("suppressed") else {}


def _preview(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    keys = ("email", "name", "first_name", "last_name", "language", "attributes", "verdict")
    people = [dict(zip(keys, row, strict=True)) for row in rows]
    for person in people:
        person["attributes"] = json.loads(person["attributes"])
    return people


@contextmanager
def _refused_kept(plan: Plan, stage: Stage) -> Iterator[Path | None]:
    """Write the refused rows beside their file's name; they take its place only when the block (the import) ends well,
    for it may be the very file that was read. The file's own delimiter, so that the same program opens it."""
    if not plan.counts.refused:
        yield None
        return
    stem = plan.path.name.removesuffix(plan.path.suffix).removesuffix(".refused")
    path = plan._config.root / "recipients" / f"{stem}.refused.csv"
    with exporting.whole_file(path) as target:
        delimiter = next((sign for sign, word in spreadsheet.DELIMITERS.items() if word == plan.delimiter), ",")
        writer = csv.writer(target, delimiter=delimiter)
        writer.writerow([header.REASON, *plan.header])
        for _, reason, cells in stage.refused():
            writer.writerow([reason, *map(neutral, json.loads(cells))])
        yield path


def _name(path: Path, config: Config) -> str:
    resolved, root = path.resolve(), config.root.resolve()
    return str(resolved.relative_to(root)) if resolved.is_relative_to(root) else str(path)


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
