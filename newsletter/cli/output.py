"""How the command speaks: problems with a caret, --json for machines, plain when nobody is watching."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.problems import NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.config import Config

SIGNS = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("·", "cyan")}
WORDS = {Severity.ERROR: "Must fix", Severity.WARNING: "Worth a look", Severity.NOTE: "Note"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WIDTH = 100  # columns of a source line that we show; a longer one is cut around the caret

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, for machines.")


def number(value: int) -> str:
    """17742 → 17,742."""
    return f"{value:,}"


def count(value: int, one: str, many: str = "") -> str:
    """(1, "person", "people") → 1 person; (17742, …) → 17,742 people; without `many` an s is added."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


@dataclass
class Output:
    """What the global options said; commands take it with @click.pass_obj."""

    folder: Path
    plain: bool = False
    quiet: bool = False
    debug: bool = False

    def config(self) -> Config:
        """The workspace's configuration; raises NewsletterError (exit 3) when there is none."""
        from dataclasses import replace

        from newsletter.cli.segment_names import SegmentNames
        from newsletter.config import from_environment

        config = from_environment(self.folder)
        return replace(config, segments=SegmentNames(config))

    @property
    def fancy(self) -> bool:
        """Colours and bars are wanted on standard output: a terminal, and nobody asked for plain."""
        return self._fancy(sys.stdout)

    def _fancy(self, stream: Any) -> bool:
        refused = self.plain or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return not refused and stream.isatty()

    def style(self, text: str, *, err: bool = False, **how: Any) -> str:
        """`text` in colour where colours are wanted on that stream."""
        return click.style(text, **how) if self._fancy(sys.stderr if err else sys.stdout) else text

    def say(self, text: str = "") -> None:
        """A line for people; silent with --quiet."""
        if not self.quiet:
            click.echo(self.folded(text))

    def folded(self, text: str, hang: int | None = None) -> str:
        """`text` in lines that fit the window, broken between words; `hang`: blanks before the following lines."""
        return folded(text, shutil.get_terminal_size().columns, hang) if self.fancy else text

    def done(self, text: str) -> None:
        """A step that worked: `✓ text`."""
        self.say(self.folded(f"{self.style('✓', fg='green')} {text}", 2))

    def failed(self, text: str) -> None:
        """A step that did not: `✗ text`. Said even with --quiet."""
        click.echo(self.folded(f"{self.style('✗', fg='red')} {text}", 2))

    def next(self, command: str, why: str = "") -> None:
        """The command to type next; every command that ends well names one."""
        line = f"  Next      {self.style(command, bold=True)}"
        if why and self.fancy and _columns(f"{line}   {why}") > shutil.get_terminal_size().columns:
            line, why = f"{line}\n{self.folded(' ' * 12 + why)}", ""
        if not self.quiet:
            click.echo(f"{line}   {why}".rstrip())  # the command itself is never broken: it is there to be copied

    def facts(self, rows: Iterable[tuple[str, object]]) -> None:
        """Name and value, one pair a line, the values under each other; whole numbers with separators."""
        pairs = [(name, number(value) if type(value) is int else str(value)) for name, value in rows]
        width = max((_columns(name) for name, _ in pairs), default=0)
        for name, value in pairs:
            self.say(self.folded(f"  {name}{' ' * (width - _columns(name))}  {value}".rstrip(), width + 4))

    def too_wide(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
        """The window's columns where this table would run over its edge, else 0 (also where nobody watches)."""
        columns = shutil.get_terminal_size().columns
        widths = [max(_columns(str(cell)) for cell in column) for column in zip(head, *rows, strict=True)]
        return columns if self.fancy and sum(widths) + 2 * (len(widths) - 1) > columns else 0

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]], below: Sequence[str] = ()) -> None:
        """Columns under plain headings, no boxes: readable by a person, a screen reader and `cut` alike.

        `below`: for a narrow window, a line to print under each row, set in by 6 at most. In a window that is too
        narrow cells are broken between words, and where that does not do, each row is a list of its cells.
        """
        if self.quiet:
            return
        body = [[number(cell) if type(cell) is int else str(cell) for cell in row] for row in rows]
        widths: list[int] | None = [max(map(_columns, column)) for column in zip(head, *body, strict=True)]
        if columns := self.too_wide(head, body):
            widths = _narrowed(head, body, columns)
        if widths is None:
            self._listed(head, body, below)
            return
        right = [any(column) and all(cell.replace(",", "").isdigit() for cell in column if cell)
                 for column in zip(*body, strict=True)] or [False] * len(head)  # fmt: skip
        for index, row in enumerate([list(head), *body]):
            broken = [folded(cell, width).split("\n") for cell, width in zip(row, widths, strict=True)]
            for part in zip_longest(*broken, fillvalue=""):
                cells = []
                for cell, width, to_right in zip(part, widths, right, strict=True):
                    gap = " " * (width - _columns(cell))
                    cells.append(gap + cell if to_right else cell + gap)
                line = "  ".join(cells).rstrip()
                click.echo(self.style(line, dim=True) if index == 0 else line)
            if index and below and below[index - 1]:
                click.echo(self.folded(f"{' ' * min(widths[0] + 2, 6)}{below[index - 1]}".rstrip()))

    def _listed(self, head: Sequence[str], body: Sequence[Sequence[str]], below: Sequence[str]) -> None:
        """The rows of a table one below the other: the first cell, and under it what the others say."""
        for index, (first, *rest) in enumerate(body):
            click.echo(self.folded(self.style(first, bold=True)))
            self.facts([(name, cell) for name, cell in zip(head[1:], rest, strict=True) if cell.strip()])
            if below and below[index]:
                click.echo(self.folded(f"  {below[index]}"))

    def problems(self, problems: Iterable[Problem], *, err: bool = False) -> None:
        """Every problem the way a good compiler says it; with --quiet all but the notes."""
        for problem in problems:
            if self.quiet and problem.severity is Severity.NOTE:
                continue
            click.echo(self.problem(problem, err=err), err=err)

    def problem(self, problem: Problem, *, err: bool = False) -> str:
        """The lines of one problem: what, code, place, the source line with a caret, what to do."""
        sign, colour = SIGNS[problem.severity]
        fancy = self._fancy(sys.stderr if err else sys.stdout)
        bar = self.style("│ ", err=err, dim=True) if fancy else "  "
        corner = self.style("╭─ ", err=err, dim=True) if fancy else "  "
        word = self.style(f"{sign} {WORDS[problem.severity]}", err=err, fg=colour, bold=True)
        message = visible(problem.message)
        columns = shutil.get_terminal_size().columns if fancy else 0
        room = columns - _columns(f"{sign} {WORDS[problem.severity]}  {message}[{problem.code}]")
        gap = " " * max(2, min(76 - _columns(message), room))  # the code never runs over the edge of a narrow window
        first = f"{word}  {message}{gap}{self.style(f'[{problem.code}]', err=err, dim=True)}"
        lines = [folded(first, columns, 2) if fancy else first]
        hint, where = visible(problem.hint), problem.where
        if where:
            lines.append(f"  {corner}{self.style(str(where), err=err, fg='cyan')}")
        if where and where.source and where.line:
            width = max(20, min(WIDTH, columns - 12)) if fancy else WIDTH
            source, start, end = _window(where.source, where.column or 1, where.end_column, width)
            gutter = f"{where.line:>4}"
            lines.append(f"  {bar}{self.style(gutter, err=err, dim=True)}  {source}")
            if where.column:
                pad = " " * (len(gutter) + 2 + _columns(source[:start]))
                caret = self.style("^" * max(1, _columns(source[start:end])), err=err, fg=colour)
                beside = not fancy or _columns(f"    {pad}{source[start:end]} {hint}") <= columns
                lines.append(f"  {bar}{pad}{caret} {hint if beside else ''}".rstrip())
                hint = "" if beside else hint
        for line in textwrap.wrap(hint, max(20, columns - 5), break_long_words=False) if fancy else [hint] * bool(hint):
            lines.append(f"  {bar if where else '  '}{line}")
        return "\n".join(lines)


