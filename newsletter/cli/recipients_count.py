"""`newsletter recipients count`: how many people a mailing would reach, and why not all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.config import Config


@click.command("count")
@click.option(
    "--audience",
    "audience",
    multiple=True,
    metavar="A,B",
    help="Lists and segments, as in `audience:` of an issue (repeatable).",
)
@click.option("--list", "list_keys", multiple=True, metavar="KEY", help="Only people of this list (repeatable).")
@click.option("--segment", "segments", multiple=True, metavar="KEY", help="Only people of this segment (repeatable).")
@click.option("--explain", is_flag=True, help="One line for each reason.")
@json_option
@click.pass_obj
def count_people(
    output: Output,
    audience: tuple[str, ...],
    list_keys: tuple[str, ...],
    segments: tuple[str, ...],
    explain: bool,
    as_json: bool,
) -> int:
    """Say how many people a mailing would reach, and why not all: the numbers add up to the last person."""
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    named = [key.strip() for one in audience for key in one.split(",") if key.strip()]
    if audience and not named:
        problem = Problem(
            "wrong-usage", "--audience names nothing", "Write --audience LIST or --audience LIST,SEGMENT."
        )
        raise NewsletterError(problem, exit=Exit.USAGE)
    keys = tuple(dict.fromkeys((*named, *list_keys, *segments)))
    return say(output, config, keys or tuple(config.lists), as_json=as_json, explain=explain)


def say(output: Output, config: Config, keys: tuple[str, ...], *, as_json: bool, explain: bool = False) -> int:
    """Count these lists and segments, each and together, with what to think about before sending."""
    from newsletter.audience import database, overload, selecting, speaking

    with database.problems_of():
        found = selecting.explain(config, keys)
        spoken = speaking.languages(config, keys)
        each = [selecting.explain(config, [key]) for key in keys] if len(keys) > 1 else []
        warnings = overload.warnings(config, keys, found.will_get)
    if as_json:
        print_json(warnings, **found.as_json(), each=[part.as_json() for part in each], languages=spoken)
        return Exit.FINE
    if explain:
        _lines(output, found)
    else:
        for part in [*each, found]:
            start, _, total = part.sentence().rpartition(" = ")
            title = "" if part is not found or not each else output.style("Together  ", dim=True)
            output.say(f"  {title}{start.replace(' − ', '  − ')}  =  {output.style(total, bold=True)}")
    if len(spoken) > 1:
        said = (f"{visible(language) or 'not said'} {number(people)}" for language, people in spoken.items())
        output.say(f"  {output.style('Languages', dim=True)}  {', '.join(said)}")
    output.problems(warnings)
    return Exit.FINE


def _lines(output: Output, found: Any) -> None:
    from newsletter.audience import selecting

    rows = [("+" if place else "", title, entries) for place, (_, title, entries) in enumerate(found.lists)]
    rows += [("−", selecting.WORDS.get(reason, reason), people) for reason, people in found.left_out.items()]
    rows.append(("=", "will get it", found.will_get))
    wide = max(len(title) for _, title, _ in rows)
    for sign, title, people in rows:
        line = f"  {sign:<1} {title:<{wide}}  {number(people):>11}"
        output.say(output.style(line, bold=True) if sign == "=" else line)
