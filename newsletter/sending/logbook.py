"""The log of a mailing: what was done with it, by whom and when; lines are only ever added."""

from __future__ import annotations

import getpass

from newsletter.sending.models import LogEntry, Mailing
from newsletter.sending.progress import Ended, How
from newsletter.sending.store import whole

OURSELVES = "newsletter"  # `by` of what nobody asked for: a pause by itself, the worker that begins


def note(mailing: Mailing, what: str, words: str = "", people: int = 0, by: str = "") -> None:
    """Add a line, in the transaction that does what it tells of. `by`: a colleague; "" = who runs this command."""
    LogEntry.objects.create(mailing=mailing, what=what, words=words, people=people, by=(by or user())[:100])


def ended(mailing: Mailing, end: Ended) -> None:
    """A line where carrying came to an end by itself: everybody handed over, or the mailing paused itself."""
    if end.how in (How.DONE, How.PAUSED) and (end.sent or end.how is How.PAUSED):
        what = "sent" if end.how is How.DONE else "paused"
        with whole():
            note(mailing, what, end.words, end.counts["accepted"], by=OURSELVES)


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
