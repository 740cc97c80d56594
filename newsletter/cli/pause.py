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
    from newsletter.sending import mailings  # needs the database that `workspace` opened

    mailing = which(output, config, issue)
    if not mailings.pause(mailing) and mailing.state != "paused":
        raise wrong_state(mailing, "paused", "newsletter status shows how it ended.")
    status = mailings.status(mailing)
    if as_json:
        print_json((), **status)
        return Exit.FINE
    waiting = sum(status[state] for state in (*words.WAITING, "deferred"))
    output.done(f"Paused {mailing.slug}. {words.people(waiting)} wait; what is in flight is being finished.")
    output.next("newsletter resume", "carries on; nobody is missed or sent twice")
    return Exit.FINE
