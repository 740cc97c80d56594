"""One sender at a time in a workspace: a lock that the operating system frees when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter import files
from newsletter.problems import Exit, NewsletterError, Problem

FILE = "sending.lock"


@dataclass(frozen=True)
class Holder:
    """Who is sending: what the lock's file says. Only for telling; what holds is the lock itself."""

    pid: int
    slug: str
    since: str  # 10:05


@contextmanager
def sending(var: Path, slug: str, now: datetime) -> Iterator[int]:
    """Hold the right to send in this workspace. Freed at the end of the block or of the process, also by kill -9.

    Gives the open file: a process that inherits it holds the lock on, until the last of them has ended.
    Raises NewsletterError(already-sending, exit 4) when another process holds it, and (cannot-write, exit 3) when
    the folder cannot be written.
    """
    path = var / FILE
    try:
        files.private(var)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise files.unwritable(path, error) from error
    try:
        if not _taken(handle):
            raise _refusal(holder(var))
        said = {"pid": os.getpid(), "slug": slug, "since": now.strftime("%H:%M")}
        with suppress(OSError):  # a full or broken disk: these words are only for telling, the lock holds without
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(said).encode(), 0)
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    for attempt in range(3):  # is_held() of another command holds it for some microseconds
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.02 * attempt)
        else:
            return True
    return False


def is_held(var: Path) -> bool:
    """True while some process is sending in this workspace."""
    try:
        handle = os.open(var / FILE, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def holder(var: Path) -> Holder | None:
    """What the file says about who is sending (or was, the last time)."""
    try:
        said = json.loads((var / FILE).read_text(encoding="utf-8"))
        return Holder(int(said["pid"]), str(said["slug"]), str(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refusal(who: Holder | None) -> NewsletterError:
    told = (
        f"{who.slug} is being sent from here since {who.since} (process {who.pid})"
        if who
        else "Something is being sent"
    )
    return NewsletterError(
        Problem(
            "already-sending",
            f"{told}; one sender at a time",
            hint="`newsletter status --follow` shows how it goes; `newsletter pause` halts it safely.",
        ),
        exit=Exit.REFUSED,
    )
