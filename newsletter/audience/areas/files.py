"""Reads what a body puts into `recipients/areas/`: the tree and the postcodes from CSV, the outlines from GeoJSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from newsletter.audience import spreadsheet
from newsletter.audience.areas import postcode_files, shapes
from newsletter.audience.areas.postcode_files import Codes
from newsletter.audience.headings import HEADINGS, plain
from newsletter.config import Config
from newsletter.problems import NewsletterError, Problem, Severity, Where, did_you_mean

FOLDER = "recipients/areas"
LARGEST = 300_000_000  # bytes of one GeoJSON file, which is read as a whole: about 1.5 GB of memory
_KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_TREE = ("key", "title", "kind", "parent", "code")
_NAMED = ("key", "area", "code", "id", "title", "name")  # of a feature's properties, in this order


@dataclass
class Read:
    """One area as its files say it."""

    key: str
    title: str
    kind: str
    parent: str
    code: str  # the official code (GSS, such as E05006000) by which a file of postcodes or outlines may call it
    where: Where
    boundary: dict[str, Any] | None = None
    shape: Any = None  # the same as a shapely geometry


@dataclass
class Found:
    """Everything that the files hold, and what is wrong with it."""

    areas: dict[str, Read] = field(default_factory=dict)
    codes: Codes | None = None  # None: no file of postcodes
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def read(config: Config, paths: list[Path] | None = None, stored: Mapping[str, Read] | None = None) -> Found:
    """Read the files (default: all of recipients/areas/). Problems are collected; nothing is written.

    `stored`: the areas that are loaded; they stand for the tree where the files hold none. Raises
    NewsletterError(no-area-files) where there is nothing to read.
    """
    found = Found()
    files = sorted(_files(config, paths))
    tables = [path for path in files if path.suffix.lower() == ".csv"]
    postcodes = []
    for path in tables:
        with _told(found):
            _refuse_people(path, _name(path, config))
            if postcode_files.is_one(path, _name(path, config)):
                postcodes.append(path)
            else:
                _tree(path, _name(path, config), found)
    if len(postcodes) == len(tables) and not found.problems:  # no tree
        found.areas = {key: replace(area) for key, area in (stored or {}).items()}
    _parents(found)
    drawn: set[str] = set()
    for path in files:
        if path.suffix.lower() in (".geojson", ".json"):
            with _told(found):
                _outlines(path, _name(path, config), found, drawn)
    for path in postcodes:
        with _told(found):
            found.codes = found.codes or Codes()
            names = {area.code.casefold(): key for key, area in found.areas.items() if area.code}
            postcode_files.read(path, _name(path, config), found.codes, {key: key for key in found.areas} | names)
    if found.codes:
        found.problems += found.codes.problems()
    found.files = [_name(path, config) for path in files]
    return found


class _told:
    """A file that cannot be used is a problem among the others; the rest is read all the same."""

    def __init__(self, found: Found) -> None:
        self.found = found

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if isinstance(error, NewsletterError):
            self.found.problems.extend(error.problems)
            return True
        return False


def _files(config: Config, paths: list[Path] | None) -> Iterator[Path]:
    for path in paths or [config.root / FOLDER]:
        inside = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
        usable = [
            one for one in inside if one.suffix.lower() in (".csv", ".geojson", ".json") and one.name[:1] not in "._"
        ]
        if not usable or not path.exists():
            hint = "Areas are read from areas.csv (key,title,kind,parent), .geojson (outlines) and .csv (postcodes)."
            message = f"There is no file {path}" if path.suffix else f"There are no files of areas in {path}"
            message = f"{path} is no file of areas" if path.is_file() else message
            raise NewsletterError(Problem("no-area-files", message, hint))
        yield from usable


def _name(path: Path, config: Config) -> str:
    return str(path.relative_to(config.root)) if path.is_relative_to(config.root) else str(path)


def _refuse_people(path: Path, name: str) -> None:
    """A table of people has postcodes, too; taken for those of the map it would replace them."""
    table = spreadsheet.open_table(path, name, "")
    table.close()
    if plain_headings := {plain(title) for title in table.header} & set(HEADINGS["email"]):
        message = f"{name} is a table of people, not of areas: it has a column ‘{min(plain_headings)}’"
        hint = "newsletter recipients import brings people in. Areas have key and title, postcodes a column ‘postcode’."
        raise NewsletterError(Problem("bad-area-file", message, hint, Where(name, 1)))


def _tree(path: Path, name: str, found: Found) -> None:
    """key,title,kind,parent (and code, where the official one is another): one area a row."""
    table = spreadsheet.open_table(path, name, "")
    try:
        heads = [cell.strip().casefold() for cell in table.header]
        for needed in ("key", "title"):
            if needed not in heads:
                near = did_you_mean(needed, heads)
                hint = f"{near} " if near else ""
                hint += "The first row of a tree is key,title,kind,parent; of postcodes it has a column ‘postcode’."
                message = f"{name} needs a column called ‘{needed}’. Right now it has {', '.join(table.header)[:120]}"
                raise NewsletterError(Problem("bad-area-file", message, hint, Where(name, 1)))
        for row in table.rows():
            if row.fault:
                found.problems.append(row.fault)
                continue
            cells = dict(zip(heads, map(str.strip, row.cells), strict=False))
            key, title, kind, parent, code = (cells.get(head, "") for head in _TREE)
            area = Read(key, title, kind, parent, code, table.where(row))
            problem = _wrong(area, found, table.where(row, area.key))
            if problem:
                found.problems.append(problem)
            else:
                found.areas[area.key] = area
    finally:
        spreadsheet.close(table)


def _wrong(area: Read, found: Found, where: Where) -> Problem | None:
    if not _KEY.fullmatch(area.key) or len(area.key) > 100:
        plain = re.sub(r"[^a-z0-9]+", "-", area.key.casefold() or area.title.casefold()).strip("-")
        hint = f"Write small letters, digits and hyphens{f', such as {plain}' if plain else ''}."
        return Problem("bad-area-key", f"‘{area.key[:60]}’ cannot be the key of an area", hint, where)
    if area.key in found.areas:
        hint = f"The first stands in {found.areas[area.key].where}. Each area has one row, whatever the file."
        return Problem("doubled-area", f"The area ‘{area.key}’ is there twice", hint, where)
    if not area.title or len(area.title) > 200:
        return Problem("bad-area-key", f"The area ‘{area.key}’ needs a title of 1 to 200 letters", "", where)
    area.kind = area.kind[:40]
    return None


def _parents(found: Found) -> None:
    """Every parent is there, and nobody is their own grandparent."""
    for area in list(found.areas.values()):
        if area.parent and area.parent not in found.areas:
            hint = did_you_mean(area.parent, found.areas) or "Add a row for it, or leave the cell empty."
            message = f"The parent ‘{area.parent}’ of ‘{area.key}’ is no area here"
            found.problems.append(Problem("unknown-area", message, hint, area.where))
            area.parent = ""
    for area in list(found.areas.values()):
        seen, at = [area.key], area.parent
        while at and at not in seen:
            seen.append(at)
            at = found.areas[at].parent
        if at == area.key:
            message = f"The areas go round in a circle: {' in '.join([*seen, at])}"
            found.problems.append(Problem("area-circle", message, "Leave one parent empty.", area.where))
            area.parent = ""


def _outlines(path: Path, name: str, found: Found, drawn: set[str]) -> None:
    """A FeatureCollection: each feature belongs to the area that its properties name, by key, code or title."""
    if path.stat().st_size > LARGEST:
        hint = "Take the generalised outlines (20 m or 200 m), which are exact enough for postcodes."
        message = f"{name} has {path.stat().st_size / 1e6:,.0f} MB; at most {LARGEST / 1e6:,.0f} are read"
        raise NewsletterError(Problem("bad-shape", message, hint, Where(name)))
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        message = f"{name} is not GeoJSON: {getattr(error, 'msg', '') or error}"
        raise NewsletterError(Problem("bad-shape", message[:300], "", Where(name, line, column))) from None
    features = data.get("features") if isinstance(data, Mapping) else None
    if isinstance(data, Mapping) and data.get("type") == "Feature":
        features = [data]
    if not isinstance(features, list):
        hint = "Save it as a FeatureCollection in degrees (WGS 84)."
        raise NewsletterError(Problem("bad-shape", f"{name} holds no features", hint, Where(name, 1)))
    names = _names(found)
    for number, feature in enumerate(features, 1):
        with _told(found):
            key, where = _belongs(feature, number, names, found, name, text)
            if key in drawn:
                raise NewsletterError(Problem("doubled-area", f"The outline of ‘{key}’ is there twice", "", where))
            if key:
                drawn.add(key)
                shape, notes = shapes.geometry(feature.get("geometry"), where)
                found.problems += [_of(note, key) for note in notes]
                found.areas[key].shape, found.areas[key].boundary = shape, shapes.as_geojson(shape)


def _names(found: Found) -> dict[str, str]:
    """What a feature may call an area: key, code, title (where no other has it), without case → key."""
    names: dict[str, str] = {}
    for area in found.areas.values():
        title = area.title.casefold()
        names[title] = "" if title in names else area.key
    names |= {area.code.casefold(): key for key, area in found.areas.items() if area.code}
    return names | {key: key for key in found.areas}


def _belongs(
    feature: Any, number: int, names: Mapping[str, str], found: Found, name: str, text: str
) -> tuple[str, Where]:
    """The area of a feature, by its properties, and the place of it; "" with a warning where it is none of ours."""
    facts = feature.get("properties") if isinstance(feature, Mapping) else None
    facts = {str(key).casefold(): str(value) for key, value in facts.items()} if isinstance(facts, Mapping) else {}
    called = [facts[key] for key in _NAMED if key in facts]
    called += [value for key, value in facts.items() if re.fullmatch(r"[a-z]+\d\d(cd|nm)", key)]  # WD25CD, WD25NM
    called += [str(feature["id"])] if isinstance(feature, Mapping) and "id" in feature else []
    key = next((names[one.casefold()] for one in called if names.get(one.casefold())), "")
    where = Where(name, _line(text, called[0]) if called else None)
    if not key:
        said = f"‘{called[0][:60]}’" if called else "nothing"
        near = did_you_mean(called[0], names) if called else ""
        hint = near or 'Give it "properties": {"key": "…"} with a key of the tree.'
        message = f"Outline {number} is called {said}, which is no area of the tree"
        found.problems.append(Problem("unknown-area", message, hint, where, Severity.WARNING))
    return key, where


def _of(note: Problem, key: str) -> Problem:
    return Problem(note.code, f"{key}: {note.message}", note.hint, note.where, note.severity)


def _line(text: str, called: str) -> int | None:
    """The line where a feature's name stands first."""
    at = text.find(json.dumps(called, ensure_ascii=False))
    return text.count("\n", 0, at) + 1 if at >= 0 else None
