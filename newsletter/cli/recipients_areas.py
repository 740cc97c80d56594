"""Areas on the command line: load the files of the map, look at the tree with its people, place people by postcode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem, Severity, did_you_mean, has_errors, worst_first

if TYPE_CHECKING:
    from newsletter.audience.areas.loading import Plan
    from newsletter.config import Config

yes_option = click.option("--yes", is_flag=True, help="Do not ask (needed where there is no terminal).")
dry_option = click.option("--dry-run", is_flag=True, help="Only show what would happen; writes nothing.")
list_option = click.option(
    "--list", "list_keys", multiple=True, metavar="KEY", help="Only people of this list (repeatable)."
)


@click.group(cls=Group)
def areas() -> None:
    """Places of the map: counties, districts, wards, parishes, and who lives in them."""


@areas.command()
@click.argument("paths", metavar="[FILE …]", nargs=-1, type=click.Path(path_type=Path))
@dry_option
@yes_option
@json_option
@click.pass_obj
def load(output: Output, paths: tuple[Path, ...], dry_run: bool, yes: bool, as_json: bool) -> int:
    """Load the tree, outlines and postcodes from the files in recipients/areas/, or from these FILES.

    Shows first what would change and asks. Loading the same files again changes nothing; an area that people have
    is never removed.
    """
    config = _ready(output)
    from newsletter.audience import database
    from newsletter.audience.areas import loading

    with database.problems_of():
        plan = loading.plan(config, list(paths) or None)
    found = worst_first(plan.problems)
    if has_errors(found):
        raise NewsletterError(*(one for one in found if one.severity is Severity.ERROR))  # the rest follows from them
    if not as_json:
        output.problems(found)
        output.facts(_facts(plan))
    if dry_run or not plan.changes:
        if as_json:
            print_json(found, dry_run=dry_run, written=False, **plan.as_json())
        else:
            output.say("\nNothing was written (--dry-run)." if dry_run else "\nNothing to change: all of it is loaded.")
        return Exit.FINE
    _may_ask(yes, as_json, "load")
    if not yes and not click.confirm("\nLoad this?", default=False):
        output.say("Nothing was loaded.")
        return Exit.REFUSED
    with database.problems_of():
        loading.write(plan, _progress(output))
    if as_json:
        print_json(found, dry_run=False, written=True, **plan.as_json())
    else:
        postcodes = f" and {count(len(plan.postcodes), 'postcode')}" if plan.postcodes is not None else ""
        output.done(f"Loaded {count(len(plan.found.areas), 'area')}{postcodes}")
        output.next("newsletter recipients areas list")
    return Exit.FINE


@areas.command("list")
@list_option
@json_option
@click.pass_obj
def list_areas(output: Output, list_keys: tuple[str, ...], as_json: bool) -> int:
    """Show the tree, with how many people of each area would get mail now."""
    config = _ready(output)
    from newsletter.audience import areas as known_areas
    from newsletter.audience import database
    from newsletter.audience.areas import counting

    with database.problems_of():
        every = known_areas.known()
        people = counting.per_area(config, _lists(config, list_keys), every)
    if as_json:
        print_json(areas=[{**_area(every[key]), "people": people[key], "small": _small(people[key])} for key in every])
        return Exit.FINE
    if not every:
        output.say("There are no areas yet: put their files into recipients/areas/.")
        output.next("newsletter recipients areas load")
        return Exit.FINE
    rows = []
    for key, area in every.items():
        deep = len(known_areas.path(key, every)) - 1
        rows.append((f"{'  ' * deep}{visible(area.title)}", key, area.kind, people[key], _remark(area, people[key])))
    output.table(("AREA", "KEY", "KIND", "PEOPLE", ""), rows)
    if few := [key for key in every if _small(people[key])]:
        output.say(f"\n{_few(len(few))}")
    output.next("newsletter recipients areas show KEY")
    return Exit.FINE


@areas.command()
@click.argument("area")
@list_option
@json_option
@click.pass_obj
def show(output: Output, area: str, list_keys: tuple[str, ...], as_json: bool) -> int:
    """Show one AREA, by key or title: where it lies, what is in it, its people and postcodes."""
    config = _ready(output)
    from newsletter.audience import areas as known_areas
    from newsletter.audience import database
    from newsletter.audience.areas import counting
    from newsletter.audience.models import Postcode

    with database.problems_of():
        every = known_areas.known()
        found = known_areas.find(area, every)
        within = known_areas.within(found.key, every)
        people = counting.per_area(config, _lists(config, list_keys), every)
        postcodes = Postcode.objects.filter(area__key__in=within).count()
    around = known_areas.path(found.key, every)[1:]
    if as_json:
        print_json(
            area={**_area(found), "people": people[found.key], "small": _small(people[found.key])},
            around=list(around),
            within=list(within),
            postcodes=postcodes,
        )
        return Exit.FINE
    output.say(output.style(visible(found.title), bold=True))
    output.facts(
        [
            ("key", found.key),
            *([("kind", found.kind)] if found.kind else []),
            *([("in", ", ".join(every[key].title for key in around))] if around else []),
            *([("holds", ", ".join(every[key].title for key in found.children))] if found.children else []),
            ("outline", "yes" if found.outlined else "none"),
            ("postcodes", postcodes),
            ("people", people[found.key]),
            ("in an issue", f':::only{{area="{found.key}"}}'),
        ]
    )
    if _small(people[found.key]):
        output.say(f"\n{_few(1)}")
    return Exit.FINE


@areas.command("count")
@click.option("--shape", type=click.Path(path_type=Path), metavar="FILE", help="An outline, as GeoJSON.")
@click.option("--circle", default="", metavar="LON,LAT,KM", help="Everybody within so many kilometres of a point.")
@list_option
@json_option
@click.pass_obj
def count_shape(output: Output, shape: Path | None, circle: str, list_keys: tuple[str, ...], as_json: bool) -> int:
    """Count the people inside a drawn outline or a circle, by the postcodes that they gave."""
    config = _ready(output)
    from newsletter.audience import database
    from newsletter.audience.areas import counting, shapes

    if bool(shape) == bool(circle):
        problem = Problem(
            "which-shape",
            "Name one shape: --shape FILE or --circle LON,LAT,KM",
            "For example 2.5 km: --circle -2.117,52.806,2.5",
        )
        raise NewsletterError(problem, exit=Exit.USAGE)
    asked, notes = shapes.read_file(shape) if shape else _circle(circle)
    with database.problems_of():
        people, postcodes = counting.in_shape(config, _lists(config, list_keys), asked)
    if as_json:
        print_json(notes, people=people, postcodes=postcodes, small=_small(people))
        return Exit.FINE
    output.problems(notes)
    output.say(f"{count(people, 'person', 'people')} in {count(postcodes, 'postcode')}")
    if _small(people):
        output.say(f"\n{_few(1)}")
    return Exit.FINE


@areas.command()
@click.argument("postcode")
@json_option
@click.pass_obj
def find(output: Output, postcode: str, as_json: bool) -> int:
    """Say in which area a POSTCODE lies."""
    _ready(output)
    from newsletter.audience import areas as known_areas
    from newsletter.audience import database
    from newsletter.audience.models import Postcode

    code = known_areas.spelled(postcode)
    if not code:
        message = f"‘{visible(postcode)[:40]}’ is not a postcode"
        raise NewsletterError(Problem("unknown-postcode", message, "Write it as ST16 3AA."))
    with database.problems_of():
        row = Postcode.objects.filter(code=code).select_related("area").first()
        every = known_areas.known()
    if row is None:
        hint = "Is the file of postcodes in recipients/areas/ new enough? Then: newsletter recipients areas load"
        raise NewsletterError(Problem("unknown-postcode", f"The postcode {code} is in no file that was loaded", hint))
    around = known_areas.path(row.area.key, every) if row.area else ()
    if as_json:
        print_json(postcode=code, areas=list(around), longitude=row.longitude, latitude=row.latitude)
        return Exit.FINE
    where = ", ".join(every[key].title for key in around) or "in none of the areas"
    output.say(f"{output.style(code, bold=True)}  {visible(where)}{f'  ({around[0]})' if around else ''}")
    return Exit.FINE


@areas.command()
@click.option("--as", "by", default="", metavar="NAME", help="Who does it; kept as proof.")
@dry_option
@yes_option
@json_option
@click.pass_obj
def place(output: Output, by: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Give people who told us a postcode, and have no area, the area in which it lies.

    Shows first how many and asks. People who have an area keep it.
    """
    _ready(output)
    from newsletter.audience import areas as known_areas
    from newsletter.audience import database
    from newsletter.audience.areas import placing

    with database.problems_of():
        found = placing.look()
        every = known_areas.known()
    if not as_json:
        for key, people in found.areas.most_common(20):
            output.say(f"  {every[key].title}  {number(people)}")
        output.facts([("to place", found.people), ("unknown postcode", found.unknown), ("outside", found.outside)])
    done = False
    if found.people and not dry_run:
        _may_ask(yes, as_json, "place")
        if not yes and not click.confirm(f"\nPlace {count(found.people, 'person', 'people')}?", default=False):
            output.say("Nobody was placed.")
            return Exit.REFUSED
        show_progress, of = _progress(output), found.people
        with database.problems_of():
            found = placing.place(by, lambda so_far: show_progress("placing", so_far, of))
        done = True
    if as_json:
        print_json(written=done, placed=dict(found.areas), unknown=found.unknown, outside=found.outside)
    elif done:
        output.done(f"Placed {count(found.people, 'person', 'people')} in {count(len(found.areas), 'area')}")
        output.next("newsletter recipients areas list")
    else:
        output.say("\nNothing was written (--dry-run)." if dry_run else "\nThere is nobody to place.")
    return Exit.FINE


