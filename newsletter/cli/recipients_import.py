"""Imports a file of people: shows what it would do, asks, and says what it did."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.audience.importing import Counts, Plan


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "list_keys", multiple=True, metavar="KEY", help="Everybody in the file joins this list.")
@click.option("--encoding", default="", metavar="NAME", help="How the file is written, such as windows-1250.")
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Read a column as one of ours, such as “Kontakt=email”; “Kontakt=” leaves it out.",
)
@click.option(
    "--from",
    "service",
    type=click.Choice(("mailchimp", "govdelivery", "listmonk")),
    default=None,
    help="The file is this service’s export: who left there, or cannot be reached, stays so.",
)
@click.option(
    "--state",
    type=click.Choice(("subscribed", "unconfirmed", "unsubscribed", "blocked", "bounced")),
    default=None,
    help="With --from, where the export does not say it: what all people of the file were there.",
)
@click.option("--consent", default="", metavar="TEXT", help="The words they agreed to; kept as proof for each one.")
@click.option(
    "--basis", default="", metavar="TEXT", help="Where it is not consent: why you may write, such as public task."
)
@click.option("--dry-run", is_flag=True, help="Only show what would happen; writes nothing.")
@click.option("--yes", is_flag=True, help="Do not ask (needed where there is no terminal).")
@json_option
@click.pass_obj
def import_command(
    output: Output,
    file: Path,
    list_keys: tuple[str, ...],
    encoding: str,
    mapped: tuple[str, ...],
    service: str | None,
    state: str | None,
    consent: str,
    basis: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Import people from a FILE of Excel (XLSX), or CSV or TSV as any spreadsheet program saves it.

    Shows first what would happen and asks. Importing the same file again changes nothing; an empty cell never erases;
    people who left or must not be mailed stay out, and you are told how many. Say how these people come to be on your
    list: --consent with the words they agreed to, or --basis where the law lets you write without asking.
    """
    from newsletter.audience import database, importing

    if state and not service:
        raise NewsletterError(_state_alone(), exit=Exit.USAGE)
    config = output.config()
    words = _words(file, list_keys, encoding, mapped, service, state)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if not (yes or dry_run or asks):
        raise NewsletterError(_needs_yes(words), exit=Exit.REFUSED)
    database.ready(config)
    bar = _progress(output)
    plan = importing.plan(
        _found(file, output),
        config,
        list_keys,
        encoding=encoding,
        mapped=mapped,
        service=service or "",
        state=state or "",
        on_progress=bar,
    )
    if not as_json:
        _show(output, plan)
    if dry_run:
        return _only_shown(output, plan, as_json)
    if plan.counts.new + plan.counts.updated and not (consent.strip() or basis.strip()):
        consent = _asked(output) if asks and not yes else ""
        if not consent:
            raise NewsletterError(_needs_consent(words), exit=Exit.REFUSED)
    if plan.counts.changes and not yes and not click.confirm(f"\n{_question(plan.counts)}?", default=False):
        output.say("Nothing was imported.")
        return Exit.REFUSED
    done = importing.run(plan, wording=consent.strip(), basis=basis.strip(), on_progress=bar)
    if as_json:
        kept = str(done.refused_file) if done.refused_file else None
        print_json(plan.problems, dry_run=False, file=plan.name, **done.counts.as_json(), refused_file=kept)
    else:
        _said(output, plan, done.counts, plan.seconds + done.seconds)
        _next(output, done.counts, done.refused_file, words[4:], consent, basis)
    return Exit.FAILURES if done.counts.refused else Exit.FINE


def _only_shown(output: Output, plan: Plan, as_json: bool) -> int:
    if as_json:
        print_json(plan.problems, dry_run=True, file=plan.name, **plan.counts.as_json(), preview=plan.preview)
    else:
        output.say("\nNothing was written (--dry-run).")
    return Exit.PROBLEMS if plan.counts.refused else Exit.FINE


def _found(file: Path, output: Output) -> Path:
    """The file as named from here, or else from the workspace's folder (with -C one types `recipients/demo.csv`)."""
    inside = output.config().root / file
    return inside if not file.exists() and inside.exists() else file


def _asked(output: Output) -> str:
    """The words, from the person at the terminal; empty = none."""
    output.say("\nWhat did these people agree to when they gave their address? Copy the sentence they saw, such as")
    output.say("  “Tick here to get our monthly letter by e-mail.”")
    return str(click.prompt("Their words (empty to stop)", default="", show_default=False)).strip()


def _words(
    file: Path,
    list_keys: tuple[str, ...],
    encoding: str,
    mapped: tuple[str, ...],
    service: str | None,
    state: str | None,
) -> list[str]:
    """The command as typed, without what it says of consent."""
    words = ["newsletter", "recipients", "import", str(file), *(w for key in list_keys for w in ("--list", key))]
    words += [w for one in mapped for w in ("--map", one)]
    for option, value in (("--from", service), ("--state", state), ("--encoding", encoding)):
        words += [option, value] if value else []
    return words


