"""`newsletter recover`: after a restored backup, find out who got mail, and let sending go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.sending.recovering import Plan


@click.command()
@click.option("--postfix-log", "logs", multiple=True, metavar="FILE", help="Look here; also .gz, and - for a pipe.")
@click.option("--margin", default=120, type=click.IntRange(0, 86400), help="Seconds the log must reach further.")
@click.option("--log-zone", metavar="ZONE", default="", help="Time zone of the log, where it is not this machine's.")
@click.option("--key-lost", is_flag=True, help="The secret key that people were erased with is lost for good: go on.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def command(
    output: Output,
    logs: tuple[str, ...],
    margin: int,
    log_zone: str,
    key_lost: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """After a backup of the database was restored: see in the mail server's log who was sent to after the copy was
    made, write it down, and let sending go on. Whoever it cannot tell of is uncertain, and never sent to by itself.

    \b
    newsletter recover --postfix-log /var/log/mail.log --dry-run     look first
    newsletter recover --postfix-log /var/log/mail.log
    newsletter recover                                               without a log: all who wait become uncertain
    """
    from datetime import timedelta

    from newsletter.cli.sending_mailing import workspace
    from newsletter.cli.settle import agree, by_whom, read_logs

    if as_json:
        output = replace(output, quiet=True)
    config = workspace(output)
    if key_lost:
        return _without_the_key(output, yes, as_json)
    from django.utils import timezone

    from newsletter.sending import epoch, lock, recovering  # need the database that `workspace` opened

    difference = epoch.difference(config)
    if difference is None:
        output.done("The database is the one that sent from here last; there is nothing to recover.")
        if as_json:
            print_json((), needed=False)
        return Exit.FINE
    with lock.sending(config.var, "recover", timezone.localtime()):
        evidence = read_logs(output, config, logs, log_zone, lambda token: True, []) if logs else None
        plan = recovering.plan(config, difference, evidence, timedelta(seconds=margin))
        _say(output, plan, bool(logs))
        if not dry_run:
            agree(output, "Write that down, and let sending go on?", yes, "newsletter recover … --yes")
            recovering.apply(config, plan, by_whom())
            output.done("Written down. Sending may go on.")
            if plan.uncertain:
                output.next("newsletter settle", "decides about those who are uncertain, by a log or by hand")
            else:
                output.next("newsletter status --verify", "then newsletter send")
    if as_json:
        print_json((), needed=True, dry_run=dry_run, **_facts(plan))
    return Exit.FINE


def _facts(plan: Plan) -> dict[str, Any]:
    """For machines."""
    return {
        "why": plan.difference.why,
        "since": plan.difference.since,
        "covered": plan.covered,
        "accepted": len(plan.accepted),
        "uncertain": sum(plan.uncertain.values()),
        "unknown": plan.unknown,
        "single": {"accepted": len(plan.single_accepted), "uncertain": len(plan.single)},
    }


def _without_the_key(output: Output, yes: bool, as_json: bool) -> int:
    """Whoever was erased under the lost key is not known any more; somebody has to say that this is so."""
    from newsletter.audience import never
    from newsletter.cli.settle import agree

    lost = never.other_key()
    people = 0
    if lost:
        output.say("People were erased with a key that var/secret.key does not hold: no import will know them again.")
        agree(output, "Is that key lost for good?", yes, "newsletter recover --key-lost --yes")
        people = never.key_is_lost()
        output.done(f"Going on without it. Up to {count(people, 'erased person', 'erased people')} cannot be told.")
    else:
        output.done("The key is the one that people were erased with; there is nothing to recover.")
    if as_json:
        print_json((), needed=bool(lost), erased=people)
    return Exit.FINE


def _say(output: Output, plan: Plan, with_log: bool) -> None:
    found = plan.difference
    output.say(f"{found.why[0].upper()}{found.why[1:]}.")
    if found.since:
        output.say(f"  It knows nothing of what was sent after {words.clock(found.since)}.")
    output.facts(
        [
            ("they have it", f"{number(len(plan.accepted))}   the log shows that the mail server took it after that"),
            ("uncertain", f"{number(sum(plan.uncertain.values()))}   nobody sends to them by itself"),
        ]
    )
    if plan.lacking:
        mails = count(plan.lacking, "mail that", "mails that")
        output.say(f"  The log lacks {mails} had surely left: it is not whole, or of another server than the relay.")
        output.say("  All whom it does not show become uncertain.")
    elif with_log and not plan.covered:
        output.say("  The log does not reach over the whole time; all whom it does not show become uncertain.")
    if not with_log and plan.uncertain:
        output.say("  With the mail server's log most of them could be told: --postfix-log FILE.")
    if plan.single or plan.single_accepted:
        waits = len(plan.single) + len(plan.single_accepted)
        output.say(
            f"  {count(waits, 'answer or other single mail', 'answers and other single mails')} waited in the copy:"
            f" {number(len(plan.single_accepted))} had left by the log, {number(len(plan.single))} uncertain."
        )
    for slug, people in plan.unknown.items():
        output.say(f"  {visible(slug)} was sent ({words.people(people)} or more) but is not in the database at all:")
        output.say("    it is entered as stopped, so that nobody is sent it a second time.")
    output.say("  Whoever left or was suppressed since the copy must be entered again; the mails of that time say who.")
