"""How a mailing stands, in words and as a bar; every line of numbers adds up to the people it was sent to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, number
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.sending.models import LogEntry

WAITING = ("pending", "leased", "inflight")
# In the order in which they are said. The words for `state` on screens; reports and --json keep the names.
WORDS = {
    "accepted": "accepted",
    "deferred": "trying again",
    "failed": "failed",
    "suppressed": "left since",
    "uncertain": "uncertain",
    "expired": "given up",
    "cancelled": "cancelled",
}
LOG = {
    "approved": "Approved",
    "scheduled": "Scheduled",
    "started": "Begun",
    "sent": "Handed over",
    "paused": "Paused",
    "resumed": "Resumed",
    "stopped": "Stopped for good",
    "taken-back": "Taken back",
    "settled": "Settled",
}
STATES = {
    "approved": "Approved, not started",
    "sending": "Sending",
    "paused": "Paused",
    "stopped": "Stopped for good",
    "finished": "Finished",
}
MOSTLY_FAILED = "Ended, but most of it did not arrive"
BAR = 40
NARROW = 12  # a shorter bar shows nothing; then numbers give way to it


def split(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """(words, people), whose sum is everybody: accepted and waiting always, the others where there are any."""
    waiting = sum(counts[state] for state in WAITING)
    said = [(words, counts[state]) for state, words in WORDS.items() if counts[state] or state == "accepted"]
    return [*said, ("waiting", waiting)] if waiting else said


def numbers(counts: Mapping[str, int]) -> str:
    """`accepted 11,640   trying again 338   failed 86   waiting 5,678`."""
    return "   ".join(f"{words} {number(people)}" for words, people in split(counts))


def ended(state: str, accepted: int, everybody: int) -> str:
    """The words for a state. "Finished" is no word for a mailing of which most was refused."""
    return MOSTLY_FAILED if state == "finished" and 2 * accepted < everybody else STATES[state]


def settled(counts: Mapping[str, int]) -> int:
    """People of whom nothing more is to be done or awaited."""
    return sum(counts[state] for state in WORDS if state != "deferred")


def bar(output: Output, counts: Mapping[str, int], rate: float, left: str = "") -> str:
    """`━━━━━━━━ 68%  12,064/17,742  21/s  4 min 30 s left`; the numbers alone where it is no terminal."""
    total = sum(counts.values()) or 1
    done = settled(counts)
    parts = [f"{100 * done // total}%", f"{number(done)}/{number(total)}"]
    if rate:
        parts.append(f"{rate:.0f}/s")
    if left:
        parts.append(f"{left} left")
    if not output.fancy:
        return "  ".join(parts)
    room = shutil.get_terminal_size().columns - 4  # two blanks before it, two behind
    if len("  ".join(parts)) + NARROW > room:  # how far, and how long still: that is what people look for
        parts = [parts[0], *parts[-1:]] if left else parts[:1]
    wide = max(4, min(BAR, room - len("  ".join(parts))))
    full = wide * done // total
    drawn = output.style("━" * full, fg="cyan") + output.style("━" * (wide - full), dim=True)
    return f"{drawn}  {'  '.join(parts)}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `7 min 24 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(moment: datetime | None) -> str:
    """`14:05` today, `25 Nov 14:05` on another day, in the site's time zone."""
    from django.utils import timezone

    if moment is None:
        return ""
    local = timezone.localtime(moment)
    if local.date() == timezone.localtime().date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"


def stamp(moment: datetime | str) -> str:
    """`2026-06-01 00:30` in the site's time zone: an hour of it is another day in the database's. ISO 8601 is read."""
    from django.utils import timezone

    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


def log_line(entry: LogEntry) -> str:
    """`14:05  Paused by anna, 5,678 people: the mail server refuses us`."""
    said = LOG.get(entry.what, entry.what.capitalize())
    by = f" by {entry.by}" if entry.by else ""
    who = f", {people(entry.people)}" if entry.people else ""
    return f"{clock(entry.at)}  {said}{by}{who}{': ' if entry.words else ''}{entry.words}"


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Ctrl-C in the block ends the command (130) and says that no mail has left; an end of input stays what it is."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__cause__ or error.__context__, EOFError):
            raise
        click.echo("\nInterrupted: nothing was sent.", err=True)
        raise click.exceptions.Exit(Exit.INTERRUPTED) from error


def people(value: int) -> str:
    return count(value, "person", "people")
