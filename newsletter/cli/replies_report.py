"""`newsletter replies report`: how many were answered in the promised time, how soon, and who waits longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.cli.replies_words import line, moment, ready
from newsletter.problems import Exit, Problem

if TYPE_CHECKING:
    from newsletter.replies.report import Figures


@click.command()
@click.option("--since", metavar="DATE", default="", help="Only conversations that began on this day or later.")
@click.option("--until", metavar="DATE", default="", help="Only conversations that began before this day.")
@json_option
@click.pass_obj
def report(output: Output, since: str, until: str, as_json: bool) -> int:
    """How many were answered in the promised time, the median, and the oldest open: in all, by team and by issue.

    The first answer counts. Junk is left out. Exit 5 when the figures do not add up, which is our bug.
    """
    from datetime import time

    problems = ready(output)
    config = output.config()
    from newsletter.replies import report as figures
    from newsletter.replies import who

    begin, end = (moment(one, time()) if one else None for one in (since, until))
    found = figures.report(config, begin, end)
    if not found.adds_up:
        problems.append(Problem("replies-do-not-add-up", "The parts of the report are not the whole", "Report this."))
    if as_json:
        print_json(
            problems,
            promised_hours=config.replies.hours,
            calendar=config.replies.calendar or None,
            **found.all.as_json(),
            teams={key: one.as_json() for key, one in found.teams.items()},
            issues={key: one.as_json() for key, one in found.issues.items()},
            adds_up=found.adds_up,
        )
        return Exit.FINE if found.adds_up else Exit.FAILURES
    if not found.all.conversations:
        output.say("Nobody has written in that time.")
        return Exit.FINE
    hours = "working hours" if config.replies.calendar else "hours"
    output.say(f"An answer is promised in {config.replies.hours} {hours}.")
    rows = [_row("In all", found.all)]
    rows += [_row(f"  team {who.called(config, key) if key else '–'}", one) for key, one in sorted(found.teams.items())]
    rows += [_row(f"  issue {key or '–'}", one) for key, one in sorted(found.issues.items())]
    if output.too_wide(HEAD, rows):
        _narrow(output, rows)
    else:
        output.table(HEAD, rows)
    output.say()
    output.say("Replies = in time + late + in hand + overdue + closed without an answer.")
    output.problems(problems)
    return Exit.FINE if found.adds_up else Exit.FAILURES


HEAD = ("", "Replies", "In time", "Late", "In hand", "Overdue", "No answer needed", "In time %", "Median", "Oldest")


def _narrow(output: Output, rows: list[tuple[object, ...]]) -> None:
    """Ten columns have no room in 80: the name on a line of its own, its numbers under it."""
    from newsletter.cli.output import number

    for title, replies, *parts, percent, middle, oldest in rows:
        output.say(output.style(str(title), bold=True))
        said = [
            f"{number(many)} {name.lower()}"  # type: ignore[arg-type]
            for name, many in zip(HEAD[2:7], parts, strict=True)
            if many
        ]
        output.say(output.folded(f"    {number(replies)} = {'   '.join(said) or 'none'}", 8))  # type: ignore[arg-type]
        output.say(output.folded(f"    {percent} in time   median {middle}   oldest open {oldest}", 8))


def _row(title: str, one: Figures) -> tuple[object, ...]:
    from newsletter.replies import showing

    facts = one.as_json()
    percent, hours = facts["percent_in_time"], facts["median_hours"]
    return (
        line(title),
        one.conversations,
        one.in_time,
        one.late,
        one.in_hand,
        one.overdue,
        one.unanswered,
        "–" if percent is None else f"{percent:g} %",
        "–" if hours is None else f"{hours:g} h",
        showing.age(one.oldest) if one.oldest else "–",
    )
