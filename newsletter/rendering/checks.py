"""What an experienced editor would point out before sending: words, links, pictures, headings, size, colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

from newsletter.config import Config, examples
from newsletter.content.model import Issue
from newsletter.problems import Problem, Severity, Where
from newsletter.rendering import check_languages, check_links, check_mail, check_words
from newsletter.rendering.model import Mode, Rendered

# What a person may decide to send all the same; everything else that is an error is one for everybody.
WAIVABLE_ERRORS = {"mail-too-large"}
_CHECKS: tuple[Callable[[Issue, Rendered, Config], Iterable[Problem]], ...] = (
    check_words.subject,
    check_words.preheader,
    check_words.left_overs,
    check_words.dates,
    check_words.correction,
    check_words.headings,
    check_links.links,
    check_links.pictures,
    check_mail.size,
    check_mail.contrast,
    check_mail.variants,
    check_languages.lists,
)


def check(issue: Issue, rendered: Rendered, config: Config) -> tuple[Problem, ...]:
    """Every finding about the content of one rendered issue. Those about people are `audience`'s."""
    if rendered.mode is Mode.WEB:
        return ()
    return tuple(problem for one in _CHECKS for problem in one(issue, rendered, config))


def everything(
    issue: Issue, rendered: Rendered, config: Config, today: date | None = None, about_people: Iterable[Problem] = ()
) -> tuple[Problem, ...]:
    """All Problems of reading, rendering and checking, once each, with the waivers of the front matter applied.

    `about_people` is what `audience` found out about the people who would get it.
    """
    settings = examples.left(config, issue.front.sender)
    found = dict.fromkeys(
        (*issue.problems, *rendered.problems, *check(issue, rendered, config), *settings, *about_people)
    )
    return with_waivers(issue, found, today)


def with_waivers(issue: Issue, problems: Iterable[Problem], today: date | None = None) -> tuple[Problem, ...]:
    """Waived findings (`allow:`) become notes that say why; a waiver that is over or fits nothing is said too.

    `today` is the day to judge by; without it, the day in the issue's name.
    """
    day = today or _day(issue.slug[:10])
    waivers = {waiver.get("code", ""): waiver for waiver in issue.front.allow}
    used: set[str] = set()
    result: list[Problem] = []
    for problem in problems:
        waiver = waivers.get(problem.code)
        may = problem.severity is not Severity.ERROR or problem.code in WAIVABLE_ERRORS
        if waiver is None or not may:
            result.append(problem)
            continue
        used.add(problem.code)
        until = _day(waiver.get("until", ""))
        if until and day and until < day:
            hint = f"The waiver ended on {waiver['until']}. {problem.hint}".strip()
            result.append(replace(problem, hint=hint))
        else:
            hint = f"Let through by `allow`: {waiver.get('why', '')}"
            result.append(replace(problem, hint=hint, severity=Severity.NOTE))
    for code in sorted(waivers.keys() - used):
        message = f"`allow` lets ‘{code}’ through, but nothing like it was found"
        where = Where(issue.file, issue.front.lines.get("allow"))
        hint = "Take it out, or correct the code." if code else "Name a code."
        result.append(Problem("unused-waiver", message, hint=hint, where=where, severity=Severity.NOTE))
    return tuple(result)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
