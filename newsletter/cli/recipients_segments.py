"""`newsletter recipients segments`: named choices of people, kept and reusable wherever a list may stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.config import Config


@click.group(cls=Group)
def segments() -> None:
    """Named choices of people, for `audience:` of an issue and for `only` blocks.

    \b
    newsletter recipients segments add north --must ward="North,South"
    newsletter recipients segments add quiet --include list=monthly --exclude tag=staff
    """


def _parts(command: Any) -> Any:
    for name, what in (
        ("exclude", "Never who … (repeatable)."),
        ("must", "Only who also … (repeatable)."),
        ("include", "Who …: list=KEY, tag=A,B, area=KEY, ward=North, ward!=North, age>=18, ward=? (repeatable)."),
    ):
        command = click.option(f"--{name}", multiple=True, metavar="KEY=VALUE", help=what)(command)
    command = click.option("--title", default="", metavar="TEXT", help="What your colleagues call it.")(command)
    path = click.Path(path_type=Path)
    return click.option("--file", "file", type=path, metavar="FILE", help="A JSON or TOML file that says it.")(command)


@segments.command("list")
@json_option
@click.pass_obj
def list_segments(output: Output, as_json: bool) -> int:
    """List the segments with how many people each reaches now."""
    config = _ready(output)
    from newsletter.audience import database, segments, selecting

    rows = []
    with database.problems_of():
        for one in segments.stored():
            try:
                people: int | None = selecting.explain(config, [one.key]).will_get
            except NewsletterError:
                people = None  # `show` says what is wrong with it
            rows.append({"key": one.key, "title": one.title, "people": people, "changed": one.changed, "by": one.by})
    if as_json:
        print_json(segments=rows)
    elif not rows:
        output.say("No segments yet.")
        output.next("newsletter recipients segments add KEY --include list=…", "makes one")
    else:
        shown = [(r["key"], visible(str(r["title"])), "cannot be used" if r["people"] is None else f"{r['people']:,}")
                 for r in rows]  # fmt: skip
        output.table(("KEY", "TITLE", "PEOPLE NOW"), shown)
    return Exit.FINE


@segments.command()
@click.argument("key")
@json_option
@click.pass_obj
def show(output: Output, key: str, as_json: bool) -> int:
    """Say in words whom a segment chooses, and how many they are now."""
    config = _ready(output)
    from newsletter.audience import database, segments
    from newsletter.audience.models import Segment

    with database.problems_of():
        found = segments.get(config, key)
        row = Segment.objects.get(key=key)
    if as_json:
        print_json(_unheard(found), key=key, title=row.title, definition=row.definition, changed=row.changed, by=row.by)
        return Exit.FINE
    _said(output, config, key, row.title, found)
    return Exit.FINE


@segments.command()
@click.argument("key")
@_parts
@json_option
@click.pass_obj
def add(output: Output, /, key: str, as_json: bool, **words: Any) -> int:
    """Keep a new segment under KEY. It is checked first, and says how many people it reaches."""
    return _save(output, key, words, as_json, new=True)


@segments.command()
@click.argument("key")
@_parts
@json_option
@click.pass_obj
def edit(output: Output, /, key: str, as_json: bool, **words: Any) -> int:
    """Change a segment: each part that is named (include, must, exclude) replaces the old one."""
    return _save(output, key, words, as_json, new=False)


@segments.command()
@click.argument("key")
@json_option
@click.pass_obj
def remove(output: Output, key: str, as_json: bool) -> int:
    """Take a segment away; nobody's record changes. Refused while another segment uses it."""
    config = _ready(output)
    from newsletter.audience import database, segments

    with database.problems_of():
        segments.remove(config, key)
    if as_json:
        print_json(key=key, removed=True)
    else:
        output.done(f"The segment {key} is gone; the people are as they were")
    return Exit.FINE


@segments.command("count")
@click.argument("key")
@click.option("--explain", is_flag=True, help="One line for each reason.")
@json_option
@click.pass_obj
def count_segment(output: Output, key: str, explain: bool, as_json: bool) -> int:
    """Say how many people a segment reaches, and why not all."""
    config = _ready(output)
    from newsletter.audience import segments
    from newsletter.cli.recipients_count import say

    segments.get(config, key)
    return say(output, config, (key,), as_json=as_json, explain=explain)


def _save(output: Output, key: str, words: dict[str, Any], as_json: bool, *, new: bool) -> int:
    config = _ready(output)
    from newsletter.audience import database, segments
    from newsletter.audience.models import Segment
    from newsletter.audience.segments import asking
    from newsletter.sending import logbook

    given = {
        part: asking.conditions(words[part], {name: one.type for name, one in config.fields.items()}, Path.cwd())
        for part in ("include", "must", "exclude")
    }
    title, definition = asking.from_file(words["file"]) if words["file"] else ("", {})
    with database.problems_of():
        old = None if new else Segment.objects.filter(key=key).first()
        if old and not words["file"]:
            definition = dict(old.definition)
        definition |= asking.parts(**given)
        title = words["title"] or title or (old.title if old else "")
        if not definition:
            hint = "Say whom: --include list=all-residents --must ward=North; or --file FILE."
            raise NewsletterError(Problem("bad-segment", "It asks for nothing", hint=hint), exit=Exit.USAGE)
        found = segments.save(config, key, title, definition, by=logbook.user(), new=new)
    if as_json:
        print_json(_unheard(found), key=key, title=title or key, definition=definition)
        return Exit.FINE
    output.done(f"The segment {key} is {'kept' if new else 'changed'}")
    _said(output, config, key, title or key, found)
    output.next(f"newsletter recipients count --audience {key} --explain", "why so many")
    return Exit.FINE


def _said(output: Output, config: Config, key: str, title: str, found: Any) -> None:
    from newsletter.audience import selecting
    from newsletter.audience.segments import Known, telling

    output.say(output.style(visible(title), bold=True) + f"  ({key})")
    titles = {name: one.title for name, one in config.fields.items()}
    output.facts([(what, visible(words)) for what, words in telling.told(found, Known.of(config), titles)])
    people = selecting.explain(config, [key]).will_get
    output.say(f"\n  {count(people, 'person', 'people')} would get a mailing to it now.")
    output.problems(_unheard(found))


def _unheard(found: Any) -> list[Problem]:
    from newsletter.audience import database
    from newsletter.audience.segments import unheard

    with database.problems_of():
        return unheard.warnings(found)


def _ready(output: Output) -> Config:
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    return config
