"""`newsletter stop`: end a mailing for good; whoever has not got it will not get it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing


@click.command()
@click.argument("issue", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, yes: bool, as_json: bool) -> int:
    """Stop a mailing for good: the people who still wait are cancelled. newsletter pause only halts it.

    \b
    newsletter stop          says how many people will not get it, and asks
    newsletter stop --yes    without a terminal

    One that waits for its time, or is within its undo delay, is taken back: its issue can be sent again.
    """
    from newsletter.cli.sending_mailing import which, workspace, wrong_state
    from newsletter.cli.sending_run import confirmed

    config = workspace(output)
    from newsletter.sending import logbook, mailings, schedules  # need the database that `workspace` opened
    from newsletter.sending.store import whole

    mailing = which(output, config, issue)
    if mailing.state in ("finished", "stopped"):
        raise wrong_state(mailing, "stopped", "newsletter status shows how it ended.")
    status = mailings.status(mailing)
    waiting = sum(status[state] for state in (*words.WAITING, "deferred"))
    if _never_begun(mailing) and schedules.take_back(mailing) is not None:
        return _taken_back(output, mailing, waiting, as_json)
    if not yes:
        said = f"{words.people(waiting)} will not get it, and that cannot be undone"
        if not sys.stdin.isatty():
            raise _not_agreed(f"Stopping {mailing.slug}: {said}", "Without a terminal: newsletter stop --yes")
        if not confirmed(output, f"{said[0].upper()}{said[1:]}. Type {waiting} to stop:", waiting):
            raise _not_agreed("That is not the number; nothing was stopped", "newsletter pause halts it meanwhile.")
    with whole():
        cancelled = mailings.stop(mailing)
        logbook.note(mailing, "stopped", "", cancelled)
    if as_json:
        print_json((), **mailings.status(mailing))
        return Exit.FINE
    output.done(f"Stopped {mailing.slug} for good. {words.people(cancelled)} will not get it.")
    output.say(f"  {words.numbers(mailings.status(mailing))}")
    return Exit.FINE


def _never_begun(mailing: Mailing) -> bool:
    """It waits for its time, or has missed it: stopping it takes everything back, and needs no number."""
    planned = mailing.send_at is not None or mailing.begins is not None
    return planned and mailing.state in ("approved", "paused") and mailing.started_at is None


def _taken_back(output: Output, mailing: Mailing, people: int, as_json: bool) -> int:
    if as_json:
        from newsletter.sending import mailings

        print_json((), **mailings.status(mailing), taken_back=True)
        return Exit.FINE
    output.done(f"Taken back: nothing was sent, and {words.people(people)} do not get it.")
    output.next(
        f"newsletter send {mailing.slug}", "sends the issue when you are ready, as if it had never been approved"
    )
    return Exit.FINE


def _not_agreed(message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem("must-be-agreed", message, hint=hint), exit=Exit.REFUSED)
