"""When a mailing goes out and who carries it: at once or at a time, this command or the worker; and how to undo it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing


@dataclass(frozen=True)
class Plan:
    """What was decided before anybody was asked."""

    send_at: datetime | None  # None = at once
    worker: bool  # a worker is alive, so it carries and we only watch
    detach: bool  # do not even watch
    undo: int  # seconds in which Ctrl-C takes it back

    @property
    def leaves_it_to_the_worker(self) -> bool:
        return self.detach or self.send_at is not None


def decide(config: Config, at: str | None, front: str, *, detach: bool, yes: bool) -> Plan:
    """The plan for `--at`, front matter's `send_at` and --detach.

    Raises NewsletterError: bad-time, time-not-clear, time-past (exit 2), needs-worker (exit 4).
    """
    from newsletter.sending import heartbeats

    send_at = None if (at or "").strip().lower() == "now" else moment(config, at or front, "--at" if at else "send_at")
    worker = bool(heartbeats.alive())
    if not worker and (detach or send_at):
        raise needs_worker("Leaving it to the worker" if not send_at else "Sending at a later time")
    # Who typed the number may have typed it too quickly; a script, and mail that stays here, need no such moment.
    undo = config.sending.undo if config.mail.transport == "smtp" and sys.stdin.isatty() and not yes else 0
    return Plan(send_at, worker, detach, 0 if send_at else undo)


def moment(config: Config, text: str, origin: str) -> datetime | None:
    """The time that `text` says, in the site's time zone; None where there is no text."""
    from newsletter.content import when
    from newsletter.sending import heartbeats

    if not text:
        return None
    found = when.read(text, config.site.time_zone, heartbeats.clock())
    if isinstance(found, datetime):
        return found
    hint = found.hint
    if origin == "send_at" and found.code == "time-past":
        hint = "Change send_at in issue.md or take it away; newsletter send --at now sends it at once."
    problem = Problem(found.code, f"{origin}: {found.message}", hint=hint)
    raise NewsletterError(problem, exit=Exit.USAGE)


def needs_worker(what: str) -> NewsletterError:
    """Nobody would be there at that time: better an error now than silence then."""
    return NewsletterError(
        Problem(
            "needs-worker",
            f"{what} needs the worker, and none is running (none was heard within the last minute)",
            hint="Start it with newsletter worker (docs/how-to/run-the-worker.md), then run this again.",
        ),
        exit=Exit.REFUSED,
    )


def taken_back_in_time(output: Output, seconds: int) -> bool:
    """Count down, before anything is frozen; True when Ctrl-C was pressed meanwhile."""
    try:
        _count_down(output, seconds)
    except KeyboardInterrupt:
        output.say("\nTaken back: nothing has been sent, and nobody was put down for it.")
        output.next("newsletter send", "when you are ready")
        return True
    return False


def _count_down(output: Output, seconds: int) -> None:
    end = time.monotonic() + seconds
    text = "Sending starts in {} s. Ctrl-C takes it back; nothing has been sent."
    if not output.fancy:
        output.say(text.format(seconds))
    while (left := end - time.monotonic()) > 0:
        if output.fancy:
            click.echo(f"\r\x1b[2K{text.format(int(left) + 1)}", nl=False)
        time.sleep(min(left, 1.0))
    if output.fancy:
        click.echo("\r\x1b[2K", nl=False)


def keep(config: Config, mailing: Mailing, plan: Plan) -> None:
    """Write the plan into the ledger, in the transaction that approves."""
    from newsletter.content import when
    from newsletter.sending import heartbeats, logbook, schedules

    begins = heartbeats.clock() + timedelta(seconds=plan.undo) if plan.worker and plan.undo else None
    schedules.plan(mailing, send_at=plan.send_at, begins=begins)
    logbook.note(mailing, "approved", "", mailing.frozen)
    if plan.send_at:
        logbook.note(mailing, "scheduled", f"for {when.said(plan.send_at, config.site.time_zone)}")


def say_left_to_the_worker(output: Output, config: Config, mailing: Mailing) -> None:
    """When it goes out, and how to take it back."""
    from newsletter.content import when

    people = words.people(mailing.frozen)
    if mailing.send_at:
        time_ = when.said(mailing.send_at, config.site.time_zone)
        output.done(f"{mailing.slug} goes to {people} on {time_}. Nothing has been sent.")
        output.next(
            f"newsletter stop {mailing.slug}",
            f"takes it back until then; newsletter send {mailing.slug} --at WHEN moves it",
        )
    elif mailing.begins:
        begins = when.said(mailing.begins, config.site.time_zone)
        output.done(f"The worker starts to send {mailing.slug} to {people} on {begins}.")
        output.next(f"newsletter stop {mailing.slug}", "takes it back until then")
    else:
        output.done(f"The worker sends {mailing.slug} to {people}.")
        output.next(f"newsletter status {mailing.slug} --follow", "shows how it goes")


def moved(output: Output, config: Config, mailing: Mailing, at: str | None) -> Exit | None:
    """`send` of an issue that waits for its time: say when, or move it; None when it is to be sent now."""
    from newsletter.content import when
    from newsletter.sending import heartbeats, logbook, schedules
    from newsletter.sending.store import whole

    now = heartbeats.clock()
    waits = schedules.scheduled(mailing, now)
    if at and not waits and at.strip().lower() != "now":
        problem = Problem("wrong-state", f"{mailing.slug} has begun: its time cannot be moved", hint=_PAUSE)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if not waits:
        return None
    if at:
        plan = decide(config, at, "", detach=False, yes=True)
        with whole():
            if not schedules.move(mailing, plan.send_at):
                problem = Problem("wrong-state", f"{mailing.slug} has begun meanwhile", hint=_PAUSE)
                raise NewsletterError(problem, exit=Exit.REFUSED)
            time_ = when.said(plan.send_at, config.site.time_zone) if plan.send_at else "now"
            logbook.note(mailing, "scheduled", f"moved to {time_}")
        if plan.send_at is None:
            return None
    say_left_to_the_worker(output, config, mailing)
    return Exit.FINE


_PAUSE = "newsletter pause halts it safely; newsletter status shows how it stands."
