"""`newsletter archive`: what the public archive shows of a message: a note above it, or that it was withdrawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing

LONGEST = 1_000  # letters of a note


@click.group(cls=Group)
def command() -> None:
    """Put a note above a message in the public archive, withdraw it, or show it again."""


@command.command("list")
@json_option
@click.pass_obj
def list_pages(output: Output, as_json: bool) -> int:
    """List the messages that were sent, and what the archive shows of each."""
    from newsletter.cli.sending_mailing import workspace

    workspace(output)
    from newsletter.sending import archiving
    from newsletter.sending.models import Mailing

    seen = set(archiving.published().values_list("pk", flat=True))
    pages = []
    for mailing in Mailing.objects.defer("rendered", "public").order_by("-pk")[:200]:
        page = archiving.page_of(mailing)
        state = _state(page, mailing.pk in seen, archiving.delivered(mailing))
        pages.append({"issue": mailing.slug, "state": state, "note": page.note})
    if as_json:
        print_json(pages=pages)
        return Exit.FINE
    if not pages:
        output.say("Nothing was sent yet.")
        return Exit.FINE
    head, rows = ("ISSUE", "PAGE", "NOTE"), [(p["issue"], p["state"], visible(p["note"])) for p in pages]
    if output.too_wide(head, rows):
        below = [f"“{note}”" if note else "" for *_, note in rows]
        output.table(head[:2], [row[:2] for row in rows], below)
    else:
        output.table(head, rows)
    return Exit.FINE


def _state(page: Any, listed: bool, delivered: bool) -> str:
    if page.withdrawn_at:
        return "withdrawn"
    if listed:
        return "in the archive"
    if not delivered:
        return "hidden until it is sent"
    return "waits for archive_at" if page.listed else "not listed"


@command.command()
@click.argument("issue")
@click.argument("words", required=False)
@click.option("--remove", is_flag=True, help="Take the note away.")
@json_option
@click.pass_obj
def note(output: Output, issue: str, words: str | None, remove: bool, as_json: bool) -> int:
    """Put WORDS above the message of ISSUE, on its page, in the list and in the feed.

    \b
    newsletter archive note 2026-11-24 "The meeting was moved to 6 pm."
    newsletter archive note 2026-11-24 --remove
    """
    text = " ".join((words or "").split())
    if bool(text) == remove:
        problem = Problem("wrong-usage", "Say the words of the note, or --remove", 'newsletter archive note ISSUE "…"')
        raise NewsletterError(problem, exit=Exit.USAGE)
    if len(text) > LONGEST or not text.isprintable():
        problem = Problem(
            "bad-note", f"A note has {LONGEST:,} letters at most and no control characters", "Shorten it."
        )
        raise NewsletterError(problem, exit=Exit.USAGE)
    mailing = _mailing(output, issue)
    from newsletter.sending import archiving

    archiving.note(mailing, text)
    return _done(output, mailing, "The note is gone" if remove else "The note stands above it", as_json)


@command.command()
@click.argument("issue")
@click.option("--why", required=True, metavar="TEXT", help="For the record; it is not shown to visitors.")
@json_option
@click.pass_obj
def withdraw(output: Output, issue: str, why: str, as_json: bool) -> int:
    """Take the message of ISSUE away: its page and its copies in the browser say that it was withdrawn (410), and it is
    in no list, search or feed. The record stays, and mails that people have cannot be taken back."""
    mailing = _mailing(output, issue)
    from newsletter.sending import archiving

    archiving.withdraw(mailing, why)
    return _done(output, mailing, "It is withdrawn", as_json)


@command.command()
@click.argument("issue")
@json_option
@click.pass_obj
def restore(output: Output, issue: str, as_json: bool) -> int:
    """Show a withdrawn message again."""
    mailing = _mailing(output, issue)
    from newsletter.sending import archiving

    archiving.restore(mailing)
    return _done(output, mailing, "It is shown again", as_json)


def _mailing(output: Output, issue: str) -> Mailing:
    from newsletter.cli.sending_mailing import which, workspace

    return which(output, workspace(output), issue)


def _done(output: Output, mailing: Mailing, words: str, as_json: bool) -> int:
    config = output.config()
    address = f"{config.base_url}/archive/{mailing.slug}"
    if as_json:
        from newsletter.sending import archiving

        page = archiving.page_of(mailing)
        withdrawn = page.withdrawn_at.isoformat() if page.withdrawn_at else None
        print_json(issue=mailing.slug, address=address, note=page.note, withdrawn=withdrawn)
        return Exit.FINE
    output.done(f"{words}: {address}")
    output.say("  Caches may show the page as it was for a minute.")
    return Exit.FINE
