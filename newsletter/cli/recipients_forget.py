"""`newsletter recipients forget`: erase a person, all of it, for good."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.replies.forgetting import Plan

WORDS = {
    "people": "record in the list",
    "subscriptions": "lists",
    "proofs": "proofs of their choices",
    "requests": "links that wait for a press",
    "suppressions": "entries among the never-mailed, kept as a hash only",
    "deliveries": "mails in the ledger, made nameless",
    "unsubscribe_keys": "unsubscribe links, made nameless",
    "conversations": "conversations",
    "messages": "messages in them",
    "raw": "raw messages, emptied",
    "notices": "mails of ours to them",
    "files": "files that they sent",
}


@click.command()
@click.argument("address")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be erased, change nothing.")
@click.option("--files", is_flag=True, help="Take their rows out of the tables in recipients/, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
@json_option
@click.pass_obj
def forget(output: Output, address: str, dry_run: bool, files: bool, yes: bool, as_: str, as_json: bool) -> int:
    """Erase a person: record, choices, replies, and their name in the ledger and in the workspace's files.

    What stays is a hash that only this workspace can make, so that no import brings them back, and numbers without
    names. A conversation on legal hold stops it (exit 4). Backups keep the person until they are rotated away.
    """
    config = output.config()
    output = replace(output, quiet=True) if as_json else output
    from newsletter.audience import database

    database.ready(config)
    from newsletter.replies import erasing, forgetting, who

    canonical = erasing.canonical_of(address)
    by = who.reader(config, as_).key
    with database.problems_of():
        plan = forgetting.plan(canonical)
        if plan.empty or dry_run:
            _say(output, canonical, plan, "is here" if plan.held else "would be erased")
            problems = [] if dry_run else erasing.compact()
            if plan.held:
                problems = [forgetting.on_hold(plan.held, "nothing would be erased")]
            return _end(output, as_json, plan, problems, erased=False, files=files)
        _say(output, canonical, plan, "is here" if plan.held else "will be erased")
        if not yes and not plan.held:
            ask(f"It touches {_touched(plan)}. This cannot be undone. Type {canonical} to go on", canonical)
        problems = forgetting.forget(plan, by, files=files)
    output.done("Forgotten. What is left is a hash that says “never”;")
    output.say("  backups keep the rest until they are rotated away.")
    return _end(output, as_json, plan, problems, erased=True, files=files)


def ask(question: str, wanted: str) -> None:
    """Go on only when `wanted` is typed; raises NewsletterError: no-answer (nobody to ask), not-confirmed."""
    if not sys.stdin.isatty():
        hint = "Add --yes where you are sure, or --dry-run to see what it would do."
        raise NewsletterError(Problem("no-answer", "This cannot be undone, so it asks", hint), exit=Exit.USAGE)
    typed = click.prompt(question, default="", show_default=False)
    if typed.strip().lower() != wanted:
        hint = "Nothing was changed."
        raise NewsletterError(Problem("not-confirmed", "What was typed is something else", hint), exit=Exit.REFUSED)


def _touched(plan: Plan) -> str:
    people = max(1, plan.counts.get("people", 0))
    mails = plan.counts.get("deliveries", 0)
    words = plan.counts.get("conversations", 0)
    said = [count(people, "person", "people"), count(mails, "mail"), count(words, "conversation")]
    return f"{', '.join(said)} and {count(len(plan.traces), 'file')}"


def _say(output: Output, canonical: str, plan: Plan, what: str) -> None:
    if plan.empty:
        output.say(f"Nothing here is about {visible(canonical)}.")
        return
    others = [visible(name) for name in plan.names if name != canonical]
    output.say(f"Of {visible(canonical)}{' (also ' + ', '.join(others) + ')' if others else ''} {what}:")
    output.facts((f"  {words}", plan.counts[key]) for key, words in WORDS.items() if plan.counts.get(key))
    root = output.config().root
    for trace in plan.traces:
        fates = {"delete": "deleted", "rewrite": "their rows taken out", "ask": "with --files: their rows taken out"}
        output.say(f"  {visible(trace.shown(root))}")
        output.say(f"    {fates.get(trace.fate, 'stays: look at it yourself')}")


def _end(output: Output, as_json: bool, plan: Plan, problems: list[Problem], *, erased: bool, files: bool) -> int:
    if as_json:
        root = output.config().root
        found = [{"file": one.shown(root), "fate": str(one.fate)} for one in plan.traces]
        print_json(problems, erased=erased, held=plan.held, **{"found_in": found}, **plan.counts)
    else:
        output.problems(problems, err=bool(plan.held))
    return Exit.REFUSED if plan.held else Exit.FINE
