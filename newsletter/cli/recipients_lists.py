"""`newsletter recipients lists`: the lists, and how many people are on each."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, json_option, number, print_json, visible
from newsletter.problems import Exit


@click.command()
@json_option
@click.pass_obj
def lists(output: Output, as_json: bool) -> int:
    """Show every list with its people: who gets it, who has not confirmed, who takes a break, who left."""
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.audience import finding

    with database.problems_of():
        found = finding.lists(config)
    if as_json:
        print_json(lists=found)
        return Exit.FINE
    output.table(
        ("LIST", "TITLE", "GET IT", "NOT CONFIRMED", "TAKE A BREAK", "LEFT"),
        [
            (
                visible(one["key"]),
                visible(one["title"]) or "(no longer in newsletter.toml)",
                *(number(one[what]) for what in ("confirmed", "pending", "paused", "left")),
            )
            for one in found
        ],
    )
    output.next("newsletter recipients count", "how many a mailing would reach, and why not all")
    return Exit.FINE
