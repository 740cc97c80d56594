"""`newsletter recipients access`: everything about one person, for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem


@click.command()
@click.argument("address")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="FILE.zip", help="A new file.")
@json_option
@click.pass_obj
def access(output: Output, address: str, target: Path, as_json: bool) -> int:
    """Write everything about one person into a ZIP: a page to read, records as JSON, mails as .eml, their files.

    For an answer to “what do you hold about me?”. Read it before you hand it out: names of colleagues, and what other
    people wrote, may stand in it.
    """
    output = replace(output, quiet=True) if as_json else output
    from newsletter.audience import database

    database.ready(output.config())
    from newsletter.replies import erasing, my_data, personal

    canonical = erasing.canonical_of(address)
    with database.problems_of():
        found = personal.collect(canonical)
        if found.empty and not found.found_in:
            hint = "`newsletter recipients list` shows who is here."
            raise NewsletterError(Problem("no-such-person", f"Nothing here is about {canonical}", hint))
        problems = personal.to_file(found, canonical, target)
    rows = {table: len(held) for table, held in found.data.items() if held}
    if as_json:
        print_json(problems, file=str(target), tables=rows, contents=sorted(found.contents), found_in=found.found_in)
        return Exit.FINE
    output.facts((my_data.title(table), number) for table, number in rows.items())
    for place in found.found_in:
        output.say(f"  {visible(place)}")
        output.say("    names them, too: add what it says")
    output.problems(problems)
    files = count(len(found.contents), "mail or file", "mails and files")
    output.done(f"Wrote {count(sum(rows.values()), 'record')} and {files} to")
    output.say(f"  {target}")
    output.say("  my-data.html in it says it in words, for reading in a browser.")
    output.say("  Read it before you hand it out: colleagues’ names and other people’s")
    output.say("  words may stand in it.")
    return Exit.FINE
