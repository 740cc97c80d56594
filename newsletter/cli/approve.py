"""`newsletter approve`: the second person's yes to an issue that a colleague will send."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem


@click.command()
@click.argument("issue", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, yes: bool, as_json: bool) -> int:
    """Say yes to an issue that a colleague will send. Shows what it is and whom it goes to, and asks.

    Needed where [sending] approvals = 1. Your yes is for exactly these words to exactly these lists: a later change
    asks anew.
    """
    from newsletter.cli.sending_issue import prepare
    from newsletter.cli.sending_mailing import workspace
    from newsletter.cli.sending_preview import say_what
    from newsletter.content import finding
    from newsletter.rendering.model import Mode

    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    from newsletter.audience import never, selecting
    from newsletter.sending import approvals, correcting, mailings

    folder = finding.find(config, issue, output.folder)
    if mailings.find(folder.name):
        hint = f"`newsletter status {folder.name}` shows how it stands."
        raise NewsletterError(Problem("already-approved", "It is being sent, or was sent", hint), exit=Exit.REFUSED)
    prepared = prepare(config, folder, Mode.SEND)
    if prepared.broken:
        from newsletter.cli.send import blocked

        return blocked(output, prepared, as_json)
    audience = prepared.issue.front.audience
    never.sweep()
    first = correcting.first(prepared.issue)
    explanation = correcting.explain(first) if first else selecting.explain(config, audience)
    if not as_json:
        output.problems(prepared.problems)  # first: the question stands below whom it goes to
    say_what(output, config, prepared, audience, explanation)
    if not yes:
        if not sys.stdin.isatty():
            hint = "Without a terminal add --yes."
            raise NewsletterError(Problem("needs-yes", "Approving asks first", hint), exit=Exit.REFUSED)
        if not click.confirm(f"Have you read it, and may it go to {words.people(explanation.will_get)}?"):
            output.say("Nothing was approved.")
            return Exit.REFUSED
    said = approvals.say_yes(folder.name, prepared.renders, prepared.issue.front)
    output.done(f"{said.by} approves {folder.name} as it is now")
    if as_json:
        print_json(prepared.problems, issue=folder.name, by=said.by, people=explanation.will_get)
    else:
        output.next(f"newsletter send {folder.name}", "for a colleague, from another account")
    return Exit.FINE
