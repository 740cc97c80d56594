"""Imports a file of people: shows what it would do, asks, and says what it did."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.audience.importing import Counts, Imported, Plan
    from newsletter.config import Config


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--list", "list_keys", multiple=True, metavar="KEY", help="Everybody in the file joins this list.")
@click.option("--encoding", default="", metavar="NAME", help="How the file is written, such as windows-1250.")
@click.option("--sheet", default="", metavar="NAME", help="Which sheet of a workbook; else the first one not hidden.")
@click.option(
    "--from", "service", default="", metavar="SERVICE", help="An export of mailchimp, govdelivery or listmonk."
)
@click.option(
    "--state",
    type=click.Choice(("subscribed", "unconfirmed", "unsubscribed", "blocked", "bounced")),
    help="With --from: what all people of the file were there, where the export does not say it.",
)
@click.option("--map", "maps", multiple=True, metavar="'COLUMN=KEY'", help="What a column is: 'Their mail=email'.")
@click.option("--consent", default="", metavar="TEXT", help="The words these people agreed to; kept as proof.")
@click.option("--consent-file", type=click.Path(path_type=Path), help="The same, from a text file.")
@click.option(
    "--basis",
    "basis_text",
    default="",
    metavar="TEXT",
    help="Where it is not consent: the task that lets you write, and its law.",
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
    sheet: str,
    service: str,
    state: str | None,
    maps: tuple[str, ...],
    consent: str,
    consent_file: Path | None,
    basis_text: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Import people from a FILE: a workbook (XLSX), CSV or TSV.

    Shows first what would happen and asks. Importing the same file again changes nothing; an empty cell never erases;
    people who left or must not be mailed stay out, and you are told how many.
    Say why they may be written to: with --consent the words they agreed to, or with --basis the duty that lets you
    write unasked.
    """
    from newsletter.audience import basis, database, importing

    config = output.config()
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if not (yes or dry_run or asks):
        raise NewsletterError(_needs_yes(file, list_keys), exit=Exit.REFUSED)
    if state and not service:
        raise NewsletterError(_state_alone(), exit=Exit.USAGE)
    wish = Wish(list_keys, encoding, sheet, service, state or "", maps, consent, consent_file, basis_text)
    reason = basis.told(consent, consent_file, basis_text)
    database.ready(config)
    bar = _progress(output)
    renamed = dict(map(_renamed, maps))
    found = _found(file, output)
    how = {"encoding": encoding, "sheet": sheet, "service": service, "state": state or ""}
    plan = importing.plan(found, config, list_keys, renamed=renamed, on_progress=bar, **how)
    if not as_json:
        _show(output, plan)
        if reason and reason.task:
            _footers(output, config, list_keys)
    if dry_run:
        return _only_shown(output, plan, as_json, reason is not None)
    if plan.counts.new + plan.counts.updated and not reason:  # nobody is written to who is only kept off
        wish = wish._replace(consent=_asked(output) if asks and not yes else "")
        if not (reason := basis.told(wish.consent, None, "")):
            raise NewsletterError(basis.missing(), exit=Exit.REFUSED)
    if plan.counts.changes and not yes and not click.confirm(f"\n{_question(plan.counts)}?", default=False):
        output.say("Nothing was imported.")
        return Exit.REFUSED
    done = importing.run(plan, basis=reason or basis.Basis(), on_progress=bar)
    if as_json:
        kept = str(done.refused_file) if done.refused_file else None
        print_json(plan.problems, dry_run=False, file=plan.name, **done.counts.as_json(), refused_file=kept)
    else:
        _said(output, plan, done.counts, plan.seconds + done.seconds)
        _next(output, done, wish)
    return Exit.FAILURES if done.counts.refused else Exit.FINE


def _footers(output: Output, config: Config, list_keys: Sequence[str]) -> None:
    """Nobody asked these people, and most lists say “because you asked” under every mail."""
    for key in dict.fromkeys(list_keys):
        if key in config.lists:
            output.say(f"\nUnder every mail they read: “{visible(config.lists[key].why)}”")
            output.say(f"It must be true for them, too: `why` of [lists.{key}] in newsletter.toml.")


