"""Reads an Excel workbook (XLSX) as the table that it shows: its sheet becomes CSV in a temporary file, row by row.

From there on a workbook is a file like any other, with the same checks and the same flat memory. Values count, not
formulas; a day is written as 2026-12-08. What could blow up is refused before it is unpacked: Excel itself holds
1,048,576 rows, and a sheet that says more than it weighs is no list of people.
"""

from __future__ import annotations

import csv
import tempfile
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from newsletter.problems import NewsletterError, Problem, Severity, Where

SHEET = 2_000_000_000  # bytes of one unpacked sheet; a million people with ten columns are 600 million
OTHER = 300_000_000  # bytes of any other part; texts of a million people are 100 million
RATIO = 400  # unpacked ÷ packed; real sheets are 5 to 40, a bomb of zeros is 1,000
SMALL = 10_000_000  # bytes unpacked below which the ratio says nothing: columns of one word pack as well as a bomb
COLUMNS, CELLS = 500, 60_000_000  # read of a row, and of all rows
CELL = 32_767  # letters, Excel's own limit


def is_workbook(path: Path) -> bool:
    """True for XLSX (and XLSM, whose macros nobody runs); false for ODS and every other archive."""
    try:
        if not path.is_file():
            return False
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def as_csv(path: Path, name: str) -> tuple[IO[str], str, list[Problem]]:
    """The first visible sheet that holds anything, as CSV (UTF-8) in a temporary file that goes when it is closed;
    its title; and what should be known.

    Raises NewsletterError: not-a-table (damaged, or locked by a password), workbook-too-big, empty-file.
    """
    _weighed(path, name)
    from openpyxl import load_workbook  # 0.2 s: only for those who have one

    file = tempfile.NamedTemporaryFile("w+", encoding="utf-8", newline="", suffix=".csv")  # noqa: SIM115
    try:
        with path.open("rb") as raw:  # ours to close: openpyxl leaves a damaged one open
            book = load_workbook(raw, read_only=True, data_only=True, keep_links=False)
            writer = csv.writer(file)
            for sheet in [one for one in book.worksheets if one.sheet_state == "visible"]:
                if _written(sheet, writer, name):
                    file.flush()
                    return file, str(sheet.title), _others(book, str(sheet.title), name)
    except NewsletterError:
        file.close()
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part makes it raise
        file.close()
        hint = "Open it in Excel or LibreOffice and save it again; a password must be taken off first."
        message = f"{name} is not a workbook that can be read ({type(error).__name__})"
        raise NewsletterError(Problem("not-a-table", message, hint, Where(name))) from error
    file.close()
    raise NewsletterError(Problem("empty-file", f"{name} has no sheet with rows", "Save the sheet again.", Where(name)))


def _weighed(path: Path, name: str) -> None:
    """The archive's own directory, before anything is unpacked; zipfile unpacks no more than it says there."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    for part in parts:
        most = SHEET if part.filename.startswith("xl/worksheets/") else OTHER
        dense = part.file_size > SMALL and part.file_size > RATIO * max(1, part.compress_size)
        if part.file_size > most or dense or len(parts) > 10_000:
            hint = "Save only the sheet with the people, as “CSV UTF-8”, and import that."
            raise NewsletterError(
                Problem("workbook-too-big", f"{name} unpacks to far more than a list of people", hint, Where(name))
            )


def _written(sheet: Any, writer: Any, name: str) -> bool:
    """Write the rows of a sheet; false when none holds anything. Blank rows stay, so that rows count as in Excel."""
    blank, cells, any_row = 0, 0, False
    sheet.reset_dimensions()  # what a sheet says of its own size is often wrong
    for values in sheet.iter_rows(max_col=COLUMNS, values_only=True):
        cells += len(values)
        if cells > CELLS:
            hint = "Take away the empty columns at the right, or save the sheet as “CSV UTF-8”."
            raise NewsletterError(
                Problem("workbook-too-big", f"{name} has more than {CELLS:,} cells", hint, Where(name))
            )
        row = [_text(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if not row:
            blank += 1
            continue
        if any_row:
            writer.writerows([[""]] * blank)
        blank, any_row = 0, True
        writer.writerow(row)
    return any_row


def _text(value: Any) -> str:
    """A cell as Excel would show it in a plain format: 1200, not 1200.0; 2026-12-08; yes and no."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if not (value.hour or value.minute or value.second) else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)[: CELL + 1]


def _others(book: Any, title: str, name: str) -> list[Problem]:
    others = [str(sheet.title) for sheet in book.worksheets if str(sheet.title) != title]
    if not others:
        return []
    hint = "If the people are on another one, put it first, or save it as a file of its own."
    message = f"Read the sheet ‘{title}’; there {'is' if len(others) == 1 else 'are'} also {_named(others)}"
    return [Problem("sheet-chosen", message, hint, Where(name), Severity.NOTE)]


def _named(titles: list[str]) -> str:
    shown = ", ".join(f"‘{one[:40]}’" for one in titles[:5])
    return f"{shown} …" if len(titles) > 5 else shown
