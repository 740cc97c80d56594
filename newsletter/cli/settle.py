"""`newsletter settle`: what became of the people of whom a crash left it open, by the log or by a decision."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, number, print_json, visible
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.mail_log import Evidence
    from newsletter.sending.models import Mailing
    from newsletter.sending.settling import Plan

LISTED = 20  # people shown before the rest is only counted


@click.command()
@click.argument("issue", required=False)
@click.option("--postfix-log", "logs", multiple=True, metavar="FILE", help="Look here; also .gz, and - for a pipe.")
@click.option("--as", "decision", type=click.Choice(["accepted", "again"]), help="Decide: they have it, or send again.")
@click.option("--who", multiple=True, metavar="ADDRESS", help="With --as: only this person; may be repeated.")
@click.option("--all", "everybody", is_flag=True, help="With --as: everybody who is uncertain.")
@click.option("--margin", default=60, type=click.IntRange(0, 86400), help="Seconds the log must reach further.")
@click.option("--log-zone", metavar="ZONE", default="", help="Time zone of the log, where it is not this machine's.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(
    output: Output,
    issue: str | None,
    logs: tuple[str, ...],
    decision: str | None,
    who: tuple[str, ...],
    everybody: bool,
    margin: int,
    log_zone: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Settle the people who are uncertain: a crash came between their mail's last byte and the server's answer.

    \b
    newsletter settle --postfix-log /var/log/mail.log            finds out, says it, and asks
    newsletter settle --postfix-log /var/log/mail.log.1 --postfix-log /var/log/mail.log
    newsletter settle 2026-11-24 --as accepted --who sam@example.org     they have it
    newsletter settle 2026-11-24 --as again --all                        send it again to all of them
    """
    from newsletter.cli.sending_mailing import which, workspace

    if bool(logs) == bool(decision) or (decision and bool(who) == everybody) or (not decision and (who or everybody)):
        raise _usage()
    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    mailing = which(output, config, issue) if issue or decision else None
    if decision:
        assert mailing is not None
        return _decide(output, mailing, decision, who, dry_run, yes, as_json)
    return _by_log(output, config, mailing, logs, margin, log_zone, dry_run, yes, as_json)


