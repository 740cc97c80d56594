"""`newsletter replies asked`: what people wrote about, by tags, as a piece for the next issue."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.cli.replies_words import moment, ready
from newsletter.problems import Exit


@click.command()
@click.option("--issue", metavar="ISSUE", default="", help="Only answers to this issue, or to those that begin so.")
@click.option("--since", metavar="DATE", default="", help="Only what was closed on this day or later.")
@json_option
@click.pass_obj
def asked(output: Output, issue: str, since: str, as_json: bool) -> int:
    """Write "You asked, we did" for the next issue, from the tags of closed conversations.

    A tag of fewer than five people is left out, and so is what was to be looked at first, sensitive or on hold.
    """
    from datetime import time

    ready(output)
    from newsletter.replies import asked as asking

    found = asking.themes(issue, moment(since, time()) if since else None)
    if as_json:
        facts = [{"tag": one.tag, "people": one.people, "conversations": one.conversations} for one in found]
        print_json((), asked=facts, block=asking.block(found) if found else "")
        return Exit.FINE
    if not found:
        output.say(f"No tag stands on closed conversations of {asking.FEWEST} people or more.")
        output.next("newsletter replies tag NUMBER WORD", "say what they wrote about")
        return Exit.FINE
    click.echo(asking.block(found), nl=False)
    return Exit.FINE
