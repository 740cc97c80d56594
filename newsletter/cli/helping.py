"""How `--help` looks: it fits its window, and nothing in it is cut."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import click

from newsletter.cli.output import folded


class Help(click.HelpFormatter):
    """Help that fits its window: click itself never goes below 50 columns, and leaves examples as they were written."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width, max_width)
        if width is None:
            self.width = min(self.width, max(20, shutil.get_terminal_size().columns - 2))

    def write(self, string: str) -> None:
        """A line that is still too long, such as an example, is broken: first before the words that explain it."""
        super().write(folded(string, self.width, self.current_indent + 6))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = [(one if len(one) + 4 <= self.width else one.replace("|", " | "), words) for one, words in rows]
        super().write_dl(rows, min(col_max, max(12, self.width // 2 - 4)), col_spacing)


class Group(click.Group):
    """A group that lists its commands with their whole first sentence; click cuts it where the line ends."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(1_000)) for name, one in commands if one])