def _by_log(
    output: Output,
    config: Config,
    mailing: Mailing | None,
    logs: tuple[str, ...],
    margin: int,
    log_zone: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from datetime import timedelta

    from newsletter.sending import settling

    people = settling.uncertain(mailing)
    sure = settling.witnesses(config, people)
    tokens = {one.token for one in people}.union(*sure.values())
    plan = settling.Plan()
    if people:
        queues = [one.remote_id for one in people if one.remote_id]
        evidence = read_logs(output, config, logs, log_zone, tokens.__contains__, queues)
        plan = settling.by_log(config, people, evidence, timedelta(seconds=margin), sure)
    _say(output, plan, len(people))
    changed = 0
    if plan.settles and not dry_run:
        agree(output, f"Settle {words.people(plan.settles)} so?", yes, "newsletter settle --yes …")
        changed = settling.apply(plan, by_whom())
        output.done(f"Settled {words.people(changed)}.")
    if plan.again and not dry_run:
        output.next("newsletter send", "sends it to those who surely have not got it")
    if plan.left:
        output.next("newsletter settle --as accepted|again --who ADDRESS", "decides where the log cannot")
    if as_json:
        print_json(
            (),
            accepted=[{"address": one.address, "queue": queue} for one, queue in plan.accepted],
            again=[one.address for one in plan.again],
            left=[{"address": one.address, "why": why} for one, why in plan.left],
            changed=changed,
            dry_run=dry_run,
        )
    return Exit.FAILURES if plan.left else Exit.FINE


def _say(output: Output, plan: Plan, people: int) -> None:
    if not people:
        output.done("Nobody is uncertain; there is nothing to settle.")
        return
    output.say(f"{words.people(people)} uncertain:")
    output.facts(
        [
            ("they have it", f"{number(len(plan.accepted))}   the mail server took it (`queue active`)"),
            ("not sent", f"{number(len(plan.again))}   the log shows that it was not taken: sent again"),
            ("still open", f"{number(len(plan.left))}   nothing is changed for them"),
        ]
    )
    for one, why in plan.left[:LISTED]:
        output.say(f"    {visible(one.address)}   {why}")
    if len(plan.left) > LISTED:
        output.say(f"    and {number(len(plan.left) - LISTED)} more: newsletter status --people uncertain")


def _decide(
    output: Output, mailing: Mailing, decision: str, who: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool
) -> int:
    from newsletter.sending import settling

    people = settling.uncertain(mailing)
    if who:
        wanted = {address.strip().lower() for address in who}
        people = [one for one in people if one.address.lower() in wanted]
        strangers = sorted(wanted - {one.address.lower() for one in people})
        if strangers:
            raise NewsletterError(
                Problem(
                    "not-uncertain",
                    f"{visible(strangers[0])} is not uncertain in {mailing.slug}; nothing was changed",
                    hint="newsletter status --people uncertain lists those who are.",
                ),
                exit=Exit.REFUSED,
            )
    changed = 0
    if not people:
        output.done("Nobody is uncertain; there is nothing to settle.")
    else:
        said = f"{words.people(len(people))} of {mailing.slug}: " + (
            "they have it; nobody sends it to them again."
            if decision == "accepted"
            else "send it again. Who has got it after all gets it twice."
        )
        output.say(said)
        if not dry_run:
            agree(output, "Write that down?", yes, f"newsletter settle {mailing.slug} --as {decision} … --yes")
            changed = settling.decide(mailing, decision, by_whom(), [one.id for one in people])
            output.done(f"Settled {words.people(changed)}.")
            if decision == "again":
                output.next(f"newsletter send {mailing.slug}", "sends it to them")
    if as_json:
        print_json((), issue=mailing.slug, decision=decision, people=len(people), changed=changed, dry_run=dry_run)
    return Exit.FINE


def read_logs(
    output: Output,
    config: Config,
    logs: tuple[str, ...],
    log_zone: str,
    wanted: Callable[[bytes], bool],
    queues: list[str],
) -> Evidence:
    """The evidence in the logs; on a terminal with a line that counts while a large one is read."""
    from zoneinfo import ZoneInfo

    from newsletter.mail.tokens import Keyring
    from newsletter.sending.mail_log import Reader, read_files

    try:
        zone = ZoneInfo(log_zone) if log_zone else None
    except (OSError, ValueError):
        problem = Problem("bad-value", f"--log-zone is no time zone: {log_zone!r}", hint="For instance Europe/London.")
        raise NewsletterError(problem, exit=Exit.USAGE) from None
    keyring = Keyring.load(config.var / "secret.key")
    reader = Reader(keyring, config.mail.reply_domain, wanted, queues, zone=zone)
    shown = output.fancy and not output.quiet

    def tell(lines: int) -> None:
        if shown:
            click.echo(f"\r\x1b[2KReading the log: {number(lines)} lines", nl=False)

    try:
        return read_files(reader, logs, tell)
    finally:
        if shown:
            click.echo("\r\x1b[2K", nl=False)


def agree(output: Output, question: str, yes: bool, command: str) -> None:
    """Yes or no on a terminal; without one --yes. Raises NewsletterError(must-be-agreed, exit 4)."""
    if yes:
        return
    if not sys.stdin.isatty():
        problem = Problem("must-be-agreed", "Without a terminal nobody can agree to this", hint=f"{command}")
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if not click.confirm(question, default=False):
        problem = Problem("must-be-agreed", "Nothing was changed", hint="Run it again when you are sure.")
        raise NewsletterError(problem, exit=Exit.REFUSED)


def by_whom() -> str:
    """The colleague at this computer, for the log of decisions."""
    from newsletter.sending import logbook

    return logbook.user()


def _usage() -> NewsletterError:
    return NewsletterError(
        Problem(
            "wrong-usage",
            "Say what settles it: --postfix-log FILE, or --as accepted|again with --who ADDRESS or --all",
            hint="`newsletter settle --help` shows examples.",
        ),
        exit=Exit.USAGE,
    )
