"""Watching a mailing that the worker carries: the same bar as `send`, but Ctrl-C only leaves the view."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, visible
from newsletter.cli.sending_screen import Events, Redrawn
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing

LOOK = 0.5  # seconds between looks at the ledger
LINE = 10.0  # seconds between lines where there is no terminal


def watch(output: Output, mailing: Mailing, *, sleep: Callable[[float], Any] = time.sleep) -> int:
    """Look until nobody waits any more; returns the exit code. Leaving the view is no failure: exit 0."""
    try:
        return _watched(output, mailing, sleep)
    except KeyboardInterrupt:
        return _left(output, mailing)


def _watched(output: Output, mailing: Mailing, sleep: Callable[[float], Any]) -> int:
    from newsletter.sending import heartbeats, mailings
    from newsletter.sending.progress import Progress

    screen, events = Redrawn(output), Events()
    began, first, last, line, trouble, counts = time.monotonic(), None, 0.0, "", "", {}
    while True:
        status = mailings.status(mailing)
        counts = {state: status[state] for state in (*words.WAITING, *words.WORDS)}
        first = counts["accepted"] if first is None else first
        rate = (counts["accepted"] - first) / max(time.monotonic() - began, 0.5)
        if _over(mailing, counts):
            break
        begins = _seconds_to_begin(mailing)
        if begins > 0:
            line = f"Sending starts in {begins:.0f} s. Ctrl-C takes it back; nothing has been sent."
        else:
            line = f"{words.bar(output, counts, rate)}\n  {words.numbers(counts)}"
        events.progress(Progress(counts, counts["accepted"] - first, time.monotonic() - began))
        if output.fancy and not output.quiet:
            screen.draw(line.split("\n"))
        elif time.monotonic() - last >= LINE:
            last = time.monotonic()
            output.say(line if begins > 0 else words.numbers(counts))
        if (why := heartbeats.trouble(mailing.slug)) != trouble:
            trouble = why
            if why:
                output.say(f"  {visible(why)}. The worker tries again by itself.")
                screen.lines = 0  # this line stays, and the next drawing stands below it
        if not heartbeats.alive():
            output.failed("The worker is not heard any more; nobody is forgotten.")
            output.next(f"newsletter send {mailing.slug}", "goes on from here; nobody gets it twice")
            return Exit.TRY_AGAIN
        sleep(LOOK)
    screen.draw([])
    return _tell(output, mailing, counts)


def _over(mailing: Mailing, counts: dict[str, int]) -> bool:
    return mailing.state in ("finished", "stopped", "paused") or (
        mailing.state == "sending" and not any(counts[state] for state in words.WAITING)
    )


def _seconds_to_begin(mailing: Mailing) -> float:
    from newsletter.sending import heartbeats

    if mailing.state != "approved" or mailing.begins is None:
        return 0.0
    return (mailing.begins - heartbeats.clock()).total_seconds()


def _tell(output: Output, mailing: Mailing, counts: dict[str, int]) -> int:
    """The end, in words."""
    from newsletter.cli.sending_run import reasons, subject

    mailing.refresh_from_db()
    if mailing.state == "paused":
        output.failed(f"{mailing.slug} is paused. {visible(mailing.paused_why)}".rstrip())
        output.next(f"newsletter resume {mailing.slug}", "carries on; nobody is missed or sent twice")
    elif mailing.state == "stopped":
        output.say(f"Stopped for good: {words.people(counts['cancelled'])} will not get it.")
    else:
        output.done(f"Sent “{visible(subject(mailing))}” to {words.people(counts['accepted'])}")
        if counts["accepted"] != mailing.frozen:
            output.say(f"  {words.numbers(counts)}")
        reasons(output, mailing)
        if counts["deferred"]:
            output.say(f"  The worker tries {words.people(counts['deferred'])} again by itself.")
        if counts["uncertain"]:
            output.say(f"{words.people(counts['uncertain'])} uncertain; they are not sent it again by themselves.")
            output.next(f"newsletter status {mailing.slug}", "lists them and says what can be done")
    bad = any(counts[state] for state in ("failed", "expired", "uncertain", "cancelled", "deferred", *words.WAITING))
    return Exit.FAILURES if bad else Exit.FINE


def _left(output: Output, mailing: Mailing) -> int:
    """Ctrl-C: within the undo delay it takes everything back, afterwards it only leaves the view."""
    from django.db import connection

    from newsletter.sending import schedules

    slug = mailing.slug
    connection.close()  # Ctrl-C in the middle of a statement leaves it useless; the next question opens it anew
    mailing.refresh_from_db()
    if _seconds_to_begin(mailing) > 0 and schedules.take_back(mailing) is not None:
        output.say(f"\nTaken back: nothing of {slug} has been sent.")
        output.next(f"newsletter send {slug}", "when you are ready")
        return Exit.INTERRUPTED
    output.say(f"\nYou have left the view; the worker goes on sending {slug}.")
    output.next(
        f"newsletter status {mailing.slug} --follow", "looks again; newsletter pause halts it, newsletter stop ends it"
    )
    return Exit.FINE