def _only_shown(output: Output, plan: Plan, as_json: bool, said: bool) -> int:
    """What would happen, and that a reason to write will be needed, where none was `said`."""
    needed = bool(plan.counts.new + plan.counts.updated)
    if as_json:
        extra = {"reason_needed": needed and not said, "preview": plan.preview}
        print_json(plan.problems, dry_run=True, file=plan.name, **plan.counts.as_json(), **extra)
    else:
        output.say("\nNothing was written (--dry-run).")
        if needed and not said:
            why = "--consent with the words that they agreed to, or --basis with the duty that lets you write unasked"
            output.say(f"To import them, say why they may be written to: {why}.")
            output.next('the same command with --consent "…" in place of --dry-run', "imports them")
    return Exit.PROBLEMS if plan.counts.refused else Exit.FINE


def _question(counts: Counts) -> str:
    change = counts.new + counts.updated
    taken = [f"import {count(change, 'person', 'people')}"] if change else []
    *most, last = [*taken, *_off(counts)]
    said = f"{', '.join(most)} and {last}" if most else last
    return said[0].upper() + said[1:]


def _off(counts: Counts) -> list[str]:
    """What is done to those who left at the other service."""
    kept_out = counts.departing - counts.taken_off
    off = [f"take {count(counts.taken_off, 'person', 'people')} off"] if counts.taken_off else []
    return [*off, *([f"keep {count(kept_out, 'person', 'people')} out"] if kept_out else [])]


def _taken_off(counts: Counts, done: bool) -> str:
    """The same as a sentence: 2 people will be taken off, 3 kept out."""
    kept_out = counts.departing - counts.taken_off
    if not counts.departing:
        return "nothing changes for them: it is so here already"
    some = count(counts.taken_off or kept_out, "person", "people")
    will = "will be" if not done else "was" if (counts.taken_off or kept_out) == 1 else "were"
    said = f"{some} {will} {'taken off' if counts.taken_off else 'kept out'}"
    return f"{said}, {number(kept_out)} kept out" if counts.taken_off and kept_out else said


class Wish(NamedTuple):
    """What was said on the command line, for the command that imports mended rows as the others were."""

    list_keys: tuple[str, ...]
    encoding: str
    sheet: str
    service: str
    state: str
    maps: tuple[str, ...]
    consent: str
    consent_file: Path | None
    basis_text: str

    def words(self) -> list[str]:
        """Encoding and sheet are left out: the file of refused rows is ours."""
        many = [
            (name, value) for name, values in (("--list", self.list_keys), ("--map", self.maps)) for value in values
        ]
        one = [
            ("--from", self.service),
            ("--state", self.state),
            ("--consent", self.consent),
            ("--consent-file", self.consent_file),
            ("--basis", self.basis_text),
        ]
        return [word for name, value in (*many, *one) if value for word in (name, str(value))]


def _renamed(word: str) -> tuple[str, str]:
    title, equals, key = word.rpartition("=")
    if not equals or not title.strip():
        hint = "Write the column's heading, an equals sign, and what it is: --map 'Their mail=email'."
        raise NewsletterError(Problem("bad-map", f"‘{word[:60]}’ does not say what a column is", hint), exit=Exit.USAGE)
    return title.strip(), key.strip()


def _state_alone() -> Problem:
    hint = "--from mailchimp, --from govdelivery or --from listmonk."
    return Problem("state-alone", "--state says what people were at a service; which one?", hint)


def _found(file: Path, output: Output) -> Path:
    """The file as named from here, or else from the workspace's folder (with -C one types `recipients/demo.csv`)."""
    inside = output.config().root / file
    return inside if not file.exists() and inside.exists() else file


def _asked(output: Output) -> str:
    """The words, from the person at the terminal; empty = none."""
    output.say("\nWhat did these people agree to when they gave their address? Copy the sentence they saw, such as")
    output.say("  “Tick here to get our monthly letter by e-mail.”")
    return str(click.prompt("Their words (empty to stop)", default="", show_default=False)).strip()


