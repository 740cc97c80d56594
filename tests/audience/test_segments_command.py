"""`newsletter recipients segments` and `count --audience`, as somebody in communications uses them."""

from __future__ import annotations

import json

import pytest

from tests.workspace import Workspace

NORTH = ("recipients", "segments", "add", "north", "--title", "The north", "--include", "list=all-residents")


@pytest.fixture
def town(workspace: Workspace) -> Workspace:
    workspace.ready()
    workspace.people("a@example.org", "b@example.org", attributes={"ward": "North"})
    workspace.people(
        "c@example.org", lists=("all-residents", "monthly"), attributes={"ward": "North", "tags": ["staff"]}
    )
    workspace.people("d@example.org", attributes={"ward": "South"})
    workspace.people("e@example.org", lists=(), attributes={"ward": "North"})
    return workspace


def test_a_segment_is_kept_and_says_whom_it_chooses(town: Workspace) -> None:
    ran = town.run(*NORTH, "--must", "ward=north", "--exclude", "tag=staff")
    assert ran.exit == 0, ran.err
    for words in ("gets ‘All residents’", "has Ward as ‘north’", "has the tag ‘staff’", "2 people would get"):
        assert words in ran.out
    ran = town.run("recipients", "segments", "list")
    assert "north" in ran.out and "The north" in ran.out and "2" in ran.out


def test_the_number_is_explained_line_by_line(town: Workspace) -> None:
    town.run(*NORTH, "--must", "ward=North")
    ran = town.run("recipients", "count", "--audience", "north,monthly", "--explain")
    assert [line.split() for line in ran.out.splitlines() if line.strip()][:4] == [
        ["The", "north", "3"],
        ["+", "The", "monthly", "letter", "1"],
        ["−", "on", "more", "than", "one", "list", "1"],
        ["=", "will", "get", "it", "3"],
    ]
    said = json.loads(town.run("recipients", "count", "--segment", "north", "--json").out)
    assert (said["will_get"], said["problems"][0]["code"]) == (3, "few-people")
    assert said["entries"] - sum(said["left_out"].values()) == said["will_get"]


def test_a_part_that_is_named_replaces_the_old_one(town: Workspace) -> None:
    town.run(*NORTH, "--must", "ward=North")
    ran = town.run("recipients", "segments", "edit", "north", "--must", "ward=South")
    assert ran.exit == 0 and "‘South’" in ran.out and "‘North’" not in ran.out and "1 person would get" in ran.out
    shown = json.loads(town.run("recipients", "segments", "show", "north", "--json").out)
    assert shown["title"] == "The north"
    assert shown["definition"] == {"include": [{"list": "all-residents"}], "must": [{"field": "ward", "is": ["South"]}]}


def test_a_file_says_the_same(town: Workspace) -> None:
    path = town.write("north.toml", 'title = "From a file"\n[[include]]\nlist = "all-residents"\n')
    ran = town.run("recipients", "segments", "add", "north", "--file", str(path))
    assert ran.exit == 0 and "From a file" in ran.out and "4 people" in ran.out


def test_what_is_wrong_is_said_and_nothing_is_kept(town: Workspace) -> None:
    ran = town.run("recipients", "segments", "add", "north", "--include", "list=all-residnets")
    assert (
        ran.exit != 0 and "include[1]: there is no list called" in ran.err and "did you mean all-residents?" in ran.err
    )
    assert town.run("recipients", "segments", "add", "north").exit == 2
    assert "segment-exists" in town.run("recipients", "segments", "add", "monthly", "--must", "tag=x").err
    assert json.loads(town.run("recipients", "segments", "list", "--json").out)["segments"] == []


def test_removing_one_leaves_the_people_as_they_are(town: Workspace) -> None:
    town.run(*NORTH)
    town.run("recipients", "segments", "add", "other", "--must", "segment=north")
    assert "used by other" in town.run("recipients", "segments", "remove", "north").err
    assert town.run("recipients", "segments", "remove", "other").exit == 0
    assert town.run("recipients", "segments", "remove", "north").exit == 0
    assert town.run("recipients", "segments", "count", "north").exit != 0
    assert json.loads(town.run("recipients", "count", "--json").out)["will_get"] == 4


def test_a_value_that_nobody_has_is_said_with_the_spelling_that_most_people_have(town: Workspace) -> None:
    town.people("f@example.org", attributes={"ward": "Northe"})  # a slip in one row of an import
    ran = town.run(*NORTH, "--must", "ward=Nort", "--exclude", "tag=stafff")
    assert ran.exit == 0, "it may be right tomorrow"
    assert "No person has ‘Nort’ as their ward" in ran.out and "did you mean North?" in ran.out
    assert "No person has ‘stafff’ as their tag" in ran.out and "did you mean staff?" in ran.out
    said = json.loads(town.run("recipients", "segments", "show", "north", "--json").out)
    assert [one["code"] for one in said["problems"]] == ["unknown-value", "unknown-value"]
    assert "unknown-value" not in town.run(*NORTH[:3], "right", "--must", "ward= north ", "--must", "ward!=South").out


def test_a_segment_of_nobody_says_so_when_it_is_counted(town: Workspace) -> None:
    town.run(*NORTH, "--must", "ward=Nort")
    ran = town.run("recipients", "count", "--segment", "north", "--explain")
    assert "Nobody would get this" in ran.out and "[few-people]" in ran.out
