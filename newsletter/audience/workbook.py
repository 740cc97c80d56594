"""Reads a sheet of an XLSX workbook row by row, as `spreadsheet` reads a CSV file; memory stays flat on any workbook.

A workbook is a ZIP file of XML that strangers wrote: a megabyte may hold gigabytes. So nothing is read whole that is
larger than a cap, and the sheet itself is streamed with a cap on the length of one row.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from newsletter.audience.spreadsheet import CELL, Row
from newsletter.problems import NewsletterError, Problem, Severity, Where

FILE = 256 << 20  # bytes of the file as it is stored; the million rows of a full sheet take about 60 MiB
SHEET = 2 << 30  # bytes of a sheet unpacked; a million rows of six columns are 400 MB. Streamed, so only time matters
STRINGS = 24 << 20  # bytes of the table of texts unpacked: the library keeps it in memory, at about twice its size
PART = 2 << 20  # bytes of any other part: styles, names of sheets …; read whole, and ten times as large as a tree
ROW = 4 << 20  # bytes of one row
_DOCUMENT = 1 << 18
PARTS = 4_000  # parts in the ZIP file
COLUMNS = 1_000  # that we look at
_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"))
# What openpyxl and the modules below it raise for a damaged or forged workbook. ParseError is a SyntaxError.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, SyntaxError, ValueError, KeyError, IndexError, TypeError),
    *(AttributeError, OverflowError, NotImplementedError, RuntimeError),
)


class _TooLarge(Exception):
    """A part is larger than its cap."""


def is_workbook(path: Path) -> bool:
    """Whether this is a ZIP file with a workbook of Excel's in it."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return False
        _refuse_large_directory(path)
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except _TooLarge:
        return True  # opening it says so
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


