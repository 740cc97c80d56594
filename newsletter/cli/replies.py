"""`newsletter replies`: receive, list, show and answer what people wrote. Each few verbs have a file of their own."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.cli.replies_answer import answer, forward
from newsletter.cli.replies_erase import erase, tidy
from newsletter.cli.replies_export import export
from newsletter.cli.replies_list import list_
from newsletter.cli.replies_receive import receive
from newsletter.cli.replies_report import report
from newsletter.cli.replies_rules import rules
from newsletter.cli.replies_show import show
from newsletter.cli.replies_staff import assign, away, claim
from newsletter.cli.replies_states import close, hold, merge, note, reopen, snooze, spam, tag
from newsletter.cli.replies_words import ready
from newsletter.problems import Exit, Problem


@click.group()
def command() -> None:
    """Receive, list, show and answer what people wrote."""


for _one in (receive, list_, show, answer, forward, claim, assign, note, tag, close, reopen, snooze, spam, merge, away,
             hold, report, export, erase, tidy, rules):  # fmt: skip
    command.add_command(_one)


@command.command()
@json_option
@click.pass_obj
def balance(output: Output, as_json: bool) -> int:
    """Check that nothing was lost: received = what became of it. Exit 5 when it does not add up."""
    problems = ready(output)
    from newsletter import replies

    found = replies.balance()
    if not found["adds_up"]:
        hint = "Keep the database as it is, make a copy of it, and report this: it should be impossible."
        problems.append(Problem("replies-do-not-add-up", "What was received is not the sum of what became of it", hint))
    if as_json:
        print_json(problems, **found)
    else:
        words = {
            "person": "from people",
            "auto": "automatic",
            "bounce": "bounces",
            "complaint": "complaints",
            "unsubscribe": "asked to leave",
            "duplicate": "came twice",
            "quarantine": "could not be read",
            "unread": "not read yet",
        }
        output.facts([("received", found["received"]), *((f"  {words[key]}", found[key]) for key in words)])
        output.problems(problems)
        if found["adds_up"]:
            output.done("Nothing is lost: it adds up.")
    return Exit.FINE if found["adds_up"] else Exit.FAILURES
