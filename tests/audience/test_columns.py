"""What the first row of a table is taken for: columns that may say who agreed, and titles above the headings."""

from __future__ import annotations

from tests.audience.test_importing_bad_input import plan_of, refusal
from tests.workspace import Workspace


def test_a_column_that_may_say_who_agreed_is_warned_of(workspace: Workspace) -> None:
    [problem] = plan_of(workspace, "email,Opted in?\nsam@example.org,yes\nann@example.org,no\n").problems
    assert problem.code == "undeclared-column" and "Everybody in this file is imported" in problem.hint


def test_a_title_above_the_headings_is_told_from_a_missing_column(workspace: Workspace) -> None:
    assert "must stand in the first row" in refusal(workspace, "Our list,,\n,,\nemail,name,\na@example.org,A,\n")[2]
