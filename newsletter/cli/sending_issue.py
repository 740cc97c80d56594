"""What `test` and `send` start from: the issue read, rendered in every language, with all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.config import Config
from newsletter.problems import Problem, has_errors

if TYPE_CHECKING:
    from newsletter.content.model import Issue
    from newsletter.rendering.model import Mode, Rendered


@dataclass(frozen=True)
class Prepared:
    """One issue, ready to be approved: language → Issue and Rendered, "" = the default language."""

    folder: Path
    issues: Mapping[str, Issue]
    renders: Mapping[str, Rendered]
    problems: tuple[Problem, ...]

    @property
    def issue(self) -> Issue:
        return self.issues[""]

    @property
    def broken(self) -> bool:
        """True when something must be fixed before this may be sent."""
        return has_errors(self.problems)


def prepare(config: Config, folder: Path, mode: Mode) -> Prepared:
    """Read, render and check the issue in all its languages. Raises NewsletterError where there is nothing to read."""
    from datetime import UTC, datetime

    from newsletter.cli.copies_for_reading import with_areas
    from newsletter.content import finding, reading
    from newsletter.rendering import check_languages, checks, pipeline, themes

    today = datetime.now(UTC).date()
    issues: dict[str, Issue] = {}
    renders: dict[str, Rendered] = {}
    problems: dict[Problem, None] = {}
    for language in finding.languages(folder):
        issue = issues[language] = reading.read(folder, config, language)
        theme = themes.load(issue.front.template, config)
        rendered = renders[language] = with_areas(config, pipeline.render(issue, theme, config, mode))
        beside = check_languages.against(issue, issues[""]) if language else ()
        problems.update(dict.fromkeys(checks.everything(issue, rendered, config, today, beside)))
    return Prepared(folder, issues, renders, tuple(problems))


def public_copies(config: Config, prepared: Prepared) -> dict[str, Rendered]:
    """The same issue for the page that everybody may see; nothing where the issue says `archive: none`."""
    from newsletter.rendering import pipeline, themes
    from newsletter.rendering.model import Mode

    if prepared.issue.front.archive == "none":
        return {}
    return {
        language: pipeline.render(issue, themes.load(issue.front.template, config), config, Mode.WEB)
        for language, issue in prepared.issues.items()
    }


def empty_fields(config: Config, prepared: Prepared, lists: tuple[str, ...], people: int) -> list[Problem]:
    """A warning for every field that has no `or "…"` and is empty for somebody, in any language."""
    from newsletter.audience import checking

    slots = (slot for rendered in prepared.renders.values() for slot in rendered.slots)
    return checking.warnings(config, lists, slots, people)
