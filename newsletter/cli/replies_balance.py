"""`newsletter replies balance`: nothing was lost, and how one knows."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.cli.replies_words import ready
from newsletter.problems import Exit, Problem

WORDS = {
    "person": "from people",
    "auto": "automatic",
    "bounce": "bounces",
    "complaint": "complaints",
    "unsubscribe": "asked to leave",
    "duplicate": "came twice",
    "quarantine": "set aside",
    "unread": "not read yet",
}
DAYS = 14  # shown; --json has them all


@click.command()
@click.option("--by", type=click.Choice(["channel", "day"]), help="Also one row for each way in, or for each day.")
@json_option
@click.pass_obj
def balance(output: Output, by: str | None, as_json: bool) -> int:
    """Check that nothing was lost: received = what became of it. Exit 5 when it does not add up."""
    problems = ready(output)
    from newsletter.replies import balancing

    found = balancing.count()
    rows = balancing.by(by) if by else []
    if not found["adds_up"]:
        hint = "Keep the database as it is, make a copy of it, and report this: it should be impossible."
        problems.append(Problem("replies-do-not-add-up", "What was received is not the sum of what became of it", hint))
    if as_json:
        print_json(problems, **found, **({f"by_{by}": rows} if by else {}))
        return Exit.FINE if found["adds_up"] else Exit.FAILURES
    output.facts([("received", found["received"]), *((f"  {WORDS[key]}", found[key]) for key in WORDS)])
    if by:
        seen = [key for key in WORDS if any(row[key] for row in rows)]
        output.say()
        head = (by.capitalize(), "Received", *(WORDS[key].capitalize() for key in seen))
        output.table(head, [(row[by], row["received"], *(row[key] for key in seen)) for row in rows[:DAYS]])
    output.problems(problems)
    if found["adds_up"]:
        output.done("Nothing is lost: it adds up.")
    return Exit.FINE if found["adds_up"] else Exit.FAILURES
