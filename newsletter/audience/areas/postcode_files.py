"""Reads files of postcodes as they are published: the ONS Postcode Directory, the NSPL, OS Code-Point Open, or our own
three columns. Columns are known by their names of 2026 and by those of earlier releases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.audience import spreadsheet
from newsletter.audience.areas import grid
from newsletter.audience.postcodes import spelled
from newsletter.problems import NewsletterError, Problem, Severity, Where, did_you_mean

_CODE = ("postcode", "pcds", "pcd8", "pcd7", "pcd2", "pcd", "pc")
_LONGITUDE, _LATITUDE = ("longitude", "long", "lon", "lng"), ("latitude", "lat")
_EAST = ("east1m", "oseast1m", "eastings", "easting", "ea")
_NORTH = ("north1m", "osnrth1m", "northings", "northing", "no")
# What may hold an area, the smallest first: ours, parish, ward, division, district, county; ONS puts the year into the
# name (wd25cd), earlier releases did not (osward).
_AREA = re.compile(
    r"area|parncp\d\dcd|parish|wd\d\dcd|osward|ward|admin_ward_code|wc|ced\d\dcd|ced"
    r"|lad\d\dcd|oslaua|laua|admin_district_code|dc|cty\d\dcd|oscty|cty|admin_county_code|cc"
)
_ORDER = (
    *("area", "par", "wd", "ward", "wc", "osw", "admin_w", "ced", "lad", "osl", "lau", "admin_d", "dc"),
    *("ct", "osc", "admin_c", "cc"),
)
# OS Code-Point Open has no heading in its files; it is published beside them.
_CODE_POINT = (
    *("postcode", "positional_quality_indicator", "eastings", "northings", "country_code", "nhs_regional_ha_code"),
    *("nhs_ha_code", "admin_county_code", "admin_district_code", "admin_ward_code"),
)
_NOWHERE = 99.0  # ONS writes latitude 99.999999 where a postcode has no place
MOST_SHOWN = 10


@dataclass
class Codes:
    """Postcode → (longitude, latitude, area key or ""). None, None: its place is not known."""

    places: dict[str, tuple[float | None, float | None, str]] = field(default_factory=dict)
    refused: list[Problem] = field(default_factory=list)
    many: int = 0  # refused rows, of which the first are in `refused`
    nowhere: int = 0

    def problems(self) -> list[Problem]:
        """The refused rows, the first ones one by one, and how many have no place."""
        found = list(self.refused)
        if self.many > len(found):
            message = f"{self.many:,} rows of postcodes cannot be used; these are the first {MOST_SHOWN}"
            found.append(Problem("bad-postcode-row", message, "", None, Severity.WARNING, self.many))
        if self.nowhere:
            message = f"{self.nowhere:,} postcodes have no place in the file, and so lie in no outline"
            found.append(Problem("postcode-nowhere", message, "", None, Severity.NOTE, self.nowhere))
        return found

    def refuse(self, problem: Problem) -> None:
        self.many += 1
        if len(self.refused) < MOST_SHOWN:
            self.refused.append(problem)


def is_one(path: Path, name: str) -> bool:
    """Whether this CSV holds postcodes (and not the tree)."""
    table = spreadsheet.open_table(path, name, "")
    try:
        return _headless(table.header) or bool(set(_heads(table.header)) & set(_CODE))
    finally:
        spreadsheet.close(table)


def read(path: Path, name: str, codes: Codes, areas: Mapping[str, str]) -> None:
    """Add the file's postcodes. `areas`: what a column may call an area (small letters) → its key.

    Raises NewsletterError(bad-area-file) where it has neither places nor areas.
    """
    table = spreadsheet.open_table(path, name, "")
    try:
        headless = _headless(table.header)
        heads = list(_CODE_POINT) if headless else _heads(table.header)
        columns = _Columns(heads, name, table.header)
        grid_rows: list[tuple[str, float, float, str]] = []
        if headless:
            _row(table.header, columns, codes, areas, Where(name, 1), grid_rows)
        for row in table.rows():
            if row.fault:
                codes.refuse(row.fault)
            else:
                _row(row.cells, columns, codes, areas, Where(name, row.line), grid_rows)
    finally:
        spreadsheet.close(table)
    if grid_rows:
        lons, lats = grid.to_degrees([row[1] for row in grid_rows], [row[2] for row in grid_rows])
        for (code, _, _, area), lon, lat in zip(grid_rows, lons.round(6), lats.round(6), strict=True):
            codes.places[code] = (float(lon), float(lat), area)


class _Columns:
    """Where what stands in a row."""

    def __init__(self, heads: list[str], name: str, header: list[str]) -> None:
        def at(names: tuple[str, ...]) -> int | None:
            return next((heads.index(one) for one in names if one in heads), None)

        self.code = at(_CODE) or 0
        self.degrees = (at(_LONGITUDE), at(_LATITUDE))
        self.grid = (at(_EAST), at(_NORTH))
        known = [place for place, head in enumerate(heads) if _AREA.fullmatch(head)]
        self.areas = sorted(known, key=lambda place: _rank(heads[place]))
        if None in self.degrees and None in self.grid and not self.areas:
            near = next(filter(None, (did_you_mean(head, (*_LONGITUDE, *_LATITUDE, *_EAST)) for head in heads)), "")
            hint = near or "It needs lat and long, or east1m and north1m, or a column ‘area’ with keys of the tree."
            message = f"{name} says of no postcode where it lies. It has {', '.join(header)[:120]}"
            raise NewsletterError(Problem("bad-area-file", message, hint, Where(name, 1)))


def _row(
    cells: list[str],
    columns: _Columns,
    codes: Codes,
    areas: Mapping[str, str],
    where: Where,
    grid_rows: list[tuple[str, float, float, str]],
) -> None:
    def cell(place: int | None) -> str:
        return cells[place].strip() if place is not None and place < len(cells) else ""

    code = spelled(cell(columns.code))
    if not code:
        message = f"‘{cell(columns.code)[:40]}’ is not a postcode"
        codes.refuse(Problem("bad-postcode-row", message, "Write it as ST16 3AA.", where, Severity.WARNING))
        return
    area = next((key for place in columns.areas if (key := areas.get(cell(place).casefold()))), "")
    lon, lat = _number(cell(columns.degrees[0])), _number(cell(columns.degrees[1]))
    if lon is not None and lat is not None and lat < _NOWHERE:
        if not (-180 <= lon <= 180 and -90 <= lat <= 90) or (lon > 48 and -11 < lat < 3):
            hint = f"They look changed over: longitude {lat:g}, latitude {lon:g}?" if abs(lat) < 11 else "See the file."
            message = f"{code} lies at longitude {lon:g}, latitude {lat:g}"
            codes.refuse(Problem("bad-postcode-row", message, hint, where, Severity.WARNING))
            return
        codes.places[code] = (round(lon, 6), round(lat, 6), area)
        return
    east, north = _number(cell(columns.grid[0])), _number(cell(columns.grid[1]))
    # Northern Ireland has a grid of its own (BT); its rows have degrees in the ONS files, and are not in Code-Point.
    if east and north and 0 < east < grid.WIDTH and 0 < north < grid.HEIGHT and not code.startswith("BT"):
        grid_rows.append((code, east, north, area))
        codes.places[code] = (None, None, area)
        return
    codes.nowhere += 1
    codes.places[code] = (None, None, area)


def _headless(header: list[str]) -> bool:
    return len(header) == len(_CODE_POINT) and bool(spelled(header[0])) and header[2].strip().isdigit()


def _heads(header: list[str]) -> list[str]:
    return [cell.strip().casefold().replace(" ", "_") for cell in header]


def _rank(head: str) -> int:
    return next(place for place, start in enumerate(_ORDER) if head.startswith(start))


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
