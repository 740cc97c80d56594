"""Reads a table as it comes out of a spreadsheet program: any usual encoding and delimiter, one row at a time."""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import dropwhile, islice
from pathlib import Path
from typing import BinaryIO

from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where, did_you_mean

CELL = 10_000  # letters in one cell; a longer one is nearly always a quote that is never closed
LINE = 1_000_000  # letters in one line: memory stays flat on a file without line breaks
STRAY = 1_000  # stray quotes after which the file's quoting as a whole is not to be trusted
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_CHUNK = 1 << 20
_SIGNATURES = {
    b"PK\x03\x04": "a workbook of another kind (ODS) or an archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (XLS)",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format": "a database",
}
_TABLES = (".csv", ".tsv", ".txt", ".xlsx")
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_UNDECODED = re.compile("[\udc80-\udcff]")
_NO_FILES = ("unicode-escape", "raw-unicode-escape", "punycode", "idna", "utf-7")  # Python's own, never a sheet's


@dataclass
class Row:
    """One row. `number` as a spreadsheet counts (the header is 1), `line` as an editor does; `fault` = unreadable."""

    number: int
    line: int
    cells: list[str]
    fault: Problem | None = None


@dataclass
class Table:
    """An opened file: how it is written, its header, and its rows as a stream that can be walked once."""

    path: Path
    name: str  # as problems call it
    encoding: str
    delimiter: str
    header: list[str]
    problems: list[Problem]
    _lines: _Lines = field(repr=False)
    _rows: int = 1
    _first: list[list[str]] | None = field(default=None, repr=False)

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank, bad ones with their fault; never raises for what stands in the file.

        Raises NewsletterError(stray-quotes) only when the file's quoting as a whole is broken. The same Row object
        is handed out again and again (a new one each time costs 0.5 us a row); do not keep it.
        """
        lines, row, strays = self._lines, Row(0, 0, []), 0
        reader = csv.reader(lines, delimiter=self.delimiter)
        width = len(self.header)
        while True:
            lines.record.clear()
            row.line, row.fault = lines.number + 1, None
            self._rows += 1
            row.number = self._rows
            try:
                row.cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                row.cells, row.fault = [], self._long_cell(row)
            if lines.overlong:
                lines.overlong, row.fault = False, self._long_cell(row)
            if len(lines.record) > 1 and (row.fault or _swallowed(row.cells, width)):
                strays += 1
                if strays > STRAY:
                    raise NewsletterError(self._quoting(row))
                row.fault = self._stray_quote(row, lines.record[0])
                lines.push_back()
            if row.fault:  # the cells as they look without any quoting, to be mended by hand
                row.cells = [cell[:CELL] for cell in lines.record[0].rstrip("\r\n").split(self.delimiter)]
            if row.fault or (row.cells and (row.cells[0] or any(map(str.strip, row.cells)))):
                yield row

    @property
    def layout(self) -> str:
        """How it is laid out, for people."""
        return DELIMITERS[self.delimiter]

    def examples(self, place: int, most: int = 3) -> list[str]:
        """What the column at this place (from 0) holds in the first rows, for a person to see; reads them once more."""
        if self._first is None:
            self._first = self._first_rows()
        cells = (" ".join(row[place].split())[:40] for row in self._first if place < len(row))
        return list(dict.fromkeys(cell for cell in cells if cell and cell.isprintable()))[:most]

    def _first_rows(self) -> list[list[str]]:
        try:
            with self.path.open(encoding=self.encoding, newline="", errors="replace") as file:
                lines = islice(iter(lambda: file.readline(CELL), ""), 50)
                rows = csv.reader(lines, delimiter=self.delimiter)
                return list(islice(dropwhile(lambda row: row != self.header, rows), 1, 12))
        except (OSError, csv.Error):
            return []

    def close(self) -> None:
        """Close the file; calling it twice does no harm."""
        self._lines.file.close()

    def position(self) -> int:
        """Bytes read so far, for a progress bar."""
        return os.lseek(self._lines.file.fileno(), 0, os.SEEK_CUR)

    def where(self, row: Row, cell: str = "") -> Where:
        """The place of a cell of the row that `rows` gave last, with its line for the caret."""
        source = self._lines.record[0].rstrip("\r\n")[:500]
        start = source.find(cell) + 1 if cell else 0
        return Where(self.name, row.line, start or None, start + len(cell) if start else None, source)

    def _long_cell(self, row: Row) -> Problem:
        return Problem(
            "cell-too-long",
            f"Row {row.number} has a cell of more than {CELL:,} letters",
            hint='Shorten it. Often a quote (") is opened in this row and never closed.',
            where=Where(self.name, row.line),
        )

    def _stray_quote(self, row: Row, source: str) -> Problem:
        column = source.find('"') + 1
        where = Where(self.name, row.line, column or None, None, source.rstrip("\r\n")[:500])
        hint = 'Remove the quote, or write it twice ("") inside a quoted cell.'
        return Problem(
            "stray-quote", f"Row {row.number} opens a quote that is not closed in it", hint=hint, where=where
        )

    def _quoting(self, row: Row) -> Problem:
        return Problem(
            "stray-quotes",
            f"More than {STRAY:,} rows open a quote and do not close it, so the rows cannot be told apart",
            hint="Save the sheet as CSV again; check that the program puts quotes round whole cells.",
            where=Where(self.name, row.line),
        )


class _Lines:
    """The lines of a file, counted, the current record's kept, and with a way to hand some back."""

    def __init__(self, file: TextIOWrapper) -> None:
        self.file = file
        self.number = 0
        self.record: list[str] = []
        self.overlong = False
        self.again: deque[str] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else self.file.readline(LINE)
        if not line:
            raise StopIteration
        if len(line) >= LINE and not line.endswith("\n"):
            while (rest := self.file.readline(LINE)) and not rest.endswith("\n"):
                pass
            self.overlong, line = True, line[:CELL].replace('"', "") + "\n"  # an open quote would eat the next row
        self.number += 1
        self.record.append(line)
        return line

    def push_back(self) -> None:
        """Hand back all lines of the record but its first, to be read as rows of their own."""
        self.number -= len(self.record) - 1
        self.again.extendleft(reversed(self.record[1:]))
        del self.record[1:]


