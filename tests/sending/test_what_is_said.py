"""What a person is told around a sending: of a draft, an interruption, who approved; and that it fits the window."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.cli.output import Output
from newsletter.sending import logbook, tally
from newsletter.sending.models import Mailing
from newsletter.sending.progress import Ended, How
from tests.sending.test_commands import ISSUE, SLUG, caught
from tests.workspace import Workspace


@pytest.fixture
def issue(workspace: Workspace) -> Path:
    workspace.people("sam@home.example", "kim@home.example", first_name="Sam", attributes={"ward": "Stone"})
    workspace.people("jo@home.example", lists=("monthly",))
    return workspace.write(f"issues/{SLUG}/issue.md", ISSUE)


def test_who_was_imported_with_a_whole_name_is_greeted_by_the_first(workspace: Workspace) -> None:
    people = 'email,Name\nameera@home.example,Ameera Khan\nbeth@home.example,"Hill, Beth"\njo@home.example,Acme Ltd\n'
    workspace.write("recipients/people.csv", people)
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE.replace("{{ first_name }}", '{{ first_name or "neighbour" }}'))
    words = (
        "recipients",
        "import",
        "recipients/people.csv",
        "--list",
        "all-residents",
        "--consent",
        "Ticked: send me messages, form of 2026",
    )
    assert workspace.run(*words, "--yes").exit == 0
    assert workspace.run("send", "--yes", "--expect", "3").exit == 0
    texts = [mail.get_body(("plain",)).get_content() for mail in caught(workspace)]  # type: ignore[union-attr]
    assert ["Hello Ameera," in texts[0], "Hello Beth," in texts[1], "Hello neighbour," in texts[2]] == [True] * 3


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_draft_is_said_to_be_one_and_what_comes_next(workspace: Workspace, issue: Path, command: str) -> None:
    for words in ((), (SLUG,), ("worry",)):
        ran = workspace.run(command, *words)
        assert ran.exit == 0 and not ran.err
        assert f"{SLUG}  Draft\n  It has not been approved, and nothing of it has been sent." in ran.out
        assert f"newsletter check {SLUG}" in ran.out and f"newsletter send {SLUG}" in ran.out
    said = json.loads(workspace.run(command, "--json").out)
    assert (said["ok"], said["issue"], said["state"], said["frozen"]) == (True, SLUG, "draft", 0)
    assert said["accepted"] == said["pending"] == 0 and said["next"] == f"newsletter send {SLUG}"
    assert workspace.run(command, "no-such-issue").exit == 2
    assert not Mailing.objects.exists()


def test_a_draft_that_needs_a_second_person_says_so(workspace: Workspace, issue: Path) -> None:
    workspace.toml("[sending]\napprovals = 1\n")
    assert f"newsletter approve {SLUG}" in workspace.run("status").out
    assert workspace.run("approve", "--yes").exit == 0
    out = workspace.run("status").out
    assert "who said yes; a later change asks anew" in out and "newsletter approve" not in out
    assert f"newsletter send {SLUG}" in out


def test_what_only_a_sent_issue_can_do_still_refuses_a_draft(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("pause")
    assert ran.exit == 2 and "has not been sent" in ran.err


def test_who_approved_stays_in_the_status_whatever_happened_since(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("send", "--yes", "--expect", "3").exit == 0
    for words in (("note", "It rained."), ("withdraw", "--why", "wrong map"), ("restore",), ("note", "It is dry.")):
        command, *rest = words
        assert workspace.run("archive", command, SLUG, *rest).exit == 0
    lines = workspace.run("status").out.splitlines()
    log = [line for line in lines if " by " in line]
    assert f"Approved by {logbook.user()}, 3 people" in log[0] and "Page noted" in log[-1]
    assert len(log) == 6, "the approval, and the last five"


def test_ctrl_c_at_the_question_says_that_nothing_was_sent(workspace: Workspace, issue: Path) -> None:
    """A real terminal and a real Ctrl-C."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "newsletter", "-C", str(workspace.root), "send"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    while b"to send:" not in said:
        said += os.read(ours, 1000)
    while b"Interrupted: nothing was sent." not in said:
        if select.select([ours], [], [], 0.5)[0]:
            said += os.read(ours, 1000)
        else:  # again, as a person would: one between the question and the wait for its answer may be lost
            process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    os.close(ours)
    assert not Mailing.objects.exists()


def test_ctrl_c_before_the_first_mail_says_that_nothing_was_sent(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(config: object, mailing: Mailing, *_: object, **__: object) -> Ended:
        return Ended(How.INTERRUPTED, tally.counts(mailing.pk), 0, 0.3)

    with monkeypatch.context() as patched:
        patched.setattr("newsletter.sending.drain.drain", interrupted)  # as while it still connects to the mail server
        ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 130 and "Stopped: nothing was sent.\n" in ran.out and not caught(workspace)
    assert "3 people still wait" in ran.out and f"newsletter send {SLUG}" in ran.out
    assert workspace.run("send").exit == 0 and len(caught(workspace)) == 3


@pytest.mark.parametrize("columns", [80, 40])
def test_the_lists_of_issues_and_of_pages_fit_the_window(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    title = "Is anti-social behaviour in your community impacting your mental health?"
    slug = "2026-11-24-asb-and-mental-health"
    issue.parent.rename(workspace.root / "issues" / slug)
    workspace.write(f"issues/{slug}/issue.md", ISSUE.replace('Is it you? #1 worry: the {{ ward or "county" }}', title))
    assert workspace.run("send", "--yes", "--expect", "3").exit == 0
    note = "The meeting in the library was moved to 6 pm on Tuesday, and it is on the first floor now."
    assert workspace.run("archive", "note", slug, note).exit == 0
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(Output, "fancy", True)
    for words, whole in ((("list",), title), (("archive", "list"), note)):
        said = workspace.run(*words).out
        assert max(map(len, said.splitlines())) <= columns, said
        assert slug in said and whole in " ".join(said.split()), said
