"""Finding an issue by its folder's name or the beginning of it."""

from __future__ import annotations

import re
from pathlib import Path

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean

TRANSLATION = re.compile(r"issue\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.md")


def all_issues(config: Config) -> list[Path]:
    """The folders under `issues/` that hold an issue.md, by name (they begin with the date, so: oldest first)."""
    folder = config.root / "issues"
    return sorted(path.parent for path in folder.glob("[!.]*/issue.md")) if folder.is_dir() else []


def find(config: Config, name: str | None, here: Path) -> Path:
    """The folder of the issue called `name`: a path, a slug, or a part of one slug only, its beginning first.

    Without a name: the issue whose folder you stand in, else the only issue. Raises NewsletterError (exit 2) that
    lists the issues when none or several fit.
    """
    issues = all_issues(config)
    if name is None:
        around = [folder for folder in issues if here.resolve().is_relative_to(folder.resolve())]
        fitting = around or issues
        if len(fitting) == 1:
            return fitting[0]
        raise _which("Which issue?" if issues else "There is no issue yet", issues)
    for start in (here, config.root):
        asked = (start / name).resolve()
        asked = asked.parent if asked.is_file() else asked
        for folder in issues:
            if folder.resolve() == asked:
                return folder
    slug = name.rstrip("/").removeprefix("issues/")
    fitting = [folder for folder in issues if folder.name == slug] or [
        folder for folder in issues if folder.name.startswith(slug)
    ]
    fitting = fitting or [folder for folder in issues if re.sub(r"^\d{4}-\d\d-\d\d-", "", folder.name).startswith(slug)]
    fitting = fitting or [folder for folder in issues if slug and slug.casefold() in folder.name.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _which(f"‘{slug}’ fits {len(fitting)} issues", fitting)
    raise _which(f"There is no issue called ‘{slug}’", issues, did_you_mean(slug, [folder.name for folder in issues]))


def languages(folder: Path) -> tuple[str, ...]:
    """The languages an issue is written in: "" (issue.md) first, then those of issue.<language>.md by name."""
    found = [match[1] for path in folder.glob("issue.*.md") if (match := TRANSLATION.fullmatch(path.name))]
    return ("", *sorted(found))


def language(folder: Path, asked: str) -> str:
    """The translation that is meant, as its file is called; "" for none. Raises NewsletterError(no-translation)."""
    held = languages(folder)
    found = next((one for one in held if one.lower() == asked.lower()), None)
    if found is None:
        hint = did_you_mean(asked, held[1:]) or (
            f"It is written in {', '.join(held[1:])} besides issue.md."
            if held[1:]
            else f"Write issue.{asked}.md first."
        )
        raise NewsletterError(Problem("no-translation", f"There is no issue.{asked}.md", hint), exit=Exit.USAGE)
    return found


def _which(message: str, issues: list[Path], near: str = "") -> NewsletterError:
    names = [folder.name for folder in issues[-12:]]
    hint = near or ("Name one: " + ", ".join(names) if names else "Start one: newsletter new TITLE")
    code = "which-issue" if issues else "no-issue"
    return NewsletterError(Problem(code, message, hint), exit=Exit.USAGE)