def open_table(path: Path, name: str, encoding: str = "") -> Table:
    """Find out encoding and delimiter, and read the header. The caller closes it.

    `encoding` is one that somebody who knows has named, such as `windows-1250`; empty: find out.
    Raises NewsletterError: no-such-file, not-a-file, spreadsheet-not-csv, not-a-table, empty-file, cannot-read,
    unknown-encoding.
    """
    told_encoding = known_encoding(encoding) if encoding else ""
    csv.field_size_limit(CELL)
    try:
        if not path.is_file():
            raise _fatal(*_no_file(path, name), name)
        with path.open("rb") as raw:
            encoding, problems = _encoding(raw, name, told_encoding)
        file = path.open(encoding=encoding, newline="", errors="replace" if "16" in encoding else "surrogateescape")
    except OSError as error:
        hint = "Check that you may read the file."
        raise _fatal("cannot-read", f"{name} cannot be read: {error.strerror or error}", hint, name) from error
    lines = _Lines(file)
    try:
        first = next(lines, "")
        told = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)  # Excel's own first line
        if told:
            first = next(lines, "")
        while first and not first.strip():
            first = next(lines, "")
        if not first or lines.overlong:
            raise _fatal("empty-file", f"{name} has no header and no rows", "Save the sheet again as CSV.", name)
        delimiter = told[1] if told and told[1] in DELIMITERS else _delimiter(first)
        header = [_UNDECODED.sub("\ufffd", cell) for cell in next(csv.reader([first], delimiter=delimiter))]
    except BaseException as error:
        file.close()
        if isinstance(error, csv.Error):
            hint = "The first line must hold the columns' names."
            raise _fatal("not-a-table", f"The first line of {name} is not a header", hint, name) from error
        raise
    return Table(path, name, encoding, delimiter, header, problems, lines)


def close(table: Table) -> None:
    """Close the file; calling it twice does no harm."""
    table.close()


def readable(name: str) -> str:
    """A file's name as text that can be kept: a letter of it that is not UTF-8 becomes �."""
    return _UNDECODED.sub("\ufffd", name)


def _swallowed(cells: list[str], width: int) -> bool:
    """True when a quote has eaten whole rows: the cells do not fit, or one with line breaks holds an address.

    A good multi-line cell (a postal address) has neither.
    """
    return len(cells) > width or any("@" in cell and ("\n" in cell or "\r" in cell) for cell in cells)


def _delimiter(header: str) -> str:
    def columns(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter)))

    return max(DELIMITERS, key=columns)  # the first wins a tie: a header of one column is a comma file