def _needs_consent(words: list[str]) -> Problem:
    return Problem(
        "needs-consent",
        "Nothing was imported: it is not said why you may write to these people",
        hint=f"{shlex.join(words)} --consent “the sentence they agreed to”. A public body that writes for its own task "
        "says that instead: --basis “public task: community safety”.",
    )


def _needs_yes(words: list[str]) -> Problem:
    return Problem(
        "needs-yes",
        "There is no terminal to ask on, so nothing was imported",
        hint=f"Look first: {shlex.join(words)} --dry-run. Then put --yes in its place.",
    )


def _state_alone() -> Problem:
    hint = "--from mailchimp, --from govdelivery or --from listmonk."
    return Problem("state-alone", "--state says what people were at a service; which one?", hint)


def _question(counts: Counts) -> str:
    change = counts.new + counts.updated
    taken = [f"import {count(change, 'person', 'people')}"] if change else []
    off = [f"keep off {number(counts.stopped)} who left or are gone"] if counts.stopped else []
    said = " and ".join([*taken, *off])
    return said[0].upper() + said[1:]


def _show(output: Output, plan: Plan) -> None:
    rows = count(plan.counts.rows, "row")
    output.say(f"{output.style(visible(plan.name), bold=True)}  {plan.encoding}, {plan.delimiter}, {rows}\n")
    if plan.preview:
        keys = [
            key for key in ("email", "name", "first_name", "last_name", "language") if any(p[key] for p in plan.preview)
        ]
        facts = list(dict.fromkeys(key for person in plan.preview for key in person["attributes"]))[:3]
        output.table(
            [key.upper() for key in [*keys, *facts]] + [""],
            [
                [_cell(p[key]) for key in keys]
                + [_cell(p["attributes"].get(key, "")) for key in facts]
                + [p["verdict"]]
                for p in plan.preview
            ],
        )
        output.say("…\n" if plan.counts.rows > len(plan.preview) else "")
    output.problems(plan.problems)
    if plan.problems:
        output.say()
    output.facts(_facts(plan.counts, plan.stay_off))


def _facts(counts: Counts, stay_off: int = 0) -> list[tuple[str, object]]:
    from newsletter.audience.selecting import WORDS

    facts: list[tuple[str, object]] = [
        ("new", counts.new),
        ("updated", counts.updated),
        ("unchanged", counts.unchanged),
    ]
    if counts.there:
        facts[:0] = [("there", ", ".join(f"{number(people)} {word}" for word, people in counts.there.items()))]
    if counts.off:
        facts.append(("stay off", f"{number(counts.off)} who left or are gone; {number(counts.stopped)} new here"))
    if counts.left:
        facts.append(("left out", f"{number(counts.left)} who left"))
    for reason, people in counts.suppressed.items():
        facts.append(("left out", f"{number(people)} {WORDS.get(reason, reason)}"))
    if counts.repeated:
        facts.append(("repeated", counts.repeated))
    if counts.refused:
        facts.append(("refused", counts.refused))
    if stay_off:
        facts.append(("note", f"{count(stay_off, 'person stays', 'people stay')} off a list that they left"))
    return facts


def _said(output: Output, plan: Plan, counts: Counts, seconds: float) -> None:
    rate = f"{number(round(counts.rows / seconds))} rows a second" if counts.rows >= 1000 else ""
    took = f"{seconds:.1f} s{', ' if rate else ''}{rate}"
    before = plan.counts
    output.say()
    if (counts.new, counts.updated) != (before.new, before.updated):
        output.facts(_facts(counts))  # somebody else changed the people between preview and import
    took = output.style(f"({took})", dim=True)
    did = f"{number(counts.new)} new, {number(counts.updated)} updated"
    did += f", {number(counts.stopped)} kept off" if counts.off else ""
    output.done(f"Imported {visible(plan.name)}: {did}  {took}")


def _next(output: Output, counts: Counts, refused: Path | None, options: list[str], consent: str, basis: str) -> None:
    if not refused:
        output.next("newsletter recipients count")
        return
    near = min(str(refused), os.path.relpath(refused, output.folder), key=len)
    output.failed(f"{count(counts.refused, 'row')} refused, kept with the reasons in {near}")
    words = [near, *options]  # mended rows join what the others joined
    words += [*(["--consent", consent] if consent else []), *(["--basis", basis] if basis else [])]
    output.next(f"newsletter recipients import {shlex.join(words)}", "after mending it")


def _cell(value: Any) -> str:
    text = visible("; ".join(value) if isinstance(value, list) else str(value))
    return text if len(text) <= 24 else f"{text[:23]}…"


def _progress(output: Output) -> Callable[[str, int, int], None]:
    """A line on standard error that is written over, five times a second; nothing where nobody watches."""
    watched = sys.stderr.isatty() and not output.plain and not output.quiet
    last = [time.monotonic()]

    def show(what: str, so_far: int, of: int) -> None:
        now = time.monotonic()
        if watched and (now - last[0] > 0.2 or (of and so_far >= of)):
            last[0] = now
            click.echo(
                f"\r\x1b[K{what} {100 * so_far // of} %" if of and so_far < of else "\r\x1b[K", nl=False, err=True
            )

    return show
