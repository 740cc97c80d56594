"""Notices a restored backup: a number that the database and a file outside it share, and that only ever grows."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone

from newsletter import files
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Where
from newsletter.sending import tally
from newsletter.sending.models import LedgerEpoch, Mailing
from newsletter.sending.store import whole

FILE, LOCK = "ledger.journal", ".ledger.lock"
WORLD = 16  # letters of the epoch that stay; the other 16 are a number that grows with every mark

# A line of the journal: epoch, moment, issue ("-" for none), its number in the database, people accepted so far; and
# "again" where those who had not got it were put back to wait (`send --missing`).
_COLUMNS = 5
AGAIN = "again"


@dataclass(frozen=True)
class Mark:
    epoch: str
    at: datetime
    slug: str
    mailing: int
    accepted: int
    again: bool = False

    @property
    def world(self) -> str:
        return self.epoch[:WORLD]

    @property
    def number(self) -> int:
        return int(self.epoch[WORLD:])


@dataclass
class Difference:
    """Why the database is not the one that sent last. `since`: the moment of the copy, where that is known."""

    why: str
    since: datetime | None = None
    slugs: dict[str, int] = field(default_factory=dict)  # issue → people accepted, as the journal knows it
    again: set[str] = field(default_factory=set)  # issues that were sent once more to those who had not got them


def guard(config: Config) -> None:
    """Called before anything is sent. Two small reads when all is well; the first time, writes both.

    Raises NewsletterError(ledger-restored, exit 4) when the database is older than the journal, or the journal is
    gone.
    """
    with _alone(config):
        found = difference(config)
        if found is None:
            if LedgerEpoch.objects.first() is None:
                _renew(config)
            return
    raise NewsletterError(
        Problem(
            "ledger-restored",
            f"{found.why[0].upper()}{found.why[1:]}. People may have got mail that it does not know of; nothing was "
            "sent",
            hint="newsletter recover --postfix-log FILE finds out who got it, asks, and lets sending go on.",
            where=Where(str(path(config))),
        ),
        exit=Exit.REFUSED,
    )


def difference(config: Config) -> Difference | None:
    """None when database and journal agree; changes nothing.

    A database that is a step ahead is fine: a mark is written there first, and a crash may come between.
    """
    last = last_mark(config)  # first: a mark that comes between the two looks is in the database before it is here
    row = LedgerEpoch.objects.first()
    if row is None and last is None:
        return None  # nothing was ever sent by a version that keeps a journal
    if last is None:
        since = row.at if row else None
        return Difference("the file var/ledger.journal is missing, though mail was sent from here", since)
    if row is None:
        return Difference("the database is older than what was sent from here", None, *_known(config, "", 0))
    mine = Mark(row.epoch, row.at, "", 0, 0)
    if mine.world != last.world:
        return Difference("the database is not the one that sent from here last", row.at, *_known(config, "", 0))
    if mine.number < last.number:
        known = _known(config, mine.world, mine.number)
        return Difference("the database was restored from an older copy", row.at, *known)
    return None


def mark(config: Config, mailing: Mailing, accepted: int, *, again: bool = False) -> None:
    """At the start and end of a drain and now and then in it: one UPDATE and one synced line of some 80 bytes.

    A copy of the database that is older than the last mark is noticed; what is sent between two marks is the most
    that can escape, so mark every minute at least. `again`: those who had not got it are about to wait once more.
    """
    with _alone(config):
        _append(config, Mark(_advanced(), datetime.now(UTC), mailing.slug, mailing.pk, accepted, again))


def mark_single(config: Config) -> datetime | None:
    """The same for single mails, which belong to no mailing: before they leave, and when they have left.

    In a database that is older than the journal nothing is marked, for a mark would make it look like the true one:
    gives back the moment of the last mark, until which single mails that wait here may have left already. Without a
    journal (lost, or `newsletter web` runs on a computer of its own) nothing is known and nothing marked: None.
    """
    with _alone(config):
        last = last_mark(config)
        if difference(config) is not None:
            return last.at if last else None
        if LedgerEpoch.objects.first() is None:
            _renew(config)
        _append(config, Mark(_advanced(), datetime.now(UTC), "-", 0, 0))
    return None


def renew(config: Config) -> None:
    """A new epoch in both, so that every older copy of the database is told from this one."""
    with _alone(config):
        _renew(config)


def _renew(config: Config) -> None:
    epoch = secrets.token_hex(WORLD // 2) + f"{0:016d}"
    with whole():
        LedgerEpoch.objects.all().delete()
        LedgerEpoch.objects.create(epoch=epoch)
    _append(config, Mark(epoch, datetime.now(UTC), "-", 0, 0))


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Database and journal are two; who looks at both, or writes both, does it while nobody else here does. A sender,
    the worker's chores and the pages all do."""
    try:
        files.private(config.var)
        # A file beside the journal, which is moved away on purpose after a snapshot.
        handle = os.open(config.var / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise files.unwritable(config.var / LOCK, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # held for a write to the disk, 2 ms
        yield
    finally:
        os.close(handle)


def path(config: Config) -> Path:
    return config.var / FILE


def last_mark(config: Config) -> Mark | None:
    """The last whole line of the journal; a line that a power cut tore is as if it had not been written."""
    try:
        with path(config).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.unwritable(path(config), error) from error
    for line in reversed(lines):
        if found := _parsed(line):
            return found
    return None


def _known(config: Config, world: str, number: int) -> tuple[dict[str, int], set[str]]:
    """The issues of all marks after `number` in `world` with their last high-water, and those that were sent again to
    who had not got them; one pass over the file."""
    found: dict[str, int] = {}
    again: set[str] = set()
    after = not world
    with path(config).open("rb") as file:
        for line in file:
            mark = _parsed(line)
            if mark is None:
                continue
            after = after or (mark.world == world and mark.number > number)
            if after and mark.slug != "-":
                found[mark.slug] = max(mark.accepted, found.get(mark.slug, 0))
                again |= {mark.slug} if mark.again else set()
    return found, again


def _parsed(line: bytes) -> Mark | None:
    words = line.decode("utf-8", "replace").split()
    more = words[_COLUMNS:]
    if not line.endswith(b"\n") or len(words) < _COLUMNS or more not in ([], [AGAIN]) or len(words[0]) != 2 * WORLD:
        return None
    try:
        made = Mark(words[0], datetime.fromisoformat(words[1]), words[2], int(words[3]), int(words[4]), bool(more))
        return made if made.number >= 0 else None
    except ValueError:
        return None


def _advanced() -> str:
    """The epoch of the database, one further; another sender may advance it at the same moment."""
    while True:
        row = LedgerEpoch.objects.get()
        following = f"{row.epoch[:WORLD]}{int(row.epoch[WORLD:]) + 1:016d}"
        with whole():
            if LedgerEpoch.objects.filter(pk=row.pk, epoch=row.epoch).update(epoch=following, at=timezone.now()):
                return following


def _append(config: Config, mark: Mark) -> None:
    """One line, on the disk when this returns; after a torn line it begins a new one."""
    again = f" {AGAIN}" if mark.again else ""
    line = f"{mark.epoch} {mark.at.isoformat()} {mark.slug} {mark.mailing} {mark.accepted}{again}\n"
    file = path(config)
    try:
        files.private(file.parent)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, ("\n" if torn else "").encode() + line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise files.unwritable(file, error) from error


def accepted(mailing: Mailing) -> int:
    """The high-water for `mark`: how many people were accepted so far."""
    return tally.counts(mailing.pk)["accepted"]