def known_encoding(name: str) -> str:
    """The encoding that somebody calls `name`, as Python calls it. Raises NewsletterError(unknown-encoding, exit 2)."""
    try:
        found = codecs.lookup(name.strip().replace(" ", "-"))
        if (
            found.name.replace("_", "-") not in _NO_FILES
            and 'a,"é"\n'.encode(found.name, "replace").decode(found.name)[:3] == 'a,"'
        ):
            return found.name
    except (LookupError, UnicodeError, ValueError, TypeError):
        pass
    hint = "Write windows-1250 (Central Europe), windows-1252 (Western Europe), windows-1256 (Arabic), utf-8 …"
    raise NewsletterError(Problem("unknown-encoding", f"There is no encoding ‘{name[:40]}’", hint), exit=Exit.USAGE)


def encoding_name(encoding: str) -> str:
    """An encoding as people write it: `cp1250` → Windows-1250."""
    windows = re.fullmatch(r"cp(125\d)", encoding)
    return f"Windows-{windows[1]}" if windows else re.sub(r"(?i)-(sig|[lb]e)$", "", encoding).upper()


def _encoding(raw: BinaryIO, name: str, told: str) -> tuple[str, list[Problem]]:
    """How the file is encoded: its byte order mark, else as told, else UTF-8 if it is, else what Windows writes."""
    start = raw.read(_CHUNK)
    if not start.strip(b"\r\n\t \x00"):
        raise _fatal("empty-file", f"{name} is empty", "Save the sheet again as CSV.", name)
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            code = "spreadsheet-not-csv" if "workbook" in kind else "not-a-table"
            hint = "Open it in Excel or LibreOffice and save it as “CSV UTF-8 (comma delimited)”."
            raise _fatal(code, f"{name} is {kind}, not a CSV file", hint, name)
    for bom, encoding in _BOMS.items():
        if start.startswith(bom):
            return encoding, []
    if told:
        return told, []
    sample = start[:4096]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # without a mark: every other byte is 0
        zeros, others = sample[offset::2].count(0), sample[1 - offset :: 2].count(0)
        if zeros > len(sample) / 5 and zeros > 5 * others:
            return encoding, []
    odd = sum(byte < 32 and byte not in b"\t\r\n" for byte in sample)
    if odd > 8 + len(sample) / 20:  # a few control characters are a matter for their rows
        raise _fatal("not-a-table", f"{name} is not text", "Save the sheet as CSV, or name another file.", name)
    return _utf8_or_windows(raw, start, name)


def _utf8_or_windows(raw: BinaryIO, chunk: bytes, name: str) -> tuple[str, list[Problem]]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    while chunk:
        text = decoder.decode(chunk)
        if not text.isascii():
            good += len(chunk) - len(text)  # at least one for each letter beyond ASCII; a broken byte gives none
            try:
                text.encode()
            except UnicodeEncodeError:
                bad += len(_UNDECODED.findall(text))
        chunk = raw.read(_CHUNK)
    bad += len(decoder.decode(b"", True))
    if not bad:
        return "utf-8", []
    if good >= bad:  # a few wrong letters in a UTF-8 file: those rows are refused one by one
        return "utf-8", []
    note = Problem(
        "encoding-guessed",
        f"{name} is not UTF-8; it is read as Windows-1252, as Excel writes it",
        hint="Look at the names with accents. If one is wrong, say how the file is written, such as "
        "--encoding windows-1250 (Central Europe), or save the sheet as “CSV UTF-8”.",
        where=Where(name),
        severity=Severity.NOTE,
    )
    return "cp1252", [note]


def _no_file(path: Path, name: str) -> tuple[str, str, str]:
    if path.is_dir():
        return "not-a-file", f"{name} is a folder", "Name one CSV file in it."
    if path.exists():
        return "not-a-file", f"{name} is not an ordinary file", "Copy its content to a file first."
    if not path.parent.is_dir():
        return "no-such-file", f"There is no file {name}", f"There is no folder {path.parent} either. Check both names."
    others = [other.name for other in path.parent.iterdir() if other.suffix.lower() in _TABLES]
    there = f"There is: {', '.join(sorted(others)[:5])}." if others else "Check the name, and the folder before it."
    return "no-such-file", f"There is no file {name}", did_you_mean(path.name, others) or there


def _fatal(code: str, message: str, hint: str, name: str) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint=hint, where=Where(name)))
