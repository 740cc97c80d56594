"""What all parts of the reading share: the configuration, the fields found, and everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from newsletter.config import Config
from newsletter.content.fields import Fields
from newsletter.content.model import LinkedFile
from newsletter.content.source import Source
from newsletter.problems import Problem, Severity, Where


@dataclass
class Context:
    """Collects while one issue is read; nothing of it outlives the reading."""

    config: Config
    folder: Path  # the issue's
    fields: Fields
    problems: list[Problem]
    files: dict[str, LinkedFile] = field(default_factory=dict)  # by href
    references: MutableMapping[str, Any] = field(
        default_factory=dict
    )  # markdown-it's env: [name]: https://… of all runs
    including: tuple[Path, ...] = ()  # the files being read, the issue first
    included: int = 0  # how many files have been put in place

    @property
    def constants(self) -> Mapping[str, str]:
        """The issue's own `vars`."""
        return self.fields.constants

    def problem(self, code: str, message: str, hint: str, where: Where, severity: Severity = Severity.ERROR) -> None:
        self.problems.append(Problem(code, message, hint, where, severity))

    def at(self, source: Source, line: int, needle: str = "", last: int = 0) -> Where:
        """The place of `needle` in lines `line` to `last`, as written; without a find, the first line."""
        if needle:
            for number in range(line, max(line, last) + 1):
                text = source.lines[number - 1] if number <= len(source.lines) else ""
                start = text.find(needle)
                if start >= 0:
                    return source.where(number, start + 1, start + 1 + len(needle))
        return source.where(line)
