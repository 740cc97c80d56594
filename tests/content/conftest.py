"""What the tests of content share: an issue written on the spot and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.content.model import Issue
from newsletter.content.reading import read
from newsletter.problems import Problem
from tests.workspace import Workspace

FRONT = """\
---
subject: Meet your officers
from: council
audience: [all-residents]
---
"""
FIRST = FRONT.count("\n") + 1  # the line on which the message begins

Written = Callable[..., Issue]


@pytest.fixture
def issue_folder(folder: Workspace) -> Path:
    path = folder.root / "issues" / "2026-12-08-officers"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def written(folder: Workspace, issue_folder: Path) -> Written:
    """`written("body")` is the issue read; `front=` replaces the front matter, `language=` names a translation."""

    def write(body: str, front: str = FRONT, language: str = "") -> Issue:
        name = f"issue.{language}.md" if language else "issue.md"
        (issue_folder / name).write_text(front + body, encoding="utf-8", newline="")
        return read(issue_folder, folder.config, language)

    return write


@pytest.fixture
def front(written: Written) -> Callable[..., Issue]:
    """`front("subject: …")` is an issue whose front matter has these lines beside `from` and `audience`."""

    def write(lines: str, body: str = "Hello.") -> Issue:
        return written(body, f"---\n{lines}\nfrom: council\naudience: [all-residents]\n---\n")

    return write


def said(problem: Problem) -> tuple[str, int | None, int | None]:
    """Code, line and column: what a test of a Problem is about."""
    where = problem.where
    return (problem.code, where.line if where else None, where.column if where else None)


def marked(problem: Problem) -> str:
    """The letters above the caret."""
    where = problem.where
    assert where and where.column and where.end_column
    return where.source[where.column - 1 : where.end_column - 1]
