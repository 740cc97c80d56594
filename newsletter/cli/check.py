"""`newsletter check`: everything that is wrong or worth a look, with its place, before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, count, json_option, number, print_json
from newsletter.problems import Problem, Severity

if TYPE_CHECKING:
    from newsletter.cli.copies_for_reading import Loaded

ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@click.command()
@click.argument("issue", required=False)
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, as_json: bool) -> int:
    """Check an issue; exit 1 when something must be fixed.

    ISSUE is a folder, a slug, or its beginning; without it, the issue you stand in, or the only one. All languages of
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
    loaded = [copies.load(config, folder, language) for language in finding.languages(folder)]
    people, empty = copies.people_problems(config, loaded)
    found = dict.fromkeys([problem for one in loaded for problem in one.problems] + empty)
    problems = sorted(found, key=lambda problem: ORDER.index(problem.severity))
    seconds = time.perf_counter() - started
    if as_json:
        print_json(problems, issue=folder.name, people=people, languages=[one.issue.language for one in loaded],
                   html_bytes=_size(loaded), seconds=round(seconds, 3))  # fmt: skip
        return copies.exit_code(problems)
    shown = folder.relative_to(config.root) if folder.is_relative_to(config.root) else folder
    to = (
        f"  for {output.style(number(people), bold=True)} {'person' if people == 1 else 'people'}"
        if people is not None
        else ""
    )
    output.say(f"{output.style(str(shown), bold=True)}{to}")
    output.say()
    for problem in problems:
        output.problems([problem])
        output.say()
    _ticks(output, loaded, problems)
    _verdict(output, problems, seconds, folder)
    return copies.exit_code(problems)


def _size(loaded: Sequence[Loaded]) -> int:
    from newsletter.rendering import check_mail

    return max((check_mail.encoded_size(one.rendered.html) for one in loaded if one.rendered), default=0)


# What each tick stands for: the codes that take it away.
_GROUPS = {
    "pictures": "missing-alt automatic-alt pictures-heavy picture-heavy picture-unreadable picture-svg"
    " picture-too-large remote-image bad-picture",
    "links": "vague-link same-words-two-links link-to-this-computer shortened-link bad-link empty-link unsafe-link"
    " link-without-https",
    "accessibility": "heading-jump second-main-heading no-heading low-contrast vague-link missing-alt automatic-alt"
    " deep-heading accessible-format",
}


def _ticks(output: Output, loaded: Sequence[Loaded], problems: Sequence[Problem]) -> None:
    """One or two lines of what was looked at, a tick or a cross on each."""
    from newsletter.rendering import finding_places

    first = next((one for one in loaded if one.rendered), None)
    if first is None or first.rendered is None:
        return
    codes = {problem.code for problem in problems if problem.severity is not Severity.NOTE}
    links = sum(1 for _ in finding_places.links(first.issue))
    marks = []
    for name, group in _GROUPS.items():
        bad = codes & set(group.split())
        sign = output.style("!", fg="yellow") if bad else output.style("✓", fg="green")
        marks.append(f"{sign} {count(links, 'link') if name == 'links' else name}")
    subject, preheader = len(first.rendered.title), len(first.rendered.preheader)
    size = _size(loaded) / 1024
    fits = output.style("✓", fg="green") if size < 80 else output.style("!", fg="yellow")
    output.say("   ".join([f"{output.style('✓', fg='green')} inbox {subject}/{preheader} letters", *marks]))
    languages = ", ".join(one.issue.language for one in loaded)
    output.say(f"{fits} {size:.1f} of 102 KB   {output.style('✓', fg='green')} {languages}")


def _verdict(output: Output, problems: Sequence[Problem], seconds: float, folder: Path) -> None:
    must, look, notes = (sum(1 for one in problems if one.severity is severity) for severity in ORDER)
    if must:
        words = f"Fix {count(must, 'thing')}, then it is ready to send"
    elif look:
        words = f"Ready to send; {count(look, 'thing')} worth a look"
    else:
        words = "Ready to send"
    more = f"{number(must)} must fix, {number(look)} worth a look, {count(notes, 'note')} in {seconds:.1f} s"
    output.say(f"{output.style(words, bold=True)}   {more}")
    if must:
        output.next(f"newsletter explain {next(one.code for one in problems)}", "why, and what to do")
    else:
        output.next(f"newsletter preview {folder.name}", "look at it as your readers will")
