"""`newsletter new` starts an issue that is ready to be written; `newsletter list` says how far each one is."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from newsletter.content import starting
from newsletter.content.reading import read
from tests.workspace import Workspace

OLD = """\
---
subject: The autumn letter
title: The autumn letter, on the web
preheader: Old words
from: council
audience:
  - monthly
# about the number
number: 11
vars: {venue: The Mill}
send_at: 2026-09-01
allow:
  - code: dead-link
    why: then
language: cy
---

# The autumn letter

Meet us at {{ venue }}. ![A tree](images/tree.png)

## More

::reply[Answer]
"""


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Meet your officers", "2026-12-08-meet-your-officers"),
        ("Is it you? #1 worry!", "2026-12-08-is-it-you-1-worry"),
        ("Don't wait: Ŵythnos Ddiogelwch", "2026-12-08-dont-wait-wythnos-ddiogelwch"),
        ("../../etc/passwd", "2026-12-08-etc-passwd"),
        ("سلام", "2026-12-08-issue"),
        ("word " * 40, "2026-12-08" + "-word" * 12),
    ],
)
def test_the_folder_is_named_after_date_and_title(title: str, slug: str) -> None:
    assert starting.slug(title, date(2026, 12, 8)) == slug


def test_new_writes_an_issue_that_is_ready_and_names_the_next_command(folder: Workspace) -> None:
    ran = folder.run("new", "Reply by 5pm: what to do", "--date", "2026-12-08")
    assert ran.exit == 0, ran.err
    path = folder.root / "issues" / "2026-12-08-reply-by-5pm-what-to-do"
    issue = read(path, folder.config)
    assert not issue.problems
    assert issue.front.subject == "Reply by 5pm: what to do"
    assert (issue.front.sender, issue.front.audience) == ("council", ("all-residents",))
    assert (path / "images").is_dir()
    assert f"newsletter preview {path.name}" in ran.out


def test_new_takes_today_when_no_date_is_given(folder: Workspace) -> None:
    ran = folder.run("new", "Today", "--json")
    slug = json.loads(ran.out)["slug"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-today", slug)
    assert Path(json.loads(ran.out)["file"]).is_file()


def test_new_never_writes_over_an_issue(folder: Workspace) -> None:
    path = folder.write("issues/2026-12-08-meet/issue.md", "mine")
    ran = folder.run("new", "Meet", "--date", "2026-12-08")
    assert ran.exit == 4
    assert "issue-exists" in ran.err
    assert path.read_text() == "mine"
    assert [item.name for item in path.parent.parent.iterdir()] == ["2026-12-08-meet"]


@pytest.mark.parametrize("before", ["last", "2026-09-01-autumn", "autumn"])
def test_new_begins_with_an_earlier_issue(folder: Workspace, before: str) -> None:
    folder.write("issues/2026-08-01-summer/issue.md", "")
    folder.write("issues/2026-09-01-autumn/issue.md", OLD)
    folder.write("issues/2026-09-01-autumn/issue.cy.md", OLD)
    folder.write("issues/2026-09-01-autumn/images/tree.png", b"\x89PNG")
    ran = folder.run("new", "The *winter* letter", "--from", before, "--date", "2026-12-01")
    assert ran.exit == 0, ran.err
    path = folder.root / "issues" / "2026-12-01-the-winter-letter"
    assert (
        (path / "issue.md").read_text()
        == """\
---
subject: The *winter* letter
preheader:
from: council
audience:
  - monthly
vars: {venue: The Mill}
language: cy
---

# The \\*winter\\* letter

Meet us at {{ venue }}. ![A tree](images/tree.png)

## More

