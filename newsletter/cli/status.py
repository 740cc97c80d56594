"""`newsletter status`: how a mailing is going, in numbers that add up; who is uncertain; do the books balance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, number, print_json, visible
from newsletter.cli.sending_screen import Redrawn
from newsletter.config import Config
from newsletter.problems import Exit, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing

STATES = ("accepted", "deferred", "failed", "suppressed", "uncertain", "expired", "cancelled", "pending")
AT_REST = {"stopped part-way": "Stopped part-way: newsletter send goes on", "handed over": "Everybody was handed over"}
LOGGED = 5  # lines of the log
LISTED = 20  # uncertain people shown before the rest is only counted


@click.command()
@click.argument("issue", required=False)
@click.option("--follow", is_flag=True, help="Keep looking until it ends.")
@click.option(
    "--people",
    "state",
    type=click.Choice(STATES),
    metavar="STATE",
    help=f"List the people in this state, and why: {', '.join(STATES)}.",
)
@click.option("--verify", is_flag=True, help="Check that the books balance; exit 5 when they do not.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, follow: bool, state: str | None, verify: bool, as_json: bool) -> int:
    """Show how a mailing is going: how many people were accepted, wait, failed, and who is uncertain.

    \b
    newsletter status --follow
    newsletter status --people failed
    newsletter status --verify
    """
    from newsletter.cli import draft
    from newsletter.cli.sending_mailing import which_or_draft, workspace

    config = workspace(output)
    from newsletter.sending import laws, logbook  # need the database that `workspace` opened

    mailing = which_or_draft(output, config, issue)
    if isinstance(mailing, Path):
        return draft.tell(output, config, mailing, as_json)
    if follow and not as_json:
        _follow(output, config, mailing)
    wrong = []
    if verify:
        wrong = [Problem("books-do-not-balance", visible(what), hint=_BOOKS) for what in laws.check(mailing)]
        wrong += _log_changed()
    if as_json:
        _as_json(mailing, wrong, state)
    elif state:
        _list(mailing, state)
    else:
        _show(output, config, mailing)
    if verify and not as_json:
        output.problems(wrong)
        if not wrong:
            output.done(f"The books balance: {words.people(mailing.frozen)}, each in one state.")
            output.done(f"The log is as it was written; the seal of its last line is {logbook.last_seal()[:16]}.")
    return Exit.FAILURES if wrong else Exit.FINE


_BOOKS = "Do not send on. Keep a copy of var/newsletter.db and tell us: this must never happen."


def _log_changed() -> list[Problem]:
    """The first line of the log that is not the one that was written, whichever mailing it is about."""
    from newsletter.sending import logbook

    entry = logbook.broken()
    if entry is None:
        return []
    line = visible(f"{entry.mailing.slug}: {words.log_line(entry)}")
    message = f"Line {entry.pk} of the log was changed, or a line before it was removed: {line}"
    return [Problem("log-changed", message, hint="Compare it with a backup: newsletter status --json shows the log.")]


def _show(output: Output, config: Config, mailing: Mailing) -> None:
    from newsletter.cli.sending_mailing import at_rest, is_running
    from newsletter.content import when
    from newsletter.sending import heartbeats, logbook, mailings

    counts = _counts(mailings.status(mailing))
    state = AT_REST.get(at_rest(config, mailing), words.ended(mailing.state, counts["accepted"], mailing.frozen))
    worker = bool(heartbeats.alive())
    if mailing.state == "approved" and mailing.send_at:
        state = f"Scheduled for {when.said(mailing.send_at, config.site.time_zone)}"
    output.say(f"{output.style(mailing.slug, bold=True)}  {state}")
    output.say(f"  {words.bar(output, counts, 0)}")
    output.say(f"  {words.numbers(counts)}   = {number(mailing.frozen)}")
    if mailing.paused_why and mailing.state == "paused":
        output.say(f"  Paused because: {visible(mailing.paused_why)}")
    _uncertain(output, mailing, counts["uncertain"])
    for entry in logbook.last(mailing, LOGGED):
        output.say(f"  {visible(words.log_line(entry))}")
    _next(output, mailing, counts, running=is_running(config, mailing), worker=worker)


def _next(output: Output, mailing: Mailing, counts: dict[str, int], *, running: bool, worker: bool) -> None:
    from newsletter.sending import heartbeats
    from newsletter.sending.models import Delivery

    if mailing.state == "approved" and mailing.send_at:
        if not worker:
            output.failed(f"No worker is there, so it would not be sent at its time: {heartbeats.absent()}.")
            output.next("newsletter worker", "keeps schedules")
        output.next(f"newsletter stop {mailing.slug}", "takes it back until then")
    elif mailing.state in ("approved", "sending") and worker and not running:
        if any(counts[state] for state in (*words.WAITING, "deferred")):
            why = heartbeats.trouble(mailing.slug)
            output.say(f"  The worker sees to it by itself.{' In the way: ' + visible(why) if why else ''}")
    elif mailing.state == "paused":
        output.next(f"newsletter resume {mailing.slug}", "carries on; nobody is missed or sent twice")
    elif mailing.state in ("approved", "sending") and not running:
        if any(counts[state] for state in words.WAITING):
            output.next(f"newsletter send {mailing.slug}", "goes on where it stopped; nobody gets it twice")
        elif counts["deferred"]:
            due = (
                Delivery.objects.filter(mailing=mailing, due__isnull=False)
                .order_by("due")
                .values_list("due", flat=True)
            )
            output.say(f"  No worker is there, so nobody is tried again by itself: {heartbeats.absent()}.")
            output.next("newsletter worker", "tries again when the time has come, and keeps schedules")
            output.next(
                f"newsletter send {mailing.slug}",
                f"after {words.clock(due[0])}, for {words.people(counts['deferred'])}",
            )
    elif running:
        output.next(f"newsletter pause {mailing.slug}", "halts it safely; newsletter stop ends it for good")


def _uncertain(output: Output, mailing: Mailing, people: int) -> None:
    """Who may or may not have got it, and what a person can do about that."""
    from newsletter.sending.models import Delivery

    if not people:
        return
    output.say(f"  {words.people(people)} may or may not have got it. They are not sent it again by themselves:")
    rows = mailing.rows().filter(state=Delivery.State.UNCERTAIN)
    for address, reason in rows.values_list("address", "reason")[: min(people, LISTED)]:  # no further than the last
        output.say(f"    {visible(address)}   {visible(reason)}")
    if people > LISTED:
        output.say(f"    and {number(people - LISTED)} more: newsletter status --people uncertain")
    output.next("newsletter settle --postfix-log /var/log/mail.log", "finds out from your mail server's log")


def _list(mailing: Mailing, state: str) -> None:
    """Address and reason, a line each, for a person or for `cut`; said even with --quiet."""

    rows = mailing.rows().filter(state=state)
    for address, reason in rows.values_list("address", "reason").iterator(2000):
        click.echo(f"{visible(address)}\t{visible(reason)}")


def _as_json(mailing: Mailing, wrong: list[Problem], state: str | None) -> None:
    from newsletter.sending import mailings
    from newsletter.sending.models import LogEntry

    more: dict[str, Any] = dict(mailings.status(mailing))
    for name in filter(None, {"uncertain", state or ""}):
        rows = mailing.rows().filter(state=name).values_list("address", "reason") if more[name] else ()
        more.setdefault("people", {})[name] = [{"address": address, "reason": reason} for address, reason in rows]
    send_at = mailing.send_at.isoformat() if mailing.send_at else None
    log = [
        {"at": entry.at.isoformat(), "what": entry.what, "words": entry.words, "people": entry.people, "by": entry.by}
        for entry in LogEntry.objects.filter(mailing=mailing).order_by("pk")
    ]
    print_json(wrong, **more, paused_why=mailing.paused_why, send_at=send_at, log=log)


def _follow(output: Output, config: Config, mailing: Mailing) -> None:
    """Look twice a second for as long as somebody is sending it; lines on a terminal are drawn anew."""
    from newsletter.sending import heartbeats, lock, mailings

    screen, before, began, first = Redrawn(output), "", time.monotonic(), None
    counts = _counts(mailings.status(mailing))
    while lock.is_held(config.var) or (
        mailing.state in ("approved", "sending")
        and any(counts[state] for state in words.WAITING)
        and heartbeats.alive()  # it begins, or goes on, by itself
    ):
        counts = _counts(mailings.status(mailing))
        first = counts["accepted"] if first is None else first
        rate = (counts["accepted"] - first) / max(time.monotonic() - began, 0.5)
        total, done = sum(counts.values()), words.settled(counts)
        left = words.duration((total - done) / rate) if rate and done < total else ""
        line = f"{words.bar(output, counts, rate, left)}\n  {words.numbers(counts)}"
        if line != before and output.fancy:
            screen.draw(line.split("\n"))
        elif line != before:
            output.say(words.numbers(counts))
        before = line
        if mailing.state in ("finished", "stopped"):
            break
        time.sleep(0.5)


def _counts(status: dict[str, Any]) -> dict[str, int]:
    return {state: status[state] for state in (*words.WAITING, *words.WORDS)}