def _needs_yes(file: Path, list_keys: tuple[str, ...]) -> Problem:
    words = shlex.join(
        ["newsletter", "recipients", "import", str(file), *(w for key in list_keys for w in ("--list", key))]
    )
    return Problem(
        "needs-yes",
        "There is no terminal to ask on, so nothing was imported",
        hint=f'Look first: {words} --dry-run. Then put --yes --consent "…" in its place.',
    )


def _show(output: Output, plan: Plan) -> None:
    rows = count(plan.counts.rows, "row")
    output.say(f"{output.style(visible(plan.name), bold=True)}  {plan.encoding}, {plan.delimiter}, {rows}\n")
    if plan.preview:
        keys = [
            key for key in ("email", "name", "first_name", "last_name", "language") if any(p[key] for p in plan.preview)
        ]
        facts = list(dict.fromkeys(key for person in plan.preview for key in person["attributes"]))[:3]
        output.table(
            [key.upper() for key in [*keys, *facts]] + ["RESULT"],
            [
                [_cell(p[key]) for key in keys] + [_cell(p["attributes"].get(key, "")) for key in facts] + [_fate(p)]
                for p in plan.preview
            ],
        )
        output.say("…\n" if plan.counts.rows > len(plan.preview) else "")
    output.problems(plan.problems)
    if plan.problems:
        output.say()
    output.facts(_facts(plan.counts, plan.stay_off))


def _fate(person: dict[str, Any]) -> str:
    """What becomes of one person of the preview, in the words of the numbers below it."""
    from newsletter.audience.selecting import WORDS

    verdict, why = str(person["verdict"]), str(person["why"])
    if verdict == "suppressed":
        return f"left out: {WORDS.get(why, why)}"
    if verdict == "departed":
        return "off these lists" if why == "left" else "kept out"
    return {"left": "left out: has left", "stayed": "still gets what they joined"}.get(verdict, verdict)


_STATES = {  # of people of another service, who are not taken as subscribers
    "left": ("kept out", "who unsubscribed there: off these lists here, too"),
    "everything": ("kept out", "who left everything there: no mailings from here"),
    "complaint": ("kept out", "who called mail from there spam: no mailings from here"),
    "blocked": ("kept out", "blocked there: no mailings from here"),
    "gone": ("kept out", "whose address bounced there: never mailed from here"),
    "stayed": ("kept", "who left there, but joined here later: they still get what they joined"),
}


def _facts(counts: Counts, stay_off: int = 0, *, done: bool = False) -> list[tuple[str, object]]:
    from newsletter.audience.selecting import WORDS

    facts: list[tuple[str, object]] = [
        ("new", counts.new),
        ("updated", counts.updated),
        ("unchanged", counts.unchanged),
    ]
    if counts.left:
        facts.append(("left out", f"{number(counts.left)} who left"))
    for reason, people in counts.suppressed.items():
        facts.append(("left out", f"{number(people)} {WORDS.get(reason, reason)}"))
    for state, people in counts.departed.items():
        facts.append((_STATES[state][0], f"{number(people)} {_STATES[state][1]}"))
    if counts.departed:
        facts.append(("so", _taken_off(counts, done)))
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
        output.facts(_facts(counts, done=True))  # somebody else changed the people between preview and import
    took = output.style(f"({took})", dim=True)
    did = f"{number(counts.new)} new, {number(counts.updated)} updated"
    if counts.departed:
        off = _taken_off(counts, done=True)
        did = f"{did}; {off}" if counts.new + counts.updated else off
    output.done(f"Imported {visible(plan.name)}: {did}  {took}")


def _next(output: Output, done: Imported, wish: Wish) -> None:
    if not done.refused_file:
        output.next("newsletter recipients count")
        return
    near = say_refused(output, done.counts.refused, done.refused_file, done.spared)
    output.next(f"newsletter recipients import {shlex.join([near, *wish.words()])}", "after mending it")


def say_refused(output: Output, rows: int, kept: Path, spared: Path | None) -> str:
    """Say where refused rows are kept, and which earlier file of them was left alone; the first as one may type it."""
    near = min(str(kept), os.path.relpath(kept, output.folder), key=len)
    output.failed(f"{count(rows, 'row')} refused, kept with the reasons in {visible(near)}")
    if spared:
        output.say(f"{visible(spared.name)} was changed since it was written and is left as it is, not imported.")
    return near


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
