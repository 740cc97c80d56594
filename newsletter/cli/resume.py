"""`newsletter resume`: carry on with a paused mailing, here or in the window where `send` still waits."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.models import Mailing


@click.command()
@click.argument("issue", required=False)
@click.option("--yes", is_flag=True, help="Do not ask about one that has missed its time.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, yes: bool, as_json: bool) -> int:
    """Carry on with a paused mailing: in the window where newsletter send still waits, by the worker, else right here.

    One that has missed its time by hours asks first.
    """
    from newsletter.cli.sending_mailing import which, workspace, wrong_state
    from newsletter.cli.sending_run import carry

    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    from newsletter.sending import carrier, heartbeats, lock, logbook, mailings, schedules  # need the database
    from newsletter.sending.store import whole

    mailing = which(output, config, issue)
    if schedules.back_to_its_time(mailing, heartbeats.clock()):
        return _waits_again(output, config, mailing, as_json)
    _ask_if_missed(output, config, mailing, yes)
    with whole():
        if not mailings.resume(mailing):
            hint = "newsletter status shows how it stands; newsletter send goes on with one that was cut off."
            raise wrong_state(mailing, "resumed", hint)
        status = mailings.status(mailing)
        waiting = sum(status[state] for state in (*words.WAITING, "deferred"))
        logbook.note(mailing, "resumed", "", waiting)
    output.done(f"Going on with {mailing.slug}: {words.people(waiting)} to go.")
    code = int(Exit.FINE)
    if lock.is_held(config.var):
        output.say("  The window where newsletter send runs carries on; newsletter status --follow shows it here.")
    elif heartbeats.alive():
        output.say("  The worker carries on; newsletter status --follow shows it here.")
    else:
        with carrier.opened(config) as way:
            _, code = carry(output, config, mailing, way)
    if as_json:
        print_json((), **mailings.status(mailing), exit=code)
    return code


def _waits_again(output: Output, config: Config, mailing: Mailing, as_json: bool) -> int:
    from newsletter.cli import sending_plan
    from newsletter.sending import logbook, mailings

    logbook.note(mailing, "resumed", "waits for its time again")
    if as_json:
        print_json((), **mailings.status(mailing), exit=0)
    else:
        sending_plan.say_left_to_the_worker(output, config, mailing)
    return Exit.FINE


def _ask_if_missed(output: Output, config: Config, mailing: Mailing, yes: bool) -> None:
    """Hours after its time, somebody has to say that it may still go out. Raises NewsletterError(must-be-agreed)."""
    from newsletter.cli.sending_run import confirmed
    from newsletter.content import when
    from newsletter.sending import heartbeats, schedules

    if yes or mailing.send_at is None or not schedules.missed(mailing, heartbeats.clock(), config.sending.stale):
        return
    meant = f"{mailing.slug} was meant for {when.said(mailing.send_at, config.site.time_zone)}"
    if not sys.stdin.isatty():
        hint = "newsletter resume --yes sends it now; newsletter stop takes it back, so that it can be sent anew."
        raise NewsletterError(Problem("must-be-agreed", meant, hint=hint), exit=Exit.REFUSED)
    question = f"{meant}. Send it now? Type {mailing.frozen} to send it to {words.people(mailing.frozen)}:"
    if not confirmed(output, question, mailing.frozen):
        hint = "newsletter stop takes it back, so that it can be sent anew."
        problem = Problem("must-be-agreed", "That is not the number; nothing was sent", hint=hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
