"""The files that come with a message: kept by their hash outside the web, typed by their first bytes."""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from newsletter import settings
from newsletter.mail import file_names
from newsletter.mail.attachments import File
from newsletter.mail.incoming import Incoming
from newsletter.problems import Exit, NewsletterError, Problem, Where
from newsletter.replies import reading
from newsletter.replies.models import Attachment, Message
from newsletter.replies.storing import storable

FOLDER = "attachments"
SCANNING = 60.0  # seconds for one file; all of a message share twice that, for they hold up what came after it

log = logging.getLogger(__name__)
_ready = threading.local()  # .of: the hash of the raw message whose files are laid out, .rows: what is to be written


def files_of(raw: bytes) -> tuple[File, ...]:
    """The files of a raw message, taken apart in the child. Files that cannot be read never cost the words."""
    try:
        found: tuple[File, ...] = reading.run("files", raw)
    except reading.Unreadable as error:
        return (File("files", "application/octet-stream", 0, refused=f"They could not be read: it {error}"),)
    return found


def may_bring(incoming: Incoming) -> bool:
    """False for a message whose parts are all known and hold no file: it need not be taken apart once more."""
    return bool(incoming.attachments or incoming.faults)


def prepare(raw: bytes, incoming: Incoming) -> None:
    """Lay the files of a message on the disk before the transaction that keeps it, for `keep` to find.

    SQLite has one writer: a scanner that takes its time inside the transaction would hold up everybody who sends.
    Raises NewsletterError(cannot-write) when the disk is full: then the message stays unread, and is tried again.
    """
    _ready.of = ""
    if incoming.attachments and not incoming.report_type:
        _ready.rows, _ready.of = _stored(files_of(raw)), hashlib.sha256(raw).hexdigest()


def keep(message: Message, raw: bytes) -> list[Attachment]:
    """Store the files of one message, in the transaction that stored the message; as laid out by `prepare`, or now.

    The bytes are on the disk before the rows are; what is left of an interrupted run is found again by its hash.
    Raises as `prepare`.
    """
    prepared = getattr(_ready, "of", "")
    if prepared and prepared == hashlib.sha256(raw).hexdigest():
        rows, _ready.of, _ready.rows = _ready.rows, "", []
    else:
        rows = _stored(files_of(raw))
    return _kept(message, rows)


def _kept(message: Message, rows: list[Attachment]) -> list[Attachment]:
    for row in rows:
        row.message = message
    return Attachment.objects.bulk_create(rows)


def _stored(files: Iterable[File]) -> list[Attachment]:
    """The bytes on the disk, and the rows that say so, not yet in the database."""
    rows, patience = [], 2 * SCANNING
    for file in files:
        refused, sha256 = file.refused, hashlib.sha256(file.data).hexdigest() if not file.refused else ""
        if not refused:
            refused, used = _store(sha256, file.data, patience)
            patience -= used
        rows.append(
            Attachment(
                name=storable(file.name, 200),
                content_type=storable(file.content_type, 100),
                size=file.size,
                sha256=sha256,
                refused=storable(refused, 200),
            )
        )
    return rows


def path_of(attachment: Attachment) -> Path:
    """Where the bytes lie; checked against their hash, so that what is shown is what came.

    Raises NewsletterError: attachment-refused, attachment-missing, attachment-altered.
    """
    if attachment.refused:
        hint = "The whole message is kept as it came: `newsletter replies show NUMBER --raw` writes it to a file."
        raise NewsletterError(
            Problem("attachment-refused", f"{attachment.name} was not kept. {attachment.refused}", hint)
        )
    path = _place(attachment.sha256)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        hint = "Put var/attachments/ back from your backup; the raw message holds the same bytes (`--raw`)."
        message = f"{attachment.name} is not where it was kept: {error.strerror or error}"
        raise NewsletterError(
            Problem("attachment-missing", message, hint, Where(str(path))), exit=Exit.FAILURES
        ) from error
    if found != attachment.sha256:
        hint = (
            "Move the file away and put var/attachments/ back from your backup; the raw message is unharmed (`--raw`)."
        )
        message = f"{attachment.name} is not what came: its SHA-256 has changed"
        raise NewsletterError(Problem("attachment-altered", message, hint, Where(str(path))), exit=Exit.FAILURES)
    return path


def save(found: Iterable[Attachment], folder: Path) -> tuple[list[Path], list[Problem]]:
    """Write copies into `folder` under safe names, never over a file that is there; what could not be, in words."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = {path.name for path in folder.iterdir()}
    except OSError as error:
        hint = "Name a folder that you may write to."
        message = f"Cannot write to {folder}: {error.strerror or error}"
        raise NewsletterError(Problem("cannot-write", message, hint, Where(str(folder))), exit=Exit.CONFIG) from error
    paths: list[Path] = []
    problems: list[Problem] = []
    for attachment in found:
        try:
            source = path_of(attachment)
            path = _write_new(folder, file_names.safe(attachment.name, taken), source.read_bytes())
        except NewsletterError as error:
            problems += error.problems
            continue
        taken.add(path.name)
        paths.append(path)
    return paths, problems


def forget(hashes: Iterable[str]) -> int:
    """Delete the bytes of these files where no message has them any more; how many were. For erasing, after the rows
    are gone: several people may have sent the same picture."""
    gone = 0
    for sha256 in {one for one in hashes if one}:
        path = _place(sha256)
        if not Attachment.objects.filter(sha256=sha256, refused="").exists() and path.is_file():
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _write_new(folder: Path, name: str, data: bytes) -> Path:
    """A file that was not there; a link of that name, or somebody quicker, is not followed or overwritten."""
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
    except OSError as error:
        hint = "Check that the disk is not full, and choose an empty folder."
        message = f"Cannot write {path}: {error.strerror or error}"
        raise NewsletterError(Problem("cannot-write", message, hint, Where(str(path))), exit=Exit.CONFIG) from error
    return path


def _place(sha256: str) -> Path:
    return settings.current().var / FOLDER / sha256[:2] / sha256


def _store(sha256: str, data: bytes, patience: float) -> tuple[str, float]:
    """Write the bytes where their hash says, once; gives back why they were refused, and the seconds of the scanner."""
    path = _place(sha256)
    if path.is_file() and path.stat().st_size == len(data):
        return "", 0.0
    temporary = ""
    try:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new.")  # 0600
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        refused, used = _scanned(Path(temporary), patience)
        if not refused:
            Path(temporary).replace(path)
            temporary = ""
        return refused, used
    except OSError as error:
        hint = "Check that the folder var/attachments can be written to, and that the disk is not full."
        message = f"Cannot write {path}: {error.strerror or error}"
        raise NewsletterError(Problem("cannot-write", message, hint, Where(str(path))), exit=Exit.CONFIG) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _scanned(path: Path, patience: float) -> tuple[str, float]:
    """What `[replies] scanner` says of a file: "" = clean. Without an answer the file is refused, never let through."""
    command = shlex.split(settings.current().replies.scanner)
    if not command:
        return "", 0.0
    began = time.monotonic()
    try:
        done = subprocess.run(
            [*command, str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=max(1.0, min(SCANNING, patience)),
            check=False,
        )
        code = done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("the scanner of files did not answer: %s", type(error).__name__)
        code = -1
    used = time.monotonic() - began
    if code == 0:
        return "", used
    if code == 1:
        return "The scanner found something harmful in it. It can still be found in the whole message.", used
    return "The scanner gave no answer, so it was not kept. It can still be found in the whole message.", used
