"""How replies look in a terminal: one safe line, whole paragraphs, names, and the clock in words and colour."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, visible
from newsletter.problems import Exit, NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.replies.who import Colleague

JOINERS = re.compile("([\u200c\u200d])")  # they join letters in Persian, Urdu and emoji, and move no cursor
COLOURS: dict[str, dict[str, Any]] = {
    "half": {"fg": "yellow"},
    "soon": {"fg": "red"},
    "late": {"fg": "red", "bold": True},
}
as_option = click.option("--as", "as_", metavar="NAME", default="", help="Who you are: a key of [staff].")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def ready(output: Output) -> list[Problem]:
    """Open the database and finish what an interrupted run left unread; what stays unread is said."""
    from newsletter.audience import database

    database.ready(output.config())
    from newsletter.replies import intake

    left = intake.finish_unread()
    if not left:
        return []
    hint = "They are safe. `newsletter doctor` checks the key file; they are read as soon as it is right."
    message = f"{count(left, 'message')} came in and could not be sorted yet"
    return [Problem("replies-unread", message, hint, severity=Severity.WARNING, affected=left)]


def at_the_desk(output: Output, as_: str) -> Colleague:
    """Open the database, and say who does this. Raises NewsletterError: no-staff, unknown-staff, who-are-you."""
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import who

    return who.colleague(config, as_)


@contextmanager
def together() -> Iterator[None]:
    """What is done to several conversations is done to all of them or to none: half is not told by one error."""
    from django.db import transaction

    with transaction.atomic():
        yield


def number_of(name: str) -> int:
    """The conversation that was typed. Raises NewsletterError(no-such-conversation)."""
    if not re.fullmatch(r"\d{1,18}", name):
        hint = "`newsletter replies list --all` shows every number."
        problem = Problem("no-such-conversation", f"There is no conversation {visible(name)[:40]}", hint)
        raise NewsletterError(problem, exit=Exit.USAGE)
    return int(name)


def moment(text: str, at: time = time(9)) -> datetime:
    """A day (`at`, 09:00, of it) or a time, in the site's time zone. Raises NewsletterError(bad-value)."""
    from django.utils import timezone

    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        if spoken := _spoken(text.strip(), at):
            return spoken
        hint = "Write it like 2026-12-01, 2026-12-01 14:30, tomorrow, or friday 14:30."
        problem = Problem("bad-value", f"That is no day and no time: {visible(text)[:40]}", hint)
        raise NewsletterError(problem, exit=Exit.USAGE) from None
    if len(text.strip()) == 10:
        found = datetime.combine(found.date(), at)
    return found if found.tzinfo else timezone.make_aware(found)


def _spoken(text: str, at: time) -> datetime | None:
    """`tomorrow`, `friday`, `friday 14:30`, as `newsletter send --at` takes them; None when it is none of them."""
    from django.utils import timezone

    from newsletter.content import when

    for words in (text, f"{text} {at:%H:%M}"):
        found = when.read(words, timezone.get_current_timezone_name(), timezone.now())
        if isinstance(found, datetime):
            return found
    return None


def text_of(words: str | None, file: Any, *, ask: str) -> str:
    """The text of an answer or a note: --text, a file or `-`, standard input that is no terminal, or the editor."""
    if words is not None:
        return words
    if file is not None:
        return str(file.read())
    if not sys.stdin.isatty():
        return str(sys.stdin.read())
    written = click.edit(f"\n\n{ask}", extension=".txt") or ""
    return written.split(ask.partition("\n")[0])[0].strip()


def name_of(found: dict[str, Any]) -> str:
    """The name to show in a list, with the warning that matters most."""
    name = found["from"]["name"] or found["from"]["address"] or "nobody"
    if "verified" not in found:
        return str(name)
    if not found["verified"]:
        return f"{name} (not verified)"
    return f"{name} (someone else)" if found["someone_else"] else str(name)


def clock(output: Output, found: dict[str, Any]) -> str:
    """`due in 9 hours, answer soon`, also in colour where colours are wanted."""
    words, stage = str(found["clock"]), str(found["stage"])
    return output.style(words, **COLOURS[stage]) if stage in COLOURS and words else words


def cut(text: str, width: int) -> str:
    """One safe line of at most `width` letters."""
    shown = line(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def line(text: str) -> str:
    """One line for a terminal: nothing in it can move the cursor, but joined letters stay joined."""
    keep: Callable[[str], str] = lambda part: part if JOINERS.fullmatch(part) else visible(part)  # noqa: E731
    return "".join(map(keep, JOINERS.split(text)))


def _wrapped(one: str, width: int) -> list[str]:
    """A line that fits; what was quoted stays marked as quoted on every line."""
    mark = re.match(r"(?:> ?)*", one)[0]  # type: ignore[index]  # it always matches
    return textwrap.wrap(one, width, subsequent_indent=mark) or [""]


def paragraphs(text: str, width: int) -> str:
    """What somebody wrote, indented, line by line; wrapped between words where `width` columns are known."""
    lines = [line(one).rstrip() for one in text.strip().splitlines()]
    if width:
        lines = [part for one in lines for part in _wrapped(one, max(width - 5, 20))]
    return "\n".join(f"    {one}".rstrip() for one in lines)