def visible(text: str) -> str:
    """Text that a terminal can be trusted with: tabs as a space, control characters as ␀ (an escape sequence in
    a subject or file name must not move the cursor or change a title)."""
    return "".join(" " if letter == "\t" else letter if letter.isprintable() else "␀" for letter in text)


def folded(text: str, columns: int, hang: int | None = None) -> str:
    """Each line of `text` broken at the wide gaps in it, else between words, where it is longer than `columns`.

    What follows a break stands `hang` blanks in, by default as far as the line itself. Words are never broken.
    """
    lines = []
    for line in text.split("\n"):
        if _columns(line) <= columns:
            lines.append(line)
            continue
        lead = len(line) - len(line.lstrip(" "))
        indent = " " * (lead if hang is None else hang)
        current = " " * lead
        gap = ""
        for part in re.split(r"( {3,})", line.strip(" ")):
            if part.isspace():
                gap = part
                continue
            if current.strip() and _columns(current + gap + part) > columns >= _columns(indent + part):
                lines.append(current)
                current, gap = indent, ""
            for number, word in enumerate(part.split(" ")):
                between = gap if not number else " "
                if current.strip() and _columns(current + between + word) > columns:
                    lines.append(current)
                    current, between = indent, ""
                current += between + word
        lines.append(current)
    return "\n".join(lines)


