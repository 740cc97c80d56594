"""Rewriting the database's file after an erasure, away from the page on which somebody pressed "forget me".

The rows are gone and written over with zeros at once (secure_delete); but what the file kept of earlier versions of
them goes only when it is written anew, which takes 2 s a gigabyte, and nobody else writes meanwhile. So a mark is left
in var/, and the worker does it, or `newsletter web` where there is none; killed half-way, the next turn does it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from django.db import connection

from newsletter import files
from newsletter.config import Config
from newsletter.replies import erasing

DUE, BEGUN = "compact.due", "compact.begun"


def later(config: Config) -> None:
    """Leave the mark. Raises NewsletterError(cannot-write): then nothing may be said to be forgotten."""
    if connection.vendor != "sqlite":
        return
    path = config.var / DUE
    try:
        path.touch()
    except OSError as error:
        raise files.unwritable(path, error) from error


def turn(config: Config) -> str:
    """Do it where it is due; gives back words when there is something to tell."""
    due, begun = config.var / DUE, config.var / BEGUN
    if not due.exists() and not begun.exists():
        return ""
    _move(due, begun)  # an erasure that comes from here on leaves a mark of its own
    if problems := erasing.compact():
        return problems[0].message
    begun.unlink(missing_ok=True)
    return "the database was written anew after an erasure"


def _move(due: Path, begun: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process has, or it was begun before
        due.replace(begun)
