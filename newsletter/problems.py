"""One shape for everything that a person can put right: what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Exit(IntEnum):
    """What the command says to the shell when it ends (docs/reference/exit-codes.md)."""

    FINE = 0
    PROBLEMS = 1
    USAGE = 2
    CONFIG = 3
    REFUSED = 4
    FAILURES = 5
    BUG = 70
    TRY_AGAIN = 75
    INTERRUPTED = 130


@dataclass(frozen=True)
class Where:
    """A place in a file. `line` and `column` count from 1; `end_column` is one past the last letter."""

    file: str
    line: int | None = None
    column: int | None = None
    end_column: int | None = None
    source: str = ""  # the text of that line, so that a caret can be drawn without reading again

    def __str__(self) -> str:
        parts = [self.file, self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)


@dataclass(frozen=True)
class Problem:
    """Something a person can put right. `code` is stable and has an entry in `newsletter/explain/`."""

    code: str
    message: str
    hint: str = ""
    where: Where | None = None
    severity: Severity = Severity.ERROR
    affected: int | None = None  # how many people meet it, where that is known

    def as_json(self) -> dict[str, Any]:
        """The object of docs/reference/formats.md; absent places are null."""
        where = self.where
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "hint": self.hint,
            "file": where.file if where else None,
            "line": where.line if where else None,
            "column": where.column if where else None,
            "end_column": where.end_column if where else None,
            "affected": self.affected,
        }


class NewsletterError(Exception):
    """Raised when work cannot go on and a person can put it right; carries every Problem found."""

    def __init__(self, *problems: Problem, exit: Exit = Exit.PROBLEMS) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems
        self.exit = exit


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean callout?` for the nearest known word, letter case aside; the empty string when none is near."""
    spelled = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.6)
    return f"did you mean {spelled[near[0]]}?" if near else ""


def worst_first(problems: Iterable[Problem]) -> list[Problem]:
    """Each Problem once, what must be fixed first; otherwise in the order in which they came."""
    order = list(Severity)
    return sorted(dict.fromkeys(problems), key=lambda problem: order.index(problem.severity))


def has_errors(problems: Iterable[Problem]) -> bool:
    """True when at least one Problem must be fixed before going on."""
    return any(problem.severity is Severity.ERROR for problem in problems)
