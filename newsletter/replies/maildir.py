"""Maildir: one file for each message. It moves from new to cur once it is on our disk; nothing is ever deleted.

https://cr.yp.to/proto/maildir.html: a message is written in tmp and renamed into new when it is whole, so a file in
new is always complete. A mail program that opens the folder moves files to cur by itself; those are taken, too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from newsletter.audience import database
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import intake
from newsletter.replies.fetching import Fetched, OnProgress, return_path
from newsletter.replies.models import Raw

TAKEN = ":2,S"  # what stands behind the name of a message that was seen
AT_ONCE = 500  # names that the database is asked about in one question; SQLite takes 32,766
_known: dict[Path, tuple[int, set[str]]] = {}  # cur → (when it last changed, names in it that are taken)


def fetch(config: Config, key: str, on_progress: OnProgress) -> Fetched:
    """Take in what is new. Raises NewsletterError: maildir-unreadable, and the database's troubles."""
    folder = config.root / config.mailboxes[key].path
    fetched = Fetched()
    with database.problems_of():
        for path in waiting(folder, key):
            try:
                raw = contents(path)
            except FileNotFoundError:
                continue  # somebody else took or moved it: then it is in cur, and found there next time
            except OSError as error:
                fetched = fetched.but(f"{path.name[:80]} cannot be read ({error.strerror or error}); it stays there")
                continue
            if raw is None:
                fetched = fetched.but(f"{path.name[:80]} is larger than 50 MB or no file of its own; it stays there")
                continue
            verdict = intake.accept(raw, "", return_path(raw), "maildir", source_of(key, path.name))
            fetched = seen(path, fetched.and_one(verdict))
            if not on_progress(fetched):
                break
    return fetched


def waiting(folder: Path, key: str) -> Iterator[Path]:
    """The files that are not taken yet: new in the order of their names (they begin with the time), then cur."""
    try:
        new = sorted(entry.name for entry in os.scandir(folder / "new"))
        changed = (folder / "cur").stat().st_mtime_ns
        cur = sorted(entry.name for entry in os.scandir(folder / "cur"))
    except OSError as error:
        hint = "[mailboxes] path names the folder that holds new, cur and tmp; the newsletter's user must own it."
        message = f"The Maildir {folder} cannot be read: {error.strerror or error}"
        raise NewsletterError(Problem("maildir-unreadable", message, hint), exit=Exit.CONFIG) from error
    yield from (folder / "new" / name for name in new if not name.startswith("."))
    before, taken = _known.get(folder / "cur", (0, set()))
    if before == changed:
        return
    unknown = [name for name in cur if not name.startswith(".") and unique(name) not in taken]
    for start in range(0, len(unknown), AT_ONCE):
        names = unknown[start : start + AT_ONCE]
        sources = {source_of(key, name): unique(name) for name in names}
        rows = Raw.objects.filter(channel="maildir", source__in=sources).values_list("source", flat=True)
        taken |= {sources[source] for source in rows}
        yield from (folder / "cur" / name for name in names if unique(name) not in taken)
    _known[folder / "cur"] = (changed, taken)


def contents(path: Path) -> bytes | None:
    """The message; None for one that is too large, and for what is no plain file (a link could lead anywhere)."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if path.is_symlink() or not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        raw = file.read(intake.BIGGEST + 1)
    return raw if len(raw) <= intake.BIGGEST else None


def seen(path: Path, fetched: Fetched) -> Fetched:
    """Move a message that is on our disk from new to cur; where that fails, it is known by its name next time."""
    if path.parent.name != "new":
        return fetched
    try:
        path.rename(path.parent.parent / "cur" / f"{unique(path.name)}{TAKEN}")
    except FileNotFoundError:
        return fetched
    except OSError as error:
        return fetched.but(f"{path.name[:80]} is taken in but cannot be moved to cur ({error.strerror or error})")
    return fetched


def unique(name: str) -> str:
    """The name without its flags, which change: `1700000000.M1P2.host:2,S` → `1700000000.M1P2.host`."""
    return name.partition(":")[0]


def source_of(key: str, name: str) -> str:
    """Where a message lies, as `Raw.source` keeps it."""
    return f"{key}:{unique(name)}"[:200]
