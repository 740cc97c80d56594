"""`newsletter pause`: no new message is begun; nobody is missed or sent twice."""

from __future__ import annotations

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit


@click.command()
@click.argument("issue", required=False)
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, as_json: bool) -> int:
    """Pause a mailing. What is in flight is finished, within a second nothing new is begun.

    \b
    newsletter pause      in another window, while newsletter send runs
    newsletter resume     carries on
    """
    from newsletter.cli.sending_mailing import which, workspace, wrong_state

    config = workspace(output)
    from newsletter.sending import logbook, mailings  # need the database that `workspace` opened
    from newsletter.sending.store import whole

    mailing = which(output, config, issue)
    with whole():
        paused = mailings.pause(mailing)
        status = mailings.status(mailing)
        waiting = sum(status[state] for state in (*words.WAITING, "deferred"))
        if paused:
            logbook.note(mailing, "paused", "", waiting)
    if not paused and mailing.state != "paused":
        raise wrong_state(mailing, "paused", "newsletter status shows how it ended.")
    if as_json:
        print_json((), **status)
        return Exit.FINE
    output.done(f"Paused {mailing.slug}. {words.people(waiting)} wait; what is in flight is being finished.")
    output.next("newsletter resume", "carries on; nobody is missed or sent twice")
    return Exit.FINE
