"""`newsletter replies fetch`: look into the mailboxes of newsletter.toml and take in what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.replies.fetching import Fetched


@click.command()
@click.argument("keys", nargs=-1, metavar="[MAILBOX]…")
@json_option
@click.pass_obj
def fetch(output: Output, keys: tuple[str, ...], as_json: bool) -> int:
    """Take in what is new in the mailboxes; without a name, in all of them.

    MAILBOX is a key of [mailboxes.KEY] in newsletter.toml. A message is moved or marked only after it is on our
    disk, and none is ever deleted. Exit 5 when something stood in the way: it stays there, for the next time.

    \b
    newsletter replies fetch
    newsletter replies fetch inbox --json
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import fetching, intake

    chosen = list(dict.fromkeys(keys)) or fetching.keys(config)
    if not chosen:
        hint = "Write one into newsletter.toml as [mailboxes.KEY]; docs/how-to/receive-replies.md shows each kind."
        raise NewsletterError(Problem("no-such-mailbox", "There is no mailbox to fetch", hint), exit=Exit.USAGE)
    if unknown := [key for key in chosen if key not in fetching.keys(config)]:
        fetching.fetch(config, unknown[0])  # raises, before any of the others is begun
    found: dict[str, Fetched] = {}
    for key in chosen:
        try:
            found[key] = fetching.fetch(config, key)
        except NewsletterError as error:  # the next mailbox may be well
            found[key] = fetching.Fetched(trouble=tuple(problem.message for problem in error.problems))
    intake.finish_unread()
    troubled = any(one.trouble for one in found.values())
    if as_json:
        rows = [
            {"key": key, "taken": one.taken, "duplicates": one.duplicates, "trouble": list(one.trouble)}
            for key, one in found.items()
        ]
        print_json(mailboxes=rows)
    else:
        for key, one in found.items():
            again = f", {count(one.duplicates, 'message')} came twice" if one.duplicates else ""
            output.done(f"{key}: {count(one.taken, 'message')} taken in{again}")
            for trouble in one.trouble:
                output.failed(visible(f"{key}: {trouble}"))
    return Exit.FAILURES if troubled else Exit.FINE
