"""Checks this computer and the mail settings, and says in words what failed and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.cli.doctor_checks import Finding

SIGNS = {
    None: ("✓", "green"),
    Severity.NOTE: ("·", "cyan"),
    Severity.WARNING: ("!", "yellow"),
    Severity.ERROR: ("✗", "red"),
}


@click.command()
@click.option("--to", metavar="ADDRESS", help="Also send one mail to this address, the way a mailing would go.")
@click.option("--plus", metavar="ADDRESS", help="Also try whether plus addresses of your mailbox work; sends one mail.")
@json_option
@click.pass_obj
def command(output: Output, to: str | None, plus: str | None, as_json: bool) -> int:
    """Check this computer and the mail settings: Python, disk, folders, key, database, themes, relay, pages.

    Connects to the relay and the mailboxes and logs in; sends nothing unless you say --to or --plus. Exit 1 when
    something must be fixed.

    \b
    Example:
      newsletter doctor
      newsletter doctor --to me@example.org
      newsletter doctor --plus news@example.org
    """
    from newsletter.mail.addresses import parse

    for name, address in (("--to", to), ("--plus", plus)):
        try:
            parse(address) if address is not None else None
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=name) from error
    found = []
    for finding in findings(output, to, plus):
        found.append(finding)
        if not as_json:
            _say(output, finding)
    problems = [finding.problem for finding in found if finding.problem]
    if as_json:
        checks = [{"area": item.area, "text": item.text, "ok": item.problem is None} for item in found]
        print_json(problems, checks=checks)
    else:
        _verdict(output, problems)
    return Exit.PROBLEMS if any(problem.severity is Severity.ERROR for problem in problems) else Exit.FINE


def findings(output: Output, to: str | None, plus: str | None = None) -> Iterator[Finding]:
    """Everything that is looked at, in order; without readable settings only the machine is."""
    from newsletter.cli import doctor_checks as checks
    from newsletter.cli import doctor_dkim as dkim
    from newsletter.cli import doctor_looking
    from newsletter.cli import doctor_mail as mail
    from newsletter.cli import doctor_replies as replies

    yield from checks.machine(output.folder)
    try:
        config = output.config()
    except NewsletterError as error:
        yield from checks.failed("Settings", error)
        return  # everything else depends on them
    for look in (checks.settings, checks.folders, checks.key, checks.passwords, checks.database, checks.themes):
        yield from look(config)
    yield from mail.transport(config)
    yield from checks.days(config)
    yield from checks.worker(config)
    yield from doctor_looking.looking(config)
    yield from dkim.dkim(config)
    yield from checks.refusals(config)
    yield from checks.pages(config)
    try:
        yield from replies.mailboxes(config)
        if plus:
            yield from replies.plus(config, plus)
    except NewsletterError as error:
        yield from checks.failed(replies.AREA, error)
    if to:
        yield from mail.trial(config, to)


def _say(output: Output, finding: Finding) -> None:
    problem = finding.problem
    sign, colour = SIGNS[problem.severity if problem else None]
    line = f"{output.style(sign, fg=colour)} {finding.area:<9} {visible(finding.text)}"
    if problem is None:
        output.say(output.folded(line, 12))
        return
    click.echo(output.folded(f"{line}  {output.style(f'[{problem.code}]', dim=True)}", 12))
    for more in filter(None, (str(problem.where or ""), problem.hint)):
        click.echo(output.folded(f"{'':<12}{visible(more)}"))


def _verdict(output: Output, problems: list[Problem]) -> None:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    others = len(problems) - errors
    if errors:
        output.say(f"\n{count(errors, 'thing')} to fix{f', {others} worth a look' if others else ''}.")
        output.next("newsletter explain CODE", "says more about the word in brackets")
    else:
        output.say(f"\nAll is well{f'; {others} worth a look' if others else ''}.")