::reply[Answer]
"""
    )
    assert (path / "images" / "tree.png").read_bytes() == b"\x89PNG"
    assert not (path / "issue.cy.md").exists()
    assert not [item for item in path.parent.iterdir() if item.name.startswith(".")]


def test_new_does_not_begin_with_what_is_no_issue(folder: Workspace) -> None:
    folder.write("issues/2026-09-01-notes/issue.md", "Just notes.")
    ran = folder.run("new", "A", "--from", "notes", "--date", "2026-12-01")
    assert (ran.exit, "no-front-matter" in ran.err) == (1, True)
    assert [path.name for path in (folder.root / "issues").iterdir()] == ["2026-09-01-notes"]


def test_a_folder_left_by_a_killed_new_is_no_issue(folder: Workspace) -> None:
    folder.write("issues/.new-x1/issue.md", OLD)
    assert "There is no issue yet" in folder.run("list").out


def test_new_takes_a_theme(folder: Workspace) -> None:
    folder.write("templates/poster/theme.toml", "")
    folder.write("issues/2026-09-01-autumn/issue.md", OLD.replace("language", "template: letter\nlanguage"))
    assert folder.run("new", "A", "--theme", "poster", "--date", "2026-12-01").exit == 0
    assert folder.run("new", "B", "--theme", "poster", "--from", "autumn", "--date", "2026-12-01").exit == 0
    for slug in ("2026-12-01-a", "2026-12-01-b"):
        assert "template: poster\n" in (folder.root / "issues" / slug / "issue.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "ends"),
    [
        (["A", "--theme", "postr"], "unknown-theme", 2),
        (["A", "--date", "tomorrow"], "bad-date", 2),
        (["A", "--from", "last"], "no-issue", 2),
        (["A", "--from", "spring"], "no-issue", 2),
        ([" "], "bad-title", 2),
        (["A\x1b[31m"], "bad-title", 2),
    ],
)
def test_new_says_what_it_cannot_do_and_makes_nothing(
    folder: Workspace, arguments: list[str], code: str, ends: int
) -> None:
    ran = folder.run("new", *arguments)
    assert (ran.exit, code in ran.err) == (ends, True), ran.err
    assert not list(folder.root.glob("issues/*"))


def test_new_in_a_folder_that_cannot_be_written_leaves_nothing(folder: Workspace) -> None:
    folder.write("issues", "a file where the folder should be")
    ran = folder.run("new", "A", "--date", "2026-12-08")
    assert ran.exit == 3
    assert "cannot-write" in ran.err
    assert (folder.root / "issues").read_text() == "a file where the folder should be"


def test_list_shows_every_issue_newest_first_without_a_database(folder: Workspace) -> None:
    folder.write("issues/2026-09-01-autumn/issue.md", OLD)
    folder.write("issues/2026-12-01-winter/issue.md", "---\nsubject: Winter: a letter\n---\n")
    folder.write("issues/2026-12-01-winter/issue.cy.md", "")
    ran = folder.run("list")
    assert ran.exit == 0, ran.err
    rows = [re.split(r"\s{2,}", line) for line in ran.out.splitlines()]
    assert [row[0] for row in rows] == ["DATE", "2026-12-01", "2026-09-01"]
    assert "Winter: a letter" in ran.out and "The autumn letter, on the web" in ran.out
    assert not (folder.root / "var" / "newsletter.db").exists()
    found = json.loads(folder.run("list", "--json").out)
    assert found["issues"][0] == {
        "slug": "2026-12-01-winter",
        "title": "Winter: a letter",
        "date": "2026-12-01",
        "state": "draft",
        "people": 0,
        "languages": ["", "cy"],
    }


def test_list_takes_the_state_from_the_ledger(workspace: Workspace) -> None:
    from newsletter.sending.models import Mailing

    for day, state in enumerate([Mailing.State.SENDING, Mailing.State.FINISHED], 1):
        slug = f"2026-12-0{day}-letter"
        workspace.write(f"issues/{slug}/issue.md", OLD)
        Mailing.objects.create(slug=slug, state=state, rendered={}, checksum="", audience=[], settings={},
                               public_id=bytes([day] * 9), frozen=17_742)  # fmt: skip
    workspace.write("issues/2026-12-03-letter/issue.md", OLD)
    found = json.loads(workspace.run("list", "--json").out)["issues"]
    assert [(row["state"], row["people"]) for row in found] == [("draft", 0), ("sent", 17_742), ("sending", 17_742)]
    assert "17,742" in workspace.run("list").out


def test_list_still_lists_when_an_issue_or_the_database_cannot_be_read(folder: Workspace) -> None:
    folder.write("issues/2026-09-01-autumn/issue.md", OLD)
    folder.write("issues/2026-12-01-winter/issue.md", b"\x00")
    folder.write("var/newsletter.db", b"this is no database" * 100)
    ran = folder.run("list", "--json")
    assert ran.exit == 0, ran.err
    found = json.loads(ran.out)
    assert found["ok"]
    assert {problem["code"] for problem in found["problems"]} == {"database-damaged", "binary-file"}
    assert [(row["title"], row["state"]) for row in found["issues"]] == [
        ("", "unknown"),
        ("The autumn letter, on the web", "unknown"),
    ]


def test_list_of_nothing_says_how_to_start(folder: Workspace) -> None:
    assert 'newsletter new "Your title"' in folder.run("list").out
