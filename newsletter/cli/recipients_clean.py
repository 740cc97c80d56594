"""`newsletter recipients clean`: take out addresses that the list is better without."""

from __future__ import annotations

from dataclasses import replace

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit

WORDS = {
    "gone": "dead for more than {gone} days; they stay among the never-mailed",
    "unconfirmed": "asked more than {unconfirmed} days ago and never confirmed; they may ask anew",
    "role": "belong to a role such as info@; they are never mailed again",
}


@click.command()
@click.option("--gone", default=90, show_default=True, type=click.IntRange(0), help="Days since an address was dead.")
@click.option("--unconfirmed", default=30, show_default=True, type=click.IntRange(1), help="Days without confirming.")
@click.option("--roles", is_flag=True, help="Also addresses of a role, such as info@ and office@.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
@json_option
@click.pass_obj
def clean(
    output: Output, gone: int, unconfirmed: int, roles: bool, dry_run: bool, yes: bool, as_: str, as_json: bool
) -> int:
    """Remove records of dead addresses and of people who never confirmed; shows them first and asks.

    Nobody who gets your newsletter today is touched, but with --roles.
    """
    output = replace(output, quiet=True) if as_json else output
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.audience import cleaning  # has models, which need the database that is ready now
    from newsletter.cli.recipients_forget import ask
    from newsletter.replies import who

    by = who.reader(config, as_).key
    with database.problems_of():
        found = cleaning.find(cleaning.Wish(gone, unconfirmed, roles))
        people = sum(map(len, found.values()))
        _say(output, found, gone, unconfirmed)
        removed = 0
        if people and not dry_run:
            if not yes:
                question = f"This removes {count(people, 'person', 'people')}. It cannot be undone. Type {people}"
                ask(f"{question} to go on", str(people))
            for _ in cleaning.clean(found, by):
                removed += 1
    if as_json:
        print_json(dry_run=dry_run, removed=removed, found=found)
    elif removed:
        output.done(f"Removed {count(removed, 'person', 'people')}; the proof of their choices is kept")
    else:
        output.say("Nothing was changed." if people else "There is nobody to take out.")
    return Exit.FINE


def _say(output: Output, found: dict[str, list[str]], gone: int, unconfirmed: int) -> None:
    for kind, names in found.items():
        if names:
            words = WORDS[kind].format(gone=gone, unconfirmed=unconfirmed)
            output.say(f"{count(len(names), 'address', 'addresses')}: {words}")
            for one in names[:10]:
                output.say(f"  {visible(one)}")
            if len(names) > 10:
                output.say(f"  … and {len(names) - 10:,} more (--json names them all)")
