"""The people: import, list, count, show, export, and who must never be mailed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.cli.recipients_access import access
from newsletter.cli.recipients_areas import areas
from newsletter.cli.recipients_clean import clean
from newsletter.cli.recipients_count import count_people
from newsletter.cli.recipients_edit import add, edit, remove
from newsletter.cli.recipients_forget import forget
from newsletter.cli.recipients_import import import_command
from newsletter.cli.recipients_lists import lists
from newsletter.cli.recipients_segments import segments
from newsletter.cli.recipients_suppress import suppress
from newsletter.cli.sending_words import stamp
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.config import Config

list_option = click.option(
    "--list", "list_keys", multiple=True, metavar="KEY", help="Only people of this list (repeatable)."
)


@click.group(cls=Group)
def command() -> None:
    """Import, list, count, show and export the people who get your newsletter."""


command.add_command(import_command)
command.add_command(suppress)
for _one in (lists, add, edit, remove, clean, forget, access):
    command.add_command(_one)
command.add_command(areas)
command.add_command(count_people)
command.add_command(segments)


@command.command("list")
@click.option("--list", "list_key", default="", metavar="KEY", help="Only people of this list.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many to show.")
@click.option("--after", default=0, metavar="ID", type=click.IntRange(0), help="Go on after this person (see --json).")
@json_option
@click.pass_obj
def list_people(output: Output, list_key: str, limit: int, after: int, as_json: bool) -> int:
    """List people in the order they were added."""
    config = _ready(output)
    from newsletter.audience import database, finding, selecting
    from newsletter.audience.models import Subscriber

    if list_key:
        selecting.known(config, [list_key])
    with database.problems_of():
        people, everybody = finding.page(list_key, limit, after), Subscriber.objects.count()
    if as_json:
        print_json(people=people, total=everybody)
        return Exit.FINE
    if not people:
        output.say("Nobody yet." if not everybody else "Nobody on this page.")
        output.next('newsletter recipients import FILE --list KEY --consent "…"')
        return Exit.FINE
    output.table(
        ("EMAIL", "NAME", "LISTS", ""),
        [(visible(p["email"]), visible(p["name"]), ", ".join(p["lists"]), _why_not(p)) for p in people],
    )
    output.say(f"\n{number(len(people))} of {count(everybody, 'person', 'people')}")
    if len(people) == limit and everybody > limit:
        output.next(f"newsletter recipients list --after {people[-1]['id']}", "the next page")
    return Exit.FINE


@command.command()
@click.argument("email")
@json_option
@click.pass_obj
def show(output: Output, email: str, as_json: bool) -> int:
    """Show everything on record about one person: facts, lists, and the proof of every choice."""
    config = _ready(output)
    from newsletter.audience import database, finding

    with database.problems_of():
        person = finding.person(config, email)
    if as_json:
        print_json(person=person)
        return Exit.FINE
    output.say(output.style(visible(person["email"]), bold=True))
    names = {key: person[key] for key in ("name", "first_name", "last_name", "language")}
    facts = {**names, **{key: ", ".join(v) if isinstance(v, list) else v for key, v in person["attributes"].items()}}
    titles = {key: known.title or key for key, known in config.all_fields.items()} | {"areas": "Area", "tags": "Tags"}
    output.facts([(titles.get(key, key), visible(str(value))) for key, value in facts.items() if value])
    output.say("\nLists")
    output.facts(
        [
            (chosen["title"], f"{_state(chosen['state'], bool(person['suppressed']))} {stamp(chosen['changed'])}")
            for chosen in person["lists"]
        ]
        or [("none", "")]
    )
    if never := person["suppressed"]:
        what = "any mail" if never["scope"] == "all" else "mailings"
        output.say(f"\n{output.style('Never gets ' + what, fg='yellow')}: {never['reason']}, {stamp(never['at'])}")
    output.say("\nProof")
    output.facts([(stamp(e["at"]), visible(_event(e))) for e in person["events"]])
    return Exit.FINE


@command.command()
@click.argument("target", metavar="FILE|-", type=click.Path(path_type=Path))
@list_option
@click.option("--yes", is_flag=True, help="Replace a file that is there.")
@json_option
@click.pass_obj
def export(output: Output, target: Path, list_keys: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Write people to a CSV FILE (or - for standard output) that can be imported again.

    Cells that a spreadsheet program would run as a formula get a quote in front; the import takes it off again.
    """
    config = _ready(output)
    from newsletter.audience import database, exporting

    with database.problems_of():
        if str(target) == "-":
            exporting.write(config, _utf8(), list_keys)
            return Exit.FINE
        if target.is_dir():
            problem = Problem("not-a-file", f"{target} is a folder", f"Name a file in it: {target / 'people.csv'}")
            raise NewsletterError(problem, exit=Exit.REFUSED)
        if target.suffix.lower() in (".xlsx", ".xls", ".ods"):
            hint = f"Name it {target.with_suffix('.csv')}: Excel and LibreOffice open that, and an import takes it."
            problem = Problem("export-is-csv", "People are written as CSV, which a workbook’s name would hide", hint)
            raise NewsletterError(problem, exit=Exit.USAGE)
        if target.exists() and not yes:
            problem = Problem("file-exists", f"There is already a file {target}", hint="Add --yes to replace it.")
            raise NewsletterError(problem, exit=Exit.REFUSED)
        people = exporting.to_file(config, target, list_keys)
    if as_json:
        print_json(file=str(target), people=people)
    else:
        output.done(f"Wrote {count(people, 'person', 'people')} to {target}")
    return Exit.FINE


def _ready(output: Output) -> Config:
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    return config


def _utf8() -> TextIO:
    """Standard output as UTF-8 with the line ends of CSV, whatever the terminal's locale is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout


def _why_not(person: dict[str, object]) -> str:
    left = person["left"]
    if person["suppressed"]:
        return f"never: {person['suppressed']}"
    return f"left {', '.join(left)}" if isinstance(left, list) and left else ""


def _state(state: str, stopped: bool) -> str:
    gets = "gets nothing; on it since" if stopped else "gets it, since"
    return {"confirmed": gets, "left": "left on"}.get(state, state)


def _event(event: dict[str, str]) -> str:
    return " ".join(
        filter(
            None,
            (
                event["event"],
                event["list"],
                f"by {event['channel']}",
                event["wording"] and f"“{event['wording']}”",
                event["why"],
            ),
        )
    )