def _ready(output: Output) -> Config:
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    return config


def _lists(config: Config, keys: tuple[str, ...]) -> tuple[str, ...]:
    """These lists, or all there are. Raises NewsletterError(unknown-list)."""
    for key in keys:
        if key not in config.lists:
            hint = did_you_mean(key, config.lists) or f"The lists are: {', '.join(config.lists) or 'none yet'}."
            raise NewsletterError(Problem("unknown-list", f"There is no list called ‘{key}’", hint))
    return keys or tuple(config.lists)


def _may_ask(allowed: bool, as_json: bool, word: str) -> None:
    if not allowed and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        command = f"newsletter recipients areas {word}"
        hint = f"Look first: {command} --dry-run. Then put --yes in its place."
        problem = Problem("needs-yes", "There is no terminal to ask on, so nothing was changed", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)


def _facts(plan: Plan) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("read", ", ".join(map(visible, plan.found.files)))]
    for word, keys in (("new", plan.new), ("changed", plan.changed), ("removed", plan.gone)):
        if keys:
            shown = ", ".join(keys[:8]) + (f" and {number(len(keys) - 8)} more" if len(keys) > 8 else "")
            facts.append((f"{word} areas", f"{number(len(keys))}: {shown}"))
    facts.append(("unchanged areas", len(plan.unchanged)))
    if plan.postcodes is not None:
        parts = [
            (plan.postcodes_new, "new"), (plan.postcodes_changed, "changed"), (plan.postcodes_gone, "removed"),
            (plan.without_area, "in none of the areas"),
        ]  # fmt: skip
        said = ", ".join(f"{number(many)} {word}" for many, word in parts if many)
        facts.append(("postcodes", f"{number(len(plan.postcodes))}{f' ({said})' if said else ''}"))
    return facts


