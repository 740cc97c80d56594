"""The log of a mailing: what was done with it, by whom and when; lines are only ever added."""

from __future__ import annotations

import getpass

from newsletter.sending.models import LogEntry, Mailing

OURSELVES = "newsletter"  # `by` of what nobody asked for: a pause by itself, the worker that begins


def note(mailing: Mailing, what: str, words: str = "", people: int = 0, by: str = "") -> None:
    """Add a line, in the transaction that does what it tells of. `by`: a colleague; "" = who runs this command."""
    LogEntry.objects.create(mailing=mailing, what=what, words=words, people=people, by=(by or user())[:100])


def user() -> str:
    """The name of the account that runs us; its number where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return f"user {os.getuid()}"


def last(mailing: Mailing, lines: int) -> list[LogEntry]:
    """The last lines, the oldest of them first."""
    return list(LogEntry.objects.filter(mailing=mailing).order_by("-pk")[:lines])[::-1]
