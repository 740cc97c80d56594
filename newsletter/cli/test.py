"""`newsletter test`: one marked copy to yourself, by the same road as the real thing, and not in the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.cli.sending_issue import Prepared
    from newsletter.config import Config
    from newsletter.sending.outbox import Leased

MOST = 10  # addresses; more is a mailing, and that has a ledger


@click.command()
@click.argument("issue", required=False)
@click.option("--to", "addresses", multiple=True, metavar="ADDRESS", help="Where to; up to 10 times.")
@click.option("--lang", "--language", "language", default="", metavar="CODE", help="The language to send, such as cy.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, addresses: tuple[str, ...], language: str, as_json: bool) -> int:
    """Send a test copy: [TEST] in the subject, a banner on top, links that change nothing, nothing in the ledger.

    \b
    newsletter test --to me@example.org
    """
    from newsletter.cli.sending_issue import prepare
    from newsletter.cli.sending_mailing import workspace
    from newsletter.content import finding
    from newsletter.rendering.model import Mode

    if as_json:
        output = replace(output, quiet=True)
    wanted = _parsed(addresses)
    config = workspace(output)
    from newsletter.sending import carrier, verdicts  # need the database that `workspace` opened

    folder = finding.find(config, issue, output.folder)
    language = finding.language(folder, language)
    prepared = prepare(config, folder, Mode.TEST)
    if prepared.broken:
        from newsletter.cli.send import blocked

        return blocked(output, prepared, as_json)
    rows = [_row(config, prepared, address, language) for address in wanted]
    composer = _composer(config, prepared)
    sent: list[dict[str, Any]] = []
    with carrier.opened(config) as way:
        transport = way.factory()
        try:
            for row in rows:
                ready = composer.compose(row)
                outcome = transport.send(ready.envelope_sender, ready.recipient.wire, ready.data, lambda: None)
                verdict = verdicts.judge(outcome, 0)
                sent.append({"address": row.address, "state": str(verdict.state), "reason": verdict.reason})
        finally:
            transport.close()
    _tell(output, sent, way.words)
    if as_json:
        print_json(prepared.problems, issue=folder.name, copies=sent)
    else:
        output.problems(prepared.problems)
    return Exit.FINE if all(copy["state"] == "accepted" for copy in sent) else Exit.FAILURES


def _tell(output: Output, sent: list[dict[str, Any]], where: str) -> None:
    for copy in sent:
        if copy["state"] == "accepted":
            output.done(f"Sent a test copy to {visible(copy['address'])}   {where}")
        else:
            output.failed(f"{visible(copy['address'])}: {visible(copy['reason'])}")


def _parsed(addresses: tuple[str, ...]) -> list[str]:
    """The addresses, each once; commas may stand between them. Raises NewsletterError, exit 2."""
    from newsletter.mail.addresses import parse

    typed = [part.strip() for text in addresses for part in text.split(",") if part.strip()]
    problems = []
    found: dict[str, str] = {}
    for text in typed:
        try:
            found.setdefault(parse(text).canonical, text)
        except ValueError as error:
            problems.append(Problem("bad-address", f"‘{text}’ is not an address: {error}", hint="--to me@example.org"))
    if len(found) > MOST:
        problems.append(
            Problem(
                "too-many-test-copies",
                f"{len(found)} addresses are more than a test; {MOST} at most",
                hint="To write to many people, put them on a list and use newsletter send.",
            )
        )
    if problems or not found:
        nowhere = Problem("wrong-usage", "A test copy needs an address", hint="newsletter test --to me@example.org")
        raise NewsletterError(*problems or [nowhere], exit=Exit.USAGE)
    return list(found.values())


def _row(config: Config, prepared: Prepared, address: str, language: str) -> Leased:
    """The person behind the address with their own values, or a made-up one with the example values."""
    from newsletter.audience import selecting
    from newsletter.mail.addresses import parse
    from newsletter.mail.tokens import new_id
    from newsletter.rendering import merge
    from newsletter.sending import preview
    from newsletter.sending.outbox import Leased

    canonical = parse(address).canonical
    lists = selecting.lists_of(config, prepared.issue.front.audience)
    row = preview.one_person(canonical, prepared.renders, lists)
    if row is None:
        values = dict(merge.preview_fields(config, prepared.issue))
        row = Leased(0, 0, 0, canonical, address, "", "", values, tuple(lists), new_id(), new_id())
    return row._replace(address=address, language=language or row.language)


def _composer(config: Config, prepared: Prepared) -> Any:
    from django.utils import timezone

    from newsletter.mail.tokens import new_id
    from newsletter.sending import keys, mailings, previewing
    from newsletter.sending.message import Composer

    keyring = keys.keyring(config)
    settings = mailings.settings_of(config, prepared.issue)
    # The pictures of an issue that nobody has got are hidden; who gets a test copy sees them (archiving.may_be_seen).
    renders = {key: previewing.sealed_test(one, config, keyring) for key, one in prepared.renders.items()}
    return Composer(config, keyring, renders, settings, new_id(), timezone.localtime(), test=True)
