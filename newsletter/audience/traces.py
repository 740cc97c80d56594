"""Where a person's address stands in the files of the workspace, and taking it out of them."""

from __future__ import annotations

import email
import email.policy
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from newsletter.config import Config
from newsletter.files import unwritable, write_atomically

LARGE = 64 << 20  # bytes; a larger file is looked through in pieces, and not rewritten: it would fill the memory
MOST = 4 << 30  # bytes of one archive that are unpacked; the largest workbook that an import takes has 2 GiB
_PIECE, _OVERLAP = 1 << 20, 4096  # an address has at most 320 letters of at most 4 bytes
_TABLES = {".csv", ".tsv", ".txt"}
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")


class Fate(StrEnum):
    """What an erasure does with a file that names the person."""

    DELETE = "delete"  # a copy of ours that can be made again, or a mail that was caught
    REWRITE = "rewrite"  # a file that we wrote ourselves: refused rows
    ASK = "ask"  # a file of yours with rows: rewritten when you say so
    SAY = "say"  # anything else: you look at it


@dataclass(frozen=True)
class Trace:
    """A file that names the person; `line` is the first such line, 0 where the file has none."""

    path: Path
    fate: Fate
    line: int = 0

    def shown(self, root: Path) -> str:
        """`recipients/people.csv:12`."""
        name = self.path.relative_to(root).as_posix()
        return f"{name}:{self.line}" if self.line else name


def find(config: Config, names: Sequence[str]) -> list[Trace]:
    """Every file of the workspace that names one of these addresses, in any encoding that we know, mails and XLSX
    looked into; not the database, which is another matter, nor what git keeps of earlier days."""
    if not names:
        return []
    wanted = pattern(names)
    found = []
    for path in _files(config):
        line = _line(path, wanted, names)
        if line is not None:
            found.append(Trace(path, _fate(config, path), line))
    return found


def clear(traces: Sequence[Trace], names: Sequence[str], *, ask: bool) -> list[Trace]:
    """Delete and rewrite what may be; `ask`: also files of yours. Gives back what stays to be looked at.

    Raises NewsletterError(cannot-write) for a file that cannot be changed.
    """
    left = []
    for trace in traces:
        try:
            if trace.fate is Fate.DELETE:
                trace.path.unlink(missing_ok=True)
            elif trace.fate is Fate.REWRITE or (trace.fate is Fate.ASK and ask):
                _without(trace.path, pattern(names))
            else:
                left.append(trace)
        except OSError as error:
            raise unwritable(trace.path, error) from error
    return left


def pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Finds these addresses and no longer ones that hold them: not `mary.ann@…` for `ann@…`."""
    either = "|".join(re.escape(name) for name in names)
    return re.compile(rf"(?<![\w.+-])(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)


def records(text: str) -> Iterator[str]:
    """The rows of a table with their line ends; a quoted cell may go over several lines."""
    row = ""
    for line in text.splitlines(keepends=True):
        row += line
        if row.count('"') % 2 == 0:
            yield row
            row = ""
    if row:
        yield row


def _files(config: Config) -> Iterator[Path]:
    for folder, folders, files in os.walk(config.root):
        folders[:] = sorted(one for one in folders if one not in (".git", ".venv", "node_modules"))
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file() or name == "secret.key":
                continue
            if path.is_relative_to(config.var) and re.search(r"\.db(-wal|-shm|-journal)?$", name):
                continue
            yield path


def _fate(config: Config, path: Path) -> Fate:
    ours = [config.var / "mail", config.var / "raw", config.var / "copies", config.root / "build"]
    if any(path.is_relative_to(folder) for folder in ours):
        return Fate.DELETE
    table = path.is_relative_to(config.root / "recipients") and path.suffix.lower() in _TABLES
    if table and path.stat().st_size <= LARGE:
        return Fate.REWRITE if path.name.endswith(".refused.csv") else Fate.ASK
    return Fate.SAY


def _line(path: Path, wanted: re.Pattern[str], names: Sequence[str]) -> int | None:
    """The first line that names them (0: somewhere inside); None: nowhere."""
    if _named(path.name, wanted):
        return 0
    try:
        if path.suffix.lower() in (".xlsx", ".zip"):
            return 0 if _in_zip(path, names) else None
        if path.stat().st_size > LARGE:
            with path.open("rb") as file:
                return 0 if _in_pieces(file, names, _ENCODINGS)[0] else None
        data = path.read_bytes()
    except OSError:
        return None
    lower = data.lower()
    if path.suffix.lower() == ".eml":
        return 0 if _in_mail(data, wanted, names) else None
    for name in names:
        for encoding in _ENCODINGS:
            if name.encode(encoding) in lower:
                text = _text(data)[0]
                if found := wanted.search(text):
                    return text.count("\n", 0, found.start()) + 1
    return None


def _named(text: str, wanted: re.Pattern[str]) -> bool:
    return wanted.search(text) is not None


def _in_mail(data: bytes, wanted: re.Pattern[str], names: Sequence[str]) -> bool:
    """In the mail as it lies there, or in a part that is encoded."""
    if _in_bytes(data, wanted, names):
        return True
    try:
        parts = list(email.message_from_bytes(data, policy=email.policy.default).walk())
        bodies = [part.get_payload(decode=True) for part in parts if not part.is_multipart()]
    except (ValueError, LookupError, TypeError, AttributeError):  # what no mail program wrote
        return False
    return any(_in_bytes(body, wanted, names) for body in bodies if isinstance(body, bytes))


def _in_bytes(data: bytes, wanted: re.Pattern[str], names: Sequence[str]) -> bool:
    # Looking closely takes 30 ms for a mail with a photograph, and thousands may have been caught. Only plain letters
    # can be looked for without it: of others, capitals have other bytes.
    if all(name.isascii() for name in names):
        lower = data.lower()
        if not any(name.lower().encode() in lower for name in names):
            return False
    return _named(data.decode("latin-1"), wanted) or _named(data.decode("utf-8", "replace"), wanted)


def _in_zip(path: Path, names: Sequence[str]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            room = MOST
            for member in archive.infolist():
                with archive.open(member) as part:
                    found, size = _in_pieces(part, names, _ENCODINGS[:1], room)
                if found:
                    return True
                room -= size
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        return False  # a bomb, or what is no archive, says nothing about anybody
    return False


def _in_pieces(
    file: IO[bytes], names: Sequence[str], encodings: Sequence[str], most: int = 1 << 62
) -> tuple[bool, int]:
    """Whether a stream names them, and the bytes that were read of it.

    A name that lies across two pieces is whole in the next one; one at the edge may be the end of a longer name, and
    counts only where the stream begins or ends there.
    """
    wanted, size, first, piece = pattern(names), 0, True, b""
    coming = file.read(_PIECE)
    while coming and size <= most:
        piece, size = piece + coming, size + len(coming)
        coming = file.read(_PIECE)
        lower = piece.lower()
        for encoding in encodings:
            if not any(name.encode(encoding) in lower for name in names):
                continue  # decoding and looking closely takes ten times as long
            text = piece.decode(encoding, "replace")
            for found in wanted.finditer(text):
                if (first or found.start() > 4) and (not coming or found.end() < len(text)):
                    return True, size
        piece, first = piece[-_OVERLAP:], False
    return False, size


def _text(data: bytes) -> tuple[str, str]:
    """The words of a file and how they are written, so that the rest goes back byte for byte."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16-le" if data[:2] == b"\xff\xfe" else "utf-16-be"
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"  # every byte is a letter: whatever it was, it stays what it was


def _without(path: Path, wanted: re.Pattern[str]) -> None:
    text, encoding = _text(path.read_bytes())
    rows = list(records(text))
    kept = "".join(row for place, row in enumerate(rows) if place == 0 or not wanted.search(row))
    if rows and wanted.search(rows[0]):  # no heading, or one that names a person
        kept = kept[len(rows[0]) :] if len(rows) > 1 else ""
    write_atomically(path, kept.encode(encoding), mode=path.stat().st_mode & 0o777)
