"""Lists the issues and how far each one is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.models import Mailing

# A mailing's state as people say it; an issue without a mailing is a draft.
STATES = {"approved": "approved", "sending": "sending", "paused": "paused", "stopped": "stopped", "finished": "sent"}


@click.command()
@json_option
@click.pass_obj
def command(output: Output, as_json: bool) -> int:
    """List the issues, the newest first, and how far each one is.

    An issue is a draft until it is sent; then scheduled, sending, paused, stopped or sent. One that is
    stopped part-way is carried on by `newsletter send`.
    """
    from newsletter.content import finding

    config = output.config()
    problems: list[Problem] = []
    states = _states(config, problems)
    rows = [_row(folder, config, states, problems) for folder in reversed(finding.all_issues(config))]
    if as_json:
        print_json(problems, issues=rows)
        return Exit.FINE
    if rows:
        resting = {**_at_rest(config), **_times()} if states else {}
        _table(output, rows, resting)
    else:
        output.say("There is no issue yet.")
        output.next('newsletter new "Your title"')
    output.problems(problems)
    return Exit.FINE


def _table(output: Output, rows: list[dict[str, object]], resting: dict[str, str]) -> None:
    """A line for each issue; in a narrow window its title stands below, and its name begins with the date anyway."""
    head = ("DATE", "STATE", "PEOPLE", "TITLE", "ISSUE")
    body = [
        (
            str(row["date"]),
            resting.get(str(row["slug"]), str(row["state"])),
            number(int(str(row["people"]))) if row["people"] else "",
            _short(visible(str(row["title"]))),
            str(row["slug"]),
        )
        for row in rows
    ]
    if output.too_wide(head, body):
        below = [visible(str(row["title"])) for row in rows]
        output.table((head[4], head[1], head[2]), [(row[4], row[1], row[2]) for row in body], below)
    else:
        output.table(head, body)


def _row(
    folder: Path, config: Config, states: dict[str, tuple[str, int]] | None, problems: list[Problem]
) -> dict[str, object]:
    from newsletter.content import finding, reading

    try:
        title = reading.headline(folder, config)
    except NewsletterError as error:
        problems.extend(_worth_a_look(error))
        title = ""
    state, people = ("unknown", 0) if states is None else states.get(folder.name, ("draft", 0))
    day = folder.name[:10]
    return {
        "slug": folder.name,
        "title": title,
        "date": day if day[:4].isdigit() and day[4:5] == "-" else "",
        "state": state,
        "people": people,
        "languages": list(finding.languages(folder)),
    }


def _states(config: Config, problems: list[Problem]) -> dict[str, tuple[str, int]] | None:
    """Slug → state and number of people, from the ledger; nothing where no database was ever made.

    None, and a Problem worth a look, when there is one that cannot be read: the list itself needs only files.
    """
    from newsletter import settings

    try:
        if not settings.has_database(config):
            return {}
        from newsletter.audience import database

        database.ready(config)
        from newsletter.sending.models import Mailing

        return {
            mailing.slug: (_state(mailing), mailing.frozen)
            for mailing in Mailing.objects.only("slug", "state", "frozen", "send_at")
        }
    except NewsletterError as error:
        problems.extend(_worth_a_look(error))
        return None


def _state(mailing: Mailing) -> str:
    if mailing.state == "approved" and mailing.send_at:
        return "scheduled"
    return STATES.get(mailing.state, mailing.state)


def _at_rest(config: Config) -> dict[str, str]:
    """Slug → words for the mailings that have begun and that nobody is sending now."""
    from newsletter.cli.sending_mailing import at_rest
    from newsletter.sending.models import Mailing

    begun = Mailing.objects.filter(state=Mailing.State.SENDING)
    return {mailing.slug: words for mailing in begun if (words := at_rest(config, mailing))}


def _times() -> dict[str, str]:
    """Slug → `scheduled 25 Nov 08:00`."""
    from newsletter.cli.sending_words import clock
    from newsletter.sending.models import Mailing

    waiting = Mailing.objects.filter(state=Mailing.State.APPROVED, send_at__isnull=False)
    return {mailing.slug: f"scheduled {clock(mailing.send_at)}" for mailing in waiting}


def _worth_a_look(error: NewsletterError) -> list[Problem]:
    """The list itself is complete, so nothing here must be fixed before going on."""
    return [replace(problem, severity=Severity.WARNING) for problem in error.problems]


def _short(title: str) -> str:
    return title if len(title) <= 50 else title[:49] + "…"
