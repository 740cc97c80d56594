"""`newsletter resume`: carry on with a paused mailing, here or in the window where `send` still waits."""

from __future__ import annotations

from dataclasses import replace

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit


@click.command()
@click.argument("issue", required=False)
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, as_json: bool) -> int:
    """Carry on with a paused mailing: in the window where newsletter send still waits, else right here."""
    from newsletter.cli.sending_mailing import which, workspace, wrong_state
    from newsletter.cli.sending_run import carry

    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    from newsletter.sending import carrier, lock, mailings  # need the database that `workspace` opened

    mailing = which(output, config, issue)
    if not mailings.resume(mailing):
        hint = "newsletter status shows how it stands; newsletter send goes on with one that was cut off."
        raise wrong_state(mailing, "resumed", hint)
    status = mailings.status(mailing)
    waiting = sum(status[state] for state in (*words.WAITING, "deferred"))
    output.done(f"Going on with {mailing.slug}: {words.people(waiting)} to go.")
    code = int(Exit.FINE)
    if lock.is_held(config.var):
        output.say("  The window where newsletter send runs carries on; newsletter status --follow shows it here.")
    else:
        with carrier.opened(config) as way:
            _, code = carry(output, config, mailing, way)
    if as_json:
        print_json((), **mailings.status(mailing), exit=code)
    return code
