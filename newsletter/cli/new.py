"""Starts a new issue: a folder with an issue.md that is ready to be written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

if TYPE_CHECKING:
    from newsletter.config import Config


@click.command()
@click.argument("title")
@click.option("--from", "before", metavar="last|SLUG", help="Begin with the text and pictures of an earlier issue.")
@click.option("--theme", help="The theme, such as alert or letter.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="The issue's date; today unless you say otherwise.")
@json_option
@click.pass_obj
def command(output: Output, title: str, before: str | None, theme: str | None, day: str | None, as_json: bool) -> int:
    """Start a new issue called TITLE.

    \b
    Examples:
      newsletter new "Meet your officers in December"
      newsletter new "The spring letter" --from last
    """
    from newsletter.content import starting

    config = output.config()
    title = _one_line(title)
    slug = starting.slug(title, _day(day))
    folder = config.root / "issues" / slug
    if folder.exists():
        problem = Problem(
            "issue-exists",
            f"There is an issue called {slug} already",
            "Go on with that one, choose another title, or give another --date.",
            Where(f"issues/{slug}"),
        )
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if theme:
        _known_theme(config, theme)
    start = _earlier(config, before, output.folder) if before else None
    make(folder, {"issue.md": _text(config, title, theme or "", start)}, start)
    if as_json:
        print_json(slug=slug, folder=str(folder), file=str(folder / "issue.md"))
        return Exit.FINE
    output.done(f"Started issues/{slug}/issue.md" + (f", from {start.name}" if start else ""))
    output.next(f"newsletter preview {slug}", "write in your editor; the page follows as you save")
    return Exit.FINE


def _one_line(title: str) -> str:
    title = " ".join(title.split())
    if not title or not title.isprintable():
        problem = Problem("bad-title", "This title cannot stand in a subject", "Give it some words, in quotes.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    return title


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError as error:
        problem = Problem("bad-date", f"‘{text}’ is no date", "Write year-month-day, such as 2026-12-08.")
        raise NewsletterError(problem, exit=Exit.USAGE) from error


def _known_theme(config: Config, theme: str) -> None:
    from newsletter.content.places import themes

    known = themes(config)
    if theme not in known:
        hint = did_you_mean(theme, known) or f"There are {', '.join(known)}."
        raise NewsletterError(Problem("unknown-theme", f"There is no theme called ‘{theme}’", hint), exit=Exit.USAGE)


def _earlier(config: Config, name: str, here: Path) -> Path:
    """The folder of the issue to begin with; `last` is the one with the latest date."""
    from newsletter.content import finding

    issues = finding.all_issues(config)
    if name == "last" and issues:
        return issues[-1]
    if name == "last":
        problem = Problem("no-issue", "There is no issue yet to begin with", "Leave --from away.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    return finding.find(config, name, here)


def make(folder: Path, texts: Mapping[str, str], start: Path | None) -> None:
    """Write these files, and the pictures of `start`, into a folder beside it and rename that one: a full disk leaves
    no half an issue. Raises NewsletterError(cannot-write)."""
    from newsletter.files import write_atomically

    beside: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        beside.chmod(0o755)
        (beside / "images").mkdir()
        if start:
            _copy_files(start, beside)
        for name, text in texts.items():
            write_atomically(beside / name, text)
        beside.rename(folder)
    except OSError as error:
        problem = Problem(
            "cannot-write",
            f"Cannot write {folder}: {error.strerror or error}",
            "Check that you may write to the issues folder, and that the disk is not full.",
            Where(str(folder)),
        )
        raise NewsletterError(problem, exit=Exit.CONFIG) from error
    finally:
        if beside and beside.exists():
            with suppress(OSError):
                shutil.rmtree(beside)


def _copy_files(start: Path, target: Path) -> None:
    """Pictures and documents of the earlier issue; its text and translations are written anew."""
    for path in start.rglob("*"):
        beside = target / path.relative_to(start)
        if path.is_symlink() or path.name.startswith(".") or (path.parent == start and path.suffix == ".md"):
            continue
        if path.is_dir():
            beside.mkdir(parents=True, exist_ok=True)
        else:
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, beside)


def _text(config: Config, title: str, theme: str, start: Path | None) -> str:
    from newsletter.content import starting
    from newsletter.content.places import text_of, themes

    if start:
        earlier = text_of(start / "issue.md", config.root, f"{start.name}/issue.md").decode()
        return starting.next_after(earlier, title, theme)
    known = themes(config)
    return starting.fresh(
        title,
        theme or ("alert" if "alert" in known or not known else known[0]),
        next(iter(config.senders), ""),
        next(iter(config.lists), ""),
        config.site.language,
    )
