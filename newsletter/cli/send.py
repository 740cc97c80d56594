"""`newsletter send`: say to whom and why so many, ask, freeze, and carry; run again, it goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.cli.sending_screen import events_option
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.cli.sending_issue import Prepared
    from newsletter.cli.sending_plan import Plan
    from newsletter.sending.models import Mailing


@click.command()
@click.argument("issue", required=False)
@click.option("--to", "lists", multiple=True, metavar="LIST", help="Only people of this list (narrows, never widens).")
@click.option(
    "-n", "--dry-run", is_flag=True, help="Say all that would be done, write the first 5 mails, send nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask; needs --expect.")
@click.option("--expect", metavar="N", help="The number of people, or N..M; any other number is refused.")
@click.option("--at", metavar="WHEN", help="Send at that time: 'tomorrow 8:00', '2026-11-25 08:00', or now.")
@click.option("--detach", is_flag=True, help="Leave it to the worker and do not watch.")
@click.option("--over-cap", metavar="WHY", help="Also to who had enough this week; the reason is kept in the log.")
@click.option("--missing", is_flag=True, help="To those who did not get a mailing that has ended.")
@events_option
@json_option
@click.pass_obj
def command(
    output: Output,
    issue: str | None,
    lists: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    expect: str | None,
    at: str | None,
    detach: bool,
    over_cap: str | None,
    missing: bool,
    as_json: bool,
) -> int:
    """Send an issue to its audience. Says how many people first, and asks you to type the number.

    \b
    newsletter send 2026-11-24 --dry-run   look first; nothing is sent
    newsletter send 2026-11-24             asks, then sends
    newsletter send --yes --expect 17742   without a terminal
    newsletter send --at 'tomorrow 8:00'   the worker sends it then

    Ctrl-C stops safely, and the same command goes on. While `newsletter worker` runs, it does the sending, and Ctrl-C
    here only leaves the view. What waits for its time is taken back by `newsletter stop`.
    """
    from newsletter.cli.sending_mailing import workspace
    from newsletter.content import finding

    expected = parse_expect(expect)
    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    if missing:
        return _missing(output, config, issue, yes, expected, dry_run, detach, as_json)
    from newsletter.sending import mailings  # the ledger, which needs the database that `workspace` opened

    folder = _begun(config, issue) or finding.find(config, issue, output.folder)
    mailing = mailings.find(folder.name)
    if mailing and not dry_run:
        return _again(output, config, mailing, folder, lists, expected, at, detach, as_json)
    from newsletter.audience import overload

    with overload.lifted(bool(over_cap)):
        with words.nothing_sent():
            agreed = _first(output, config, folder, lists, dry_run, yes, expected, at, detach, as_json, over_cap or "")
        return _on_its_way(output, config, *agreed, as_json) if isinstance(agreed, tuple) else agreed


def _begun(config: Config, issue: str | None) -> Path | None:
    """The folder of an issue that was approved, by its whole name: it may be renamed or deleted since, for the ledger
    has all that it needs; and then no other issue whose name begins like it is meant."""
    from newsletter.sending import mailings

    slug = (issue or "").rstrip("/").removeprefix("issues/")
    return config.root / "issues" / slug if slug and mailings.find(slug) else None


def _missing(
    output: Output,
    config: Config,
    issue: str | None,
    yes: bool,
    expected: range | None,
    dry_run: bool,
    detach: bool,
    as_json: bool,
) -> int:
    from newsletter.cli import sending_plan
    from newsletter.cli.send_missing import put_back
    from newsletter.sending import mailings

    plan = sending_plan.decide(config, None, "", detach=detach, yes=True)
    with words.nothing_sent():
        mailing = put_back(output, config, issue, yes, expected, dry_run)
    if dry_run:
        if as_json:
            print_json((), **mailings.status(mailing))
        return Exit.FINE
    return _on_its_way(output, config, mailing, plan, (), as_json)


def _first(
    output: Output,
    config: Config,
    folder: Path,
    lists: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    expected: range | None,
    at: str | None,
    detach: bool,
    as_json: bool,
    over_cap: str,
) -> tuple[Mailing, Plan, tuple[Problem, ...]] | int:
    """Everything up to the yes: the mailing, how it goes out, and what is worth a look; or the exit code instead."""
    from newsletter.audience import never, overload, selecting
    from newsletter.cli import sending_plan
    from newsletter.cli.sending_issue import empty_fields, prepare
    from newsletter.cli.sending_preview import SAMPLES, say_what, write_samples
    from newsletter.rendering.model import Mode
    from newsletter.sending import approvals, correcting, keys, logbook, mailings, sitecheck

    prepared = prepare(config, folder, Mode.SEND)
    if prepared.broken:
        return blocked(output, prepared, as_json)
    corrected = correcting.first(prepared.issue, now=not dry_run)
    if corrected and lists:
        raise _refused("cannot-correct", "A correction goes to everybody who got the first", "Leave --to away.")
    audience = tuple(corrected.audience) if corrected else mailings.narrowed(prepared.issue, lists or None)
    never.sweep()  # before they are counted, so that the number that is agreed to is the number that is frozen
    explanation = correcting.explain(corrected) if corrected else selecting.explain(config, audience)
    keyring = keys.keyring(config)
    warnings = (
        *keyring.problems,
        *prepared.problems,
        *empty_fields(config, prepared, audience, explanation.will_get),
        *overload.warnings(config, audience, explanation.will_get),
    )
    if not as_json:
        output.problems(warnings)  # first: a page of them would push what is being decided off the screen
    say_what(output, config, prepared, audience, explanation)
    if dry_run:
        where = write_samples(config, keyring, prepared, audience)
        first = count(min(SAMPLES, explanation.will_get), "message")
        output.say(f"  Nothing was sent. For reading: {first} in {where.relative_to(config.root)}/")
        if as_json:
            print_json(warnings, issue=folder.name, dry_run=str(where), audience=explanation.as_json())
        return Exit.FINE
    plan = sending_plan.decide(config, at, prepared.issue.front.send_at, detach=detach, yes=yes)
    if config.mail.transport == "smtp":
        sitecheck.check(config, keyring)
    seconds = approvals.must_be_there(config, folder.name, prepared.renders, prepared.issue.front, explanation.will_get)
    agreed = _agreed(output, explanation.will_get, yes, expected, plan.send_at)
    if plan.undo and not plan.worker and sending_plan.taken_back_in_time(output, plan.undo):
        return Exit.INTERRUPTED
    mailing = _approved(config, prepared, plan, audience, agreed, explanation.left_out)
    if over_cap:
        logbook.note(mailing, "over-cap", over_cap[:300], mailing.frozen)
    for one in seconds:
        logbook.note(mailing, "seconded", "read it and said yes", mailing.frozen, by=one)
    return mailing, plan, warnings


def _approved(
    config: Config, prepared: Prepared, plan: Plan, audience: tuple[str, ...], agreed: range | None, left_out: Any
) -> Mailing:
    """Freeze it together with its plan, all or nothing: a worker must not see it without its time."""
    from newsletter.cli import sending_plan
    from newsletter.cli.sending_issue import public_copies
    from newsletter.sending import mailings
    from newsletter.sending.store import whole

    public = public_copies(config, prepared)
    with whole():
        mailing = mailings.approve(
            config,
            prepared.renders,
            prepared.issue,
            public=public,
            lists=audience,
            expect=agreed,
            excluded=left_out,
        )
        sending_plan.keep(config, mailing, plan)
    return mailing


def _on_its_way(
    output: Output, config: Config, mailing: Mailing, plan: Plan, warnings: tuple[Problem, ...], as_json: bool
) -> int:
    """Leave it to the worker, watch the worker, or carry it here."""
    from newsletter.cli import sending_plan
    from newsletter.sending import carrier, logbook, mailings

    if plan.leaves_it_to_the_worker:
        sending_plan.say_left_to_the_worker(output, config, mailing)
        if as_json:
            when = mailing.send_at.isoformat() if mailing.send_at else None
            print_json(warnings, **mailings.status(mailing), send_at=when, exit=0)
        return Exit.FINE
    if plan.worker:
        return _watch(output, mailing, warnings, as_json)
    if mailing.state == mailing.State.APPROVED:
        mailings.start(mailing)
        logbook.note(mailing, "started", "", mailing.frozen)
    with carrier.opened(config) as way:
        return _carry(output, config, mailing, way, warnings, as_json)


def _watch(output: Output, mailing: Mailing, warnings: tuple[Problem, ...], as_json: bool) -> int:
    from newsletter.cli.sending_watch import watch
    from newsletter.sending import mailings

    if not as_json:
        output.say("The worker sends it; Ctrl-C only leaves this view.")
    code = watch(output, mailing)
    if as_json:
        print_json(warnings, **mailings.status(mailing), exit=int(code))
    return code


def _carry(
    output: Output, config: Config, mailing: Mailing, way: Any, warnings: tuple[Problem, ...], as_json: bool
) -> int:
    from newsletter.cli.sending_run import carry
    from newsletter.sending import mailings

    ended, code = carry(output, config, mailing, way)
    if as_json:
        more = {"ended": ended.how.value, "words": ended.words, "seconds": round(ended.seconds, 3), "exit": int(code)}
        print_json(warnings, **mailings.status(mailing), **more)
    elif not way.leaves and ended.sent:
        output.say(f"  Mail      {way.words}")
        output.next("newsletter catch", "to read it")
    return code


def _again(
    output: Output,
    config: Config,
    mailing: Mailing,
    folder: Path,
    lists: tuple[str, ...],
    expected: range | None,
    at: str | None,
    detach: bool,
    as_json: bool,
) -> int:
    """The issue has been approved before: go on where it stopped, or say why there is nothing to do."""
    from newsletter.cli import sending_plan
    from newsletter.sending import heartbeats, mailings, schedules
    from newsletter.sending.models import Mailing as Model

    counts = mailings.status(mailing)
    if lists and set(lists) != set(mailing.audience):
        raise _refused(
            "already-approved",
            f"{mailing.slug} was approved for {', '.join(mailing.audience)}; that cannot be changed now",
            "Run newsletter send without --to to go on.",
        )
    mailings.must_be_expected(mailing.frozen, expected)
    if mailing.state == Model.State.FINISHED:
        output.say(f"{mailing.slug} was sent before, to {words.people(mailing.frozen)}. Nobody is sent it again.")
        output.say(f"  {words.numbers(counts)}")
        if not as_json:
            output.say("  What was changed in the issue since then is not sent.")
            output.next(f"newsletter correct {mailing.slug}", "starts a correction, for exactly those who got it")
            output.next(f"newsletter send {mailing.slug} --missing", "sends it to those who did not get it")
        if as_json:
            print_json((), **counts, exit=0)
        return Exit.FINE
    if mailing.state == Model.State.STOPPED:
        raise _refused(
            "mailing-stopped",
            f"{mailing.slug} was stopped for good; {words.people(counts['cancelled'])} did not get it",
            "newsletter send --missing sends it to them after all. newsletter status shows the numbers.",
        )
    if mailing.state == Model.State.PAUSED:
        why = f": {visible(mailing.paused_why)}" if mailing.paused_why else ""
        raise _refused("mailing-paused", f"{mailing.slug} is paused{why}", "newsletter resume carries on.")
    if (end := sending_plan.moved(output, config, mailing, at)) is not None:
        if as_json:
            print_json((), **counts, exit=int(end))
        return end
    if why := schedules.put_aside(mailing, heartbeats.clock(), config.sending.stale, config.site.time_zone):
        raise _refused("mailing-paused", f"{mailing.slug}: {why}", "newsletter resume asks, then carries on.")
    plan = sending_plan.decide(config, None, "", detach=detach, yes=True)
    if _differs(mailing, folder):
        output.say("  The file has changed since approval. What was approved is sent; the changes are not.")
    waiting = sum(counts[state] for state in (*words.WAITING, "deferred"))
    output.say(f"Going on with {mailing.slug}: {words.people(waiting)} of {number(mailing.frozen)} to go.")
    return _on_its_way(output, config, mailing, plan, (), as_json)


def _differs(mailing: Mailing, folder: Path) -> bool:
    import hashlib

    try:
        now = hashlib.sha256((folder / "issue.md").read_bytes()).hexdigest()
    except OSError:
        return True
    return now != str(mailing.settings["source_sha256"])


def blocked(output: Output, prepared: Prepared, as_json: bool) -> int:
    """Say what must be fixed before this issue may leave; nothing was sent."""
    if as_json:
        print_json(prepared.problems, issue=prepared.folder.name)
    else:
        output.problems(prepared.problems)
        output.failed("Not sent: something must be fixed first.")
        output.next("newsletter check", "shows it again after you have changed the file")
    return Exit.PROBLEMS


def _agreed(output: Output, people: int, yes: bool, expected: range | None, at: datetime | None) -> range | None:
    """The number that somebody has agreed to, by typing it or by --yes --expect. Raises NewsletterError, exit 4."""
    import sys

    from newsletter.cli.sending_run import confirmed
    from newsletter.sending import mailings

    mailings.must_be_expected(people, expected)
    if yes and expected is not None:
        return expected
    if not sys.stdin.isatty():
        raise _refused(
            "must-be-agreed",
            f"This would e-mail {words.people(people)} and cannot be undone; without a terminal nobody can agree to it",
            f"Say the number: newsletter send --yes --expect {people}   (or N..M)",
        )
    whom = output.style(words.people(people), bold=True)
    question = f"This will e-mail {whom} and cannot be undone. Type {people} to send:"
    if at:
        question = f"This will e-mail {whom} at {words.clock(at)}. Type {people} to agree:"
    if not confirmed(output, question, people):
        raise _refused("must-be-agreed", "That is not the number; nothing was sent", "Run newsletter send again.")
    return range(people, people + 1)


def parse_expect(text: str | None) -> range | None:
    """`17742` or `17700..17800` as the numbers that are agreed to. Raises NewsletterError(bad-number, exit 2)."""
    if text is None:
        return None
    first, dots, last = text.replace(",", "").partition("..")
    try:
        low = int(first)
        high = int(last) if dots else low
    except ValueError:
        low, high = 1, 0
    if high < low:
        problem = Problem("bad-number", f"--expect cannot be {text!r}", hint="Write a number, or two with .. between.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    return range(low, high + 1)


def _refused(code: str, message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint=hint), exit=Exit.REFUSED)