class Book:
    """An opened sheet: its header, and its rows as a stream that can be walked once."""

    encoding, delimiter = "XLSX", ","  # the comma is for the file of refused rows

    def __init__(self, path: Path, name: str, sheet: str = "") -> None:
        """Raises NewsletterError: workbook-too-large, workbook-damaged, unknown-sheet, empty-file."""
        self.path, self.name, self.problems = path, name, list[Problem]()
        self.header: list[str] = []
        try:
            _refuse_large_directory(path)
            self._book = _open(path)
        except _TooLarge as error:
            raise self._too_large(error) from None
        except _BROKEN as error:
            raise self._damaged(error) from error
        try:
            self._read_header(sheet)
        except BaseException:
            self.close()
            raise

    @property
    def layout(self) -> str:
        """How it is laid out, for people."""
        return f"sheet ‘{self._sheet.title[:40]}’"

    def rows(self) -> Iterator[Row]:
        """Every row below the header that is not blank; the same Row object each time."""
        row, width = Row(0, 0, []), len(self.header)
        try:
            for row.number, cells in self._cells():
                if row.number <= self._first:
                    continue
                row.line, row.fault, row.cells = row.number, None, _spread(cells, width + 1)
                if not row.cells[width]:  # a filled cell beyond the header stays, and refuses its row
                    del row.cells[width]
                if any(row.cells):
                    row.fault = self._fault(row)
                    yield row
        except _TooLarge as error:
            raise self._too_large(error) from None
        except _BROKEN as error:
            raise self._damaged(error) from error

    def position(self) -> int:
        """Bytes of the file read so far, by the share of the sheet."""
        archive = self._book._archive
        return int(self.path.stat().st_size * archive.share)

    def where(self, row: Row, cell: str = "") -> Where:
        """The place of the row: a workbook has no text to show, but rows with numbers."""
        return Where(self.name, row.number)

    def close(self) -> None:
        self._book._archive.close()

    def _read_header(self, sheet: str) -> None:
        try:
            self._sheet = self._choose(sheet)
            for number, cells in self._cells():
                self._first, self.header = number, _trimmed(_spread(cells, COLUMNS))
                if self.header:
                    return
        except _TooLarge as error:
            raise self._too_large(error) from None
        except NewsletterError:
            raise
        except _BROKEN as error:
            raise self._damaged(error) from error
        hint = "Name another one with --sheet NAME."
        raise _fatal("empty-file", f"The sheet ‘{self._sheet.title}’ of {self.name} is empty", hint, self.name)

    def _cells(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """The rows as the library gives them: number, and the cells that are there."""
        from openpyxl.worksheet._reader import WorkSheetParser

        book = self._book
        book._archive.walked = True
        number = 0
        with closing(book._archive.open(self._sheet._worksheet_path)) as sheet:
            for document in sheet.documents():
                parser = WorkSheetParser(
                    io.BytesIO(document),
                    self._sheet._shared_strings,
                    data_only=True,
                    epoch=book.epoch,
                    date_formats=book._date_formats,
                    timedelta_formats=book._timedelta_formats,
                )
                parser.row_counter = number  # rows need not say their number
                for number, cells in parser.parse():
                    yield number, cells

    def _fault(self, row: Row) -> Problem | None:
        where = Where(self.name, row.number)
        if any(len(cell) > CELL for cell in row.cells):
            message = f"Row {row.number} has a cell of more than {CELL:,} letters"
            row.cells = [cell[:CELL] for cell in row.cells]
            return Problem("cell-too-long", message, "Shorten it.", where)
        if wrong := next((cell for cell in row.cells if cell in _ERRORS), ""):
            message = f"Row {row.number} has a formula that Excel could not work out: {wrong}"
            return Problem("formula-error", message, "Correct the formula, or type the value.", where)
        return None

    def _choose(self, wanted: str) -> Any:
        """The sheet of that name, or the first that is not hidden; the others are said."""
        sheets = self._book.worksheets
        seen = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
        titles = ", ".join(f"‘{sheet.title[:40]}’" for sheet in sheets[:12])
        if wanted:
            found = [sheet for sheet in sheets if sheet.title.strip().casefold() == wanted.strip().casefold()]
            if not found:
                message = f"{self.name} has no sheet ‘{wanted[:40]}’"
                raise _fatal("unknown-sheet", message, f"There is: {titles}.", self.name)
            return found[0]
        if not seen:
            hint = "Name one with --sheet NAME" + (f": there is {titles}." if sheets else ".")
            raise _fatal("unknown-sheet", f"{self.name} has no sheet that can be seen", hint, self.name)
        others = [
            f"‘{sheet.title[:40]}’" + ("" if sheet in seen else " (hidden)") for sheet in sheets if sheet is not seen[0]
        ]
        if others:
            more = " …" if len(others) > 6 else ""
            self.problems.append(
                Problem(
                    "sheet-chosen",
                    f"Read the sheet ‘{seen[0].title[:40]}’, not {', '.join(others[:6])}{more}",
                    hint="Another one is read with --sheet NAME.",
                    where=Where(self.name),
                    severity=Severity.NOTE,
                )
            )
        return seen[0]

    def _too_large(self, error: _TooLarge) -> NewsletterError:
        hint = "Save the sheet as “CSV UTF-8 (comma delimited)”: such a file may be of any length."
        return _fatal("workbook-too-large", f"{self.name} is too large for a workbook: {error}", hint, self.name)

    def _damaged(self, error: BaseException) -> NewsletterError:
        hint = "Open it in Excel or LibreOffice and save it again, or save the sheet as “CSV UTF-8”."
        return _fatal("workbook-damaged", f"{self.name} cannot be read as a workbook", hint, self.name)


def text(value: object) -> str:
    """A cell as a CSV file would hold it: dates as 2026-12-08, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        midnight = not (value.hour or value.minute or value.second or value.microsecond)
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


class _Archive(zipfile.ZipFile):
    """A ZIP file that hands out nothing larger than its cap; zipfile stops where the directory says a part ends."""

    walked = False  # afterwards a sheet is handed out as _Rows; before, while the workbook is opened, without rows
    share = 0.0

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        if self.getinfo(name).file_size > PART:
            raise _TooLarge(f"its part {name} has more than {PART >> 20} MiB")
        return super().read(name, pwd)

    def open(self, name: Any, *how: Any, **more: Any) -> Any:
        if not isinstance(name, str):
            return super().open(name, *how, **more)
        size, is_sheet = self.getinfo(name).file_size, name.startswith("xl/worksheets/")
        if size > (SHEET if is_sheet else STRINGS):
            raise _TooLarge(f"its part {name} has {size >> 20:,} MiB")
        stream = super().open(name, *how, **more)
        if not is_sheet:
            return stream
        try:
            sheet = _Rows(stream, self, size)
        except BaseException:
            stream.close()
            raise
        if self.walked:
            return sheet
        sheet.close()
        return io.BytesIO(sheet.head + sheet.foot)


class _Rows:
    """A sheet's XML, cut between rows into documents of their own: the library keeps every row that it has parsed
    (290 bytes each), and forgets them with the document. What stands below the rows (links, checks of cells) is unread.
    """

    _ROW = re.compile(rb"</(?:[\w.-]+:)?row\s*>")
    _START = re.compile(rb"<((?:[\w.-]+:)?)sheetData\s*(/?)>")
    _END = re.compile(rb"</(?:[\w.-]+:)?sheetData\s*>")

    def __init__(self, stream: IO[bytes], archive: _Archive, size: int) -> None:
        self._stream, self._archive, self._size, self._read = stream, archive, max(size, 1), 0
        data = b""
        while not (start := self._START.search(data)):
            data += self._more(data)
        self.head, self._rest = data[: start.end()], data[start.end() :]
        self.foot = b"</%bsheetData></%bworksheet>" % (start[1], start[1])
        self._none = bool(start[2])
        if self._none:
            self.foot = b"</%bworksheet>" % start[1]

    def documents(self) -> Iterator[bytes]:
        """The sheet in documents of about a quarter of a MiB."""
        data = self._rest
        while not self._none:
            if end := self._END.search(data):
                yield self.head + data[: end.start()] + self.foot
                return
            if len(data) >= _DOCUMENT and (cut := max((one.end() for one in self._ROW.finditer(data)), default=0)):
                yield self.head + data[:cut] + self.foot
                data = data[cut:]
            data += self._more(data)

    def close(self) -> None:
        self._stream.close()

    def _more(self, before: bytes) -> bytes:
        if len(before) > ROW:
            raise _TooLarge(f"a row of it has more than {ROW >> 20} MiB")
        chunk = self._stream.read(_DOCUMENT)
        if not chunk:
            raise EOFError("the sheet has no end")
        self._read += len(chunk)
        self._archive.share = self._read / self._size
        return chunk


def _open(path: Path) -> Any:
    from openpyxl.reader.excel import ExcelReader

    warnings.filterwarnings("ignore", module="openpyxl")  # styles and checks of cells that it leaves out
    with path.open("rb") as file:
        reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = _Archive(path)
    try:
        reader.read()
    except BaseException:
        reader.archive.close()
        raise
    return reader.wb


def _refuse_large_directory(path: Path) -> None:
    """Look at the end of the file before anything builds a list of what it claims to hold."""
    size = path.stat().st_size
    if size > FILE:
        raise _TooLarge(f"it has more than {FILE >> 20} MiB")
    with path.open("rb") as file:
        file.seek(max(0, size - 65_557))  # the record of 22 bytes and its comment
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    parts, length = int.from_bytes(tail[at + 10 : at + 12], "little"), int.from_bytes(tail[at + 12 : at + 16], "little")
    if at >= 0 and (parts > PARTS or length > PARTS * 256 or b"PK\x06\x07" in tail):
        raise _TooLarge(f"it has more than {PARTS:,} parts")


def _spread(cells: list[dict[str, Any]], width: int) -> list[str]:
    """The cells of a row at their places, as text."""
    row = [""] * width
    for cell in cells:
        place, value = cell["column"], cell["value"]
        if 0 < place <= width:
            row[place - 1] = value if type(value) is str else text(value)
    return row


def _trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _fatal(code: str, message: str, hint: str, name: str) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint=hint, where=Where(name)))
