"""Blocks for some people are held against the people that there are."""

from __future__ import annotations

import pytest

from newsletter.audience import blocks
from newsletter.content import reading
from newsletter.content.model import Issue
from newsletter.problems import Problem, Severity
from tests.workspace import Workspace

FRONT = "---\nsubject: News\nfrom: council\naudience: [all-residents]\n---\n\n# News\n\n"
NORTH, SOUTH = {"attributes": {"ward": "Stafford North", "tags": ["watch"]}}, {"attributes": {"ward": "Südstadt"}}


@pytest.fixture
def people(workspace: Workspace) -> Workspace:
    """Two in the north, one of them on the monthly list too; one in the south; one of whom we know nothing."""
    workspace.people("a@example.org", lists=("all-residents", "monthly"), **NORTH)
    workspace.people("b@example.org", first_name="Beth", **NORTH)
    workspace.people("c@example.org", **SOUTH)
    workspace.people("d@example.org")
    workspace.people("e@example.org", lists=("monthly",), attributes={"ward": "Elsewhere"})
    return workspace


def issue(workspace: Workspace, body: str) -> Issue:
    path = workspace.write("issues/2026-11-24-news/issue.md", FRONT + body)
    return reading.read(path.parent, workspace.config)


def found(workspace: Workspace, body: str, *lists: str) -> list[Problem]:
    return blocks.check(workspace.config, lists or ("all-residents",), issue(workspace, body))


def codes(workspace: Workspace, body: str, *lists: str) -> list[str]:
    return [problem.code for problem in found(workspace, body, *lists)]


@pytest.mark.parametrize(
    "asked",
    [
        "only{ward='Stafford North'}",
        "only{ward=' stafford NORTH , Südstadt'}",
        "except{ward=südstadt}",
        "only{tag=watch}",
        "except{tag=watch}",
        "only{first_name=Beth}",
        "only{ward='Stafford North' tag=watch}",
    ],
)
def test_a_block_for_some_is_nothing_to_speak_of(people: Workspace, asked: str) -> None:
    assert codes(people, f":::{asked}\nWords.\n:::\n") == []


def test_a_block_for_nobody_says_so_at_its_line(people: Workspace) -> None:
    [problem] = found(people, ":::only{ward=Elsewhere}\nWords.\n:::\n")
    assert (problem.code, problem.severity, problem.affected) == ("block-for-nobody", Severity.WARNING, 0)
    assert problem.message == "This block is shown to nobody of 4 people"
    assert problem.where and (problem.where.line, problem.where.column) == (9, 1)
    assert codes(people, ":::only{ward=Elsewhere}\nWords.\n:::\n", "all-residents", "monthly") == []


def test_a_block_for_everybody_says_how_many_they_are(people: Workspace) -> None:
    [problem] = found(people, ":::only{list=all-residents}\nWords.\n:::\n")
    assert (problem.code, problem.affected) == ("block-for-everybody", 4)
    assert codes(people, ":::except{list=monthly}\nWords.\n:::\n") == ["block-for-everybody"], "chosen through one list"
    assert codes(people, ":::except{list=monthly}\nWords.\n:::\n", "all-residents", "monthly") == []


def test_of_near_spellings_the_one_that_most_people_have_is_offered(people: Workspace) -> None:
    people.people("slip@example.org", attributes={"ward": "Staford Norht"})
    [problem] = found(people, ':::only{ward="Staford North"}\nWords.\n:::\n')
    assert problem.hint == "did you mean Stafford North?", "two people have it, the slip only one"


def test_a_value_that_nobody_has_is_named_with_the_nearest_that_somebody_has(people: Workspace) -> None:
    [problem] = found(people, ':::only{ward="Staford North"}\nWords.\n:::\n')
    assert (problem.code, problem.hint) == ("unknown-value", "did you mean Stafford North?")
    assert problem.where and problem.where.source[problem.where.column - 1 :].startswith("Staford")  # type: ignore[operator]
    assert (
        codes(people, ":::only{tag=choir}\nWords.\n:::\n\n:::only{area=Stone}\nWords.\n:::\n") == ["unknown-value"] * 2
    )


def test_a_block_within_a_block_is_held_against_the_people_of_the_outer_one(people: Workspace) -> None:
    inner = "::::only{ward='Stafford North'}\nOuter.\n\n:::only{%s}\nInner.\n:::\n::::\n"
    assert codes(people, inner % "tag=watch") == ["block-for-everybody"]
    assert codes(people, inner % "ward=Südstadt") == ["block-for-nobody"]
    assert codes(people, inner % "first_name=Beth") == []


def test_many_versions_are_counted_by_the_people_who_would_get_them(workspace: Workspace) -> None:
    for number in range(70):
        workspace.people(f"p{number}@example.org", attributes={"ward": f"W{number}"})
    body = "\n".join(f":::only{{ward=W{number}}}\nWords.\n:::\n" for number in range(66))
    [problem] = found(workspace, body)
    assert (problem.code, problem.message) == ("many-versions", "70 people get 67 different versions")
    assert codes(workspace, ":::only{ward=W1}\nWords.\n:::\n") == []


def test_check_tells_it_and_a_waiver_lets_it_through(people: Workspace) -> None:
    body = ":::only{ward=Elsewhere}\nWords.\n:::\n"
    issue(people, body)
    assert "shown to nobody of 4 people" in (told := people.run("check")).out and "for 4 people" in told.out
    waived = FRONT.replace("---\n\n", "allow: [{code: block-for-nobody, why: they join next week}]\n---\n\n") + body
    people.write("issues/2026-11-24-news/issue.md", waived)
    assert "Let through by `allow`: they join next week" in people.run("check").out


def test_without_people_check_says_so_in_words(workspace: Workspace) -> None:
    issue(workspace, ":::only{ward=Elsewhere}\nWords.\n:::\n")
    assert "nobody has been imported yet" in workspace.run("check").out
