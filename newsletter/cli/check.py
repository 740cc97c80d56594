"""`newsletter check`: everything that is wrong or worth a look, with its place, before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, json_option, number, print_json
from newsletter.problems import Problem, Severity, worst_first

if TYPE_CHECKING:
    from newsletter.cli.copies_for_reading import Loaded
    from newsletter.config import Config
    from newsletter.content.model import Issue
    from newsletter.sending.models import Mailing

MOST_SHOWN = 50  # findings; whoever pastes a spreadsheet gets 25,000


@click.command()
@click.argument("issue", required=False)
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, as_json: bool) -> int:
    """Check an issue; exit 1 when something must be fixed.

    ISSUE is a folder, a slug, or a part of it; without it, the issue you stand in, or the only one. All languages of
    the issue are checked. Nothing is written or sent.

    \b
    newsletter check
    newsletter check 2026-11-24 --json
    """
    from newsletter.cli import copies_for_reading as copies
    from newsletter.content import finding

    started = time.perf_counter()
    config = output.config()
    folder = finding.find(config, issue, output.folder)
    loaded = [copies.load(config, folder, language, with_people=True) for language in finding.languages(folder)]
    people = loaded[0].people
    sent = _mailing(config, folder.name)
    late = [] if sent else _late(config, loaded[0].issue)
    problems = worst_first([*late, *(problem for one in loaded for problem in one.problems)])
    seconds = time.perf_counter() - started
    if as_json:
        print_json(problems, issue=folder.name, people=people, languages=[one.issue.language for one in loaded],
                   html_bytes=_size(loaded), seconds=round(seconds, 3))  # fmt: skip
        return copies.exit_code(problems)
    shown = folder.relative_to(config.root) if folder.is_relative_to(config.root) else folder
    output.say(f"{output.style(str(shown), bold=True)}{_audience(people, loaded)}")
    output.say()
    for problem in problems[:MOST_SHOWN]:
        output.problems([problem])
        output.say()
    if len(problems) > MOST_SHOWN:
        output.say(f"… and {number(len(problems) - MOST_SHOWN)} more; --json tells all of them.")
        output.say()
    _ticks(output, loaded, problems)
    if sent:
        _sent(output, sent)
    else:
        _verdict(output, problems, seconds, folder, None if people else loaded[0].issue.front.audience)
    return copies.exit_code(problems)


def _mailing(config: Config, slug: str) -> Mailing | None:
    """The mailing of this issue, where it has one: then nothing that is written now goes out with it."""
    from newsletter.cli import copies_for_reading as copies

    if not copies.has_database(config):
        return None
    from newsletter.audience import database

    database.ready(config)
    from newsletter.sending import mailings

    with database.problems_of():
        return mailings.find(slug)


def _late(config: Config, issue: Issue) -> list[Problem]:
    """`send_at` has passed: `newsletter send` would refuse it, so it is said here first."""
    from datetime import UTC, datetime

    from newsletter.content import when
    from newsletter.rendering import finding_places

    text = issue.front.send_at
    found = when.read(text, config.site.time_zone, datetime.now(UTC)) if text else None
    if not isinstance(found, Problem) or found.code != "time-past":
        return []  # what is no time at all was told with its line when the issue was read
    hint = "Change it or take it away; newsletter send --at now sends it at once."
    return [
        replace(found, message=f"send_at: {found.message}", hint=hint, where=finding_places.front(issue, "send_at"))
    ]


def _sent(output: Output, sent: Mailing) -> None:
    """The last words for an issue that was approved already."""
    whom = count(sent.frozen, "person", "people")
    words = f"This was sent to {whom}" if sent.state == "finished" else f"This was approved for {whom} ({sent.state})"
    output.say(output.style(f"{words}; what is changed in it now does not go out", bold=True))
    output.next(f"newsletter status {sent.slug}", "how it stands")
    if sent.state == "finished":
        output.next(f"newsletter correct {sent.slug}", "starts a correction, for exactly those who got it")


def _size(loaded: Sequence[Loaded]) -> int:
    from newsletter.rendering import check_mail

    return max((check_mail.encoded_size(one.rendered.html) for one in loaded if one.rendered), default=0)


def _audience(people: int | None, loaded: Sequence[Loaded]) -> str:
    if people is None:
        return "  nobody has been imported yet" if loaded[0].issue.front.audience else ""
    return f"  for {count(people, 'person', 'people')}"


# What each tick stands for: the codes that take it away.
_INBOX = "long-subject shouting-subject no-preheader preheader-repeats long-preheader"
_PICTURES = (
    "missing-alt automatic-alt pictures-heavy picture-heavy picture-unreadable picture-svg picture-too-large"
    " remote-image bad-picture missing-picture inline-picture theme-picture"
)
_LINKS = (
    "vague-link same-words-two-links link-to-this-computer shortened-link bad-link empty-link unsafe-link missing-file"
)
_ACCESSIBILITY = (
    "heading-jump second-main-heading no-heading low-contrast vague-link missing-alt automatic-alt deep-heading"
    " accessible-format"
)


def _ticks(output: Output, loaded: Sequence[Loaded], problems: Sequence[Problem]) -> None:
    """Two lines of what was looked at, each with a tick, or with the sign of the worst that was found."""
    from newsletter.rendering import finding_places

    first = next((one for one in loaded if one.rendered), None)
    if first is None or first.rendered is None:
        return
    found: dict[str, Severity] = {}
    for problem in problems:  # the worst of a code comes first
        if problem.severity is not Severity.NOTE:
            found.setdefault(problem.code, problem.severity)

    def tick(words: str, codes: str) -> str:
        worst = {found.get(code) for code in codes.split()}
        if Severity.ERROR in worst:
            return f"{output.style('✗', fg='red')} {words}"
        if Severity.WARNING in worst:
            return f"{output.style('!', fg='yellow')} {words}"
        return f"{output.style('✓', fg='green')} {words}"

    subject, preheader = len(first.rendered.title), len(first.rendered.preheader)
    inbox = (
        f"inbox {subject}/{preheader} letters" if preheader else f"inbox {count(subject, 'letter')}, no preview text"
    )
    links = sum(1 for _ in finding_places.links(first.issue))
    languages = ", ".join(one.issue.language for one in loaded)
    output.say(
        "   ".join(
            (
                tick(inbox, _INBOX),
                tick("pictures", _PICTURES),
                tick(count(links, "link"), _LINKS),
                tick("accessibility", _ACCESSIBILITY),
            )
        )
    )
    size = f"{_size(loaded) / 1024:.1f} of 102 KB"
    output.say("   ".join((tick(size, "mail-large mail-too-large"), tick(languages, "no-fixed-words"))))


def _verdict(
    output: Output, problems: Sequence[Problem], seconds: float, folder: Path, empty: Sequence[str] | None
) -> None:
    """The last words, and what to do next; `empty` are the issue's lists when nobody on them would get it."""
    must, look, notes = (sum(1 for one in problems if one.severity is severity) for severity in Severity)
    if must:
        then = "and nobody is on the list yet" if empty else "then it is ready to send"
        words = f"Fix {count(must, 'thing')}, {then}"
    elif empty:
        words = "The text is ready, and nobody is on the list yet"
    elif look:
        words = f"Ready to send; {count(look, 'thing')} worth a look"
    else:
        words = "Ready to send"
    more = f"{number(must)} must fix, {number(look)} worth a look, {count(notes, 'note')} in {seconds:.1f} s"
    output.say(f"{output.style(words, bold=True)}   {more}")
    if must:
        output.next(f"newsletter explain {next(one.code for one in problems)}", "why, and what to do")
    elif not empty:
        output.next(f"newsletter preview {folder.name}", "look at it as your readers will")
    if empty:
        lists = " ".join(f"--list {key}" for key in empty)
        output.next(f'newsletter recipients import FILE.csv {lists} --consent "…"', "puts people on the list")
