"""`newsletter replies erase` and `tidy`: forget a person's replies, and what was kept long enough."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem, Severity


@click.command()
@click.argument("address")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be erased, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
@json_option
@click.pass_obj
def erase(output: Output, address: str, dry_run: bool, yes: bool, as_: str, as_json: bool) -> int:
    """Erase what one person wrote and was answered: words, raw mail, our answers, files.

    A conversation on legal hold stays. Numbers stay too, so that `newsletter replies balance` adds up. If they write
    again, a person reads it. The person and what was sent to them are not touched here.
    """
    config = output.config()
    output = replace(output, quiet=True) if as_json else output
    from newsletter.audience import database

    database.ready(config)
    from newsletter.replies import erasing, intake, who

    canonical = erasing.canonical_of(address)
    by = who.reader(config, as_).key
    if intake.finish_unread():
        hint = "`newsletter doctor` says what is in the way of sorting it."
        message = "Mail came in that is not sorted yet; nobody knows whether it is from this person"
        raise NewsletterError(Problem("erasing-busy", message, hint), exit=Exit.TRY_AGAIN)
    plan = erasing.plan_person(canonical)
    problems = [_held(plan.held)] if plan.held else []
    if plan.empty or dry_run:
        if not plan.empty:
            _say(output, canonical, plan.counts(), "would be erased")
        else:
            output.say(f"Nothing here is from {visible(canonical)}" + (" but what is held" if plan.held else ""))
            problems += [] if dry_run else erasing.compact()
        return _end(output, as_json, problems, erased=False, **plan.counts())
    _say(output, canonical, plan.counts(), "will be erased")
    if not yes:
        _ask(canonical)
    plan, more = erasing.erase_person(canonical, by)
    output.done("Erased. It cannot be brought back from here; backups keep it until they are rotated away.")
    return _end(output, as_json, [*problems, *more], erased=True, **plan.counts())


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be erased, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def tidy(output: Output, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Erase closed conversations that are older than [replies] keep_months and not on hold.

    Also the text of automatic mail, bounces and complaints of that age; what they changed stays. With
    [replies] tidy = true the worker does this every day.
    """
    config = output.config()
    output = replace(output, quiet=True) if as_json else output
    from newsletter.audience import database

    database.ready(config)
    from newsletter.replies import tidying

    found = tidying.tidy(config, dry_run=True)
    facts = {"conversations": found.conversations, "messages": found.messages, "raw": found.raw, "files": found.files}
    facts["held"] = found.held
    output.say(f"Closed and untouched since before {found.before:%d %b %Y} ([replies] keep_months):")
    output.facts((f"  {name}", value) for name, value in facts.items())
    nothing = not (found.conversations or found.raw)
    if dry_run or nothing:
        output.say("Nothing was changed." if dry_run else "Nothing is that old.")
        return _end(output, as_json, [], erased=False, before=found.before, **facts)
    if not yes:
        _ask("")
    done = tidying.tidy(config)
    output.done(f"Erased {count(done.conversations, 'conversation')} and {count(done.raw, 'raw message')}.")
    facts |= {"conversations": done.conversations, "messages": done.messages, "raw": done.raw, "files": done.files}
    return _end(output, as_json, [], erased=True, before=done.before, **facts)


def _say(output: Output, canonical: str, counts: dict[str, int], what: str) -> None:
    names = {
        "conversations": "conversations",
        "messages": "messages in them",
        "raw": "raw messages, emptied",
        "notices": "mails of ours to them",
        "files": "files",
        "held": "conversations on hold, which stay",
    }
    output.say(f"Of {visible(canonical)} {what}:")
    output.facts((f"  {words}", counts[name]) for name, words in names.items())


def _held(numbers: list[int]) -> Problem:
    hint = "`newsletter replies hold NUMBER --release` lifts it, when the reason has gone; then run this again."
    message = f"On legal hold, so kept: {', '.join(map(str, numbers[:20]))}"
    return Problem("on-legal-hold", message, hint, severity=Severity.WARNING, affected=len(numbers))


def _ask(canonical: str) -> None:
    if not sys.stdin.isatty():
        hint = "Add --yes where you are sure, or --dry-run to see what it would do."
        raise NewsletterError(Problem("no-answer", "This erases for good, so it asks", hint), exit=Exit.USAGE)
    wanted = canonical or "erase"
    typed = click.prompt(f"This cannot be undone. Type {wanted} to go on", default="", show_default=False)
    if typed.strip().lower() != wanted:
        hint = "Nothing was changed."
        raise NewsletterError(Problem("not-confirmed", "What was typed is something else", hint), exit=Exit.REFUSED)


def _end(output: Output, as_json: bool, problems: list[Problem], **facts: object) -> int:
    if as_json:
        print_json(problems, **facts)
    else:
        output.problems(problems)
    return Exit.FINE