def _circle(text: str) -> tuple[Any, list[Problem]]:
    from newsletter.audience.areas import shapes

    try:
        lon, lat, km = (float(part) for part in text.split(","))
    except ValueError:
        hint = "Longitude, latitude and kilometres, such as -2.117,52.806,2.5"
        raise NewsletterError(Problem("which-shape", f"‘{text[:60]}’ is no circle", hint), exit=Exit.USAGE) from None
    return shapes.circle([lon, lat], km), []


def _area(area: Any) -> dict[str, Any]:
    return {
        "key": area.key,
        "title": area.title,
        "kind": area.kind,
        "parent": area.parent or None,
        "outlined": area.outlined,
    }


def _small(people: int) -> bool:
    from newsletter.audience.areas.counting import SMALL

    return 0 < people < SMALL


def _remark(area: Any, people: int) -> str:
    return "  ".join(filter(None, ("few" if _small(people) else "", "" if area.outlined else "no outline")))


def _few(areas: int) -> str:
    from newsletter.audience.areas.counting import SMALL

    here = "This is a place" if areas == 1 else f"{number(areas)} areas are places"
    return f"{here} with fewer than {SMALL} people: a message that only they get can show who they are."


def _progress(output: Output) -> Callable[[str, int, int], None]:
    from newsletter.cli.recipients_import import _progress as line

    return line(output)