def _narrowed(head: Sequence[str], body: Sequence[Sequence[str]], columns: int) -> list[int] | None:
    """Widths for the columns of a table in a window: the widest give way, down to 16 or to their longest word. None
    where that is not enough."""
    cells = [list(column) for column in zip(head, *body, strict=True)]
    widths = [max(map(_columns, column)) for column in cells]
    least = [
        max(min(16, width), *(len(cell) - len(cell.lstrip(" ")) + _longest(cell) for cell in column))
        for column, width in zip(cells, widths, strict=True)
    ]
    while sum(widths) + 2 * (len(widths) - 1) > columns:
        wide = [place for place, width in enumerate(widths) if width > least[place]]
        if not wide:
            return None
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _longest(text: str) -> int:
    return max(map(_columns, text.split(" ")))


def _window(source: str, column: int, end_column: int | None, width: int = WIDTH) -> tuple[str, int, int]:
    """The part of a source line around a column, and where the marked letters begin and end in it."""
    text = visible(source)
    start = min(max(column - 1, 0), len(text))
    end = min(max(end_column - 1 if end_column else column, start + 1), start + width * 3 // 5)
    cut = start - width // 2 if len(text) > width and start > width * 2 // 3 else 0
    end = min(end, cut + width)
    shown = ("…" if cut else "") + text[cut : cut + width] + ("…" if len(text) > cut + width else "")
    shift = cut - bool(cut)
    return shown, start - shift, end - shift


def _columns(text: str) -> int:
    """How many columns a terminal gives to `text`: wide letters two, combining marks and colours none (UAX #11)."""
    text = _COLOUR.sub("", text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def print_json(problems: Iterable[Problem] = (), **more: Any) -> None:
    """The one object of every --json: {"ok", "problems", …}. Nothing else goes to standard output."""
    found = list(problems)
    ok = not any(problem.severity is Severity.ERROR for problem in found)
    value = {"ok": ok, "problems": [problem.as_json() for problem in found], **more}
    letters = "utf" not in (sys.stdout.encoding or "utf-8").lower()
    click.echo(json.dumps(value, ensure_ascii=letters, indent=2, default=str))


def asked(option: str) -> bool:
    """True when the command line holds this option (needed where no command has run yet)."""
    words = sys.argv[1:]
    return option in (words[: words.index("--")] if "--" in words else words)


def report_error(error: NewsletterError) -> None:
    """The last words of a command that could not go on, on standard error, or as JSON where --json was asked."""
    if asked("--json"):
        print_json(error.problems)
    else:
        Output(Path(), plain=asked("--plain")).problems(error.problems, err=True)


def report_bug(error: Exception) -> None:
    """Our fault: a short apology and a file with the details, never a traceback on the screen."""
    from newsletter.cli.bug import write_report

    path = write_report(error)
    message = f"Sorry, that is a bug in newsletter: {type(error).__name__}"
    hint = f"The details are in {path} (without addresses); `newsletter --debug …` shows them here."
    report_error(NewsletterError(Problem("our-bug", message, hint=hint)))
