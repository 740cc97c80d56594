"""How the command speaks: problems with a caret, --json for machines, plain when nobody is watching."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from newsletter.config import Config, from_environment
from newsletter.problems import NewsletterError, Problem, Severity

SIGNS = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("·", "cyan")}


@dataclass
class Output:
    """What the global options said; commands take it with @click.pass_obj."""

    folder: Path
    plain: bool = False
    quiet: bool = False
    debug: bool = False

    def config(self) -> Config:
        """The workspace's configuration; raises NewsletterError (exit 3) when there is none."""
        return from_environment(self.folder)

    @property
    def fancy(self) -> bool:
        """Colours and bars are wanted: a terminal, and nobody asked for plain."""
        return (
            sys.stdout.isatty()
            and not self.plain
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

    def style(self, text: str, **how: Any) -> str:
        return click.style(text, **how) if self.fancy else text

    def say(self, text: str = "") -> None:
        """A line for people; silent with --quiet."""
        if not self.quiet:
            click.echo(text)

    def done(self, text: str) -> None:
        """A step that worked: `✓ text`."""
        self.say(f"{self.style('✓', fg='green')} {text}")

    def problems(self, problems: Iterable[Problem], *, err: bool = False) -> None:
        """Every problem the way a good compiler says it."""
        for problem in problems:
            click.echo(self.problem(problem), err=err)

    def problem(self, problem: Problem) -> str:
        sign, colour = SIGNS[problem.severity]
        head = f"{self.style(f'{sign} {problem.severity.value}', fg=colour)}  {problem.message}"
        lines = [f"{head}  {self.style(problem.code, dim=True)}"]
        where = problem.where
        if where:
            lines.append(f"  {self.style('╭─', dim=True)} {self.style(str(where), fg='cyan')}")
            if where.source and where.line:
                gutter = f"{where.line:>4}"
                lines.append(f"  {self.style('│', dim=True)} {self.style(gutter, dim=True)}  {_visible(where.source)}")
                if where.column:
                    width = max(1, (where.end_column or where.column + 1) - where.column)
                    pad = " " * (len(gutter) + 2 + where.column - 1)
                    caret = self.style("^" * min(width, 60), fg=colour)
                    lines.append(f"  {self.style('│', dim=True)} {pad}{caret} {problem.hint}".rstrip())
                    return "\n".join(lines)
        if problem.hint:
            lines.append(f"  {self.style('│' if where else ' ', dim=True)} {problem.hint}")
        return "\n".join(lines)


def _visible(source: str) -> str:
    """A source line that a terminal can be trusted with: tabs as one space, control characters shown as ␀."""
    return "".join(" " if letter == "\t" else letter if letter.isprintable() else "␀" for letter in source)[:300]


def print_json(problems: Iterable[Problem] = (), **more: Any) -> None:
    """The one object of every --json: {"ok", "problems", …}. Nothing else goes to standard output."""
    found = list(problems)
    ok = not any(problem.severity is Severity.ERROR for problem in found)
    click.echo(
        json.dumps(
            {"ok": ok, "problems": [problem.as_json() for problem in found], **more},
            ensure_ascii=False,
            indent=2,
            default=str,
        )
    )


def report_error(error: NewsletterError) -> None:
    """The last words of a command that could not go on, on standard error, or as JSON where --json was asked."""
    if "--json" in sys.argv:
        print_json(error.problems)
    else:
        Output(Path(), plain="--plain" in sys.argv).problems(error.problems, err=True)


def report_bug(error: Exception) -> None:
    """Our fault: a short apology and a file with the details, never a traceback on the screen."""
    with tempfile.NamedTemporaryFile("w", prefix="newsletter-bug-", suffix=".txt", delete=False) as log:
        traceback.print_exception(error, file=log)
    click.echo(f"Sorry, that is a bug in newsletter: {type(error).__name__}.", err=True)
    click.echo(
        f"The details are in {log.name}; `--debug` shows them here. Nothing else was changed by this.",
        err=True,
    )
