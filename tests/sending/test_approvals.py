"""The second person: nobody sends alone what the organisation wants two people to have read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from newsletter.sending.models import Approval, LogEntry, Mailing
from tests.sending.test_commands import ISSUE, SLUG
from tests.workspace import Workspace

TWO = "[sending]\napprovals = 1\n"


@pytest.fixture
def careful(workspace: Workspace) -> Workspace:
    workspace.toml(TWO)
    workspace.people("sam@home.example", "kim@home.example", first_name="Sam", attributes={"ward": "Stone"})
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    return workspace


def by(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From here on the commands are run from this account."""
    monkeypatch.setenv("LOGNAME", name)


def test_nothing_is_sent_before_a_second_person_has_said_yes(
    careful: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, "ann")
    ran = careful.run("send", "--yes", "--expect", "2")
    assert ran.exit == 4 and "Nobody else has approved it yet" in ran.err
    assert not Mailing.objects.exists()


def test_ones_own_yes_does_not_count(careful: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    by(monkeypatch, "ann")
    assert careful.run("approve", "--yes").exit == 0
    ran = careful.run("send", "--yes", "--expect", "2")
    assert ran.exit == 4 and "your own yes (ann) does not count" in ran.err


def test_a_wider_audience_afterwards_asks_anew(careful: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    by(monkeypatch, "bob")
    careful.run("approve", "--yes")
    careful.toml(TWO + '[lists.more]\ntitle = "More"\nwhy = "You asked."\n')
    lists = next(line for line in ISSUE.splitlines() if line.startswith("audience:"))
    careful.write(f"issues/{SLUG}/issue.md", ISSUE.replace(lists, lists.replace("]", ", more]")))
    by(monkeypatch, "ann")
    ran = careful.run("send", "--yes", "--expect", "2")
    assert ran.exit == 4 and "whom it goes to" in ran.err and not Mailing.objects.exists()


def test_with_a_colleagues_yes_it_goes_and_the_log_says_who(
    careful: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(monkeypatch, "bob")
    ran = careful.run("approve", "--yes", "--json")
    assert json.loads(ran.out)["by"] == "bob"
    by(monkeypatch, "ann")
    assert careful.run("send", "--yes", "--expect", "2").exit == 0
    assert ("seconded", "bob") in set(LogEntry.objects.values_list("what", "by"))
    assert ("started", "ann") in set(LogEntry.objects.values_list("what", "by"))


def test_a_word_changed_afterwards_asks_anew(careful: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    by(monkeypatch, "bob")
    careful.run("approve", "--yes")
    careful.write(f"issues/{SLUG}/issue.md", ISSUE.replace("near you", "elsewhere"))
    by(monkeypatch, "ann")
    ran = careful.run("send", "--yes", "--expect", "2")
    assert ran.exit == 4 and "changed since" in ran.err
    careful.write(f"issues/{SLUG}/issue.md", ISSUE)
    assert careful.run("send", "--yes", "--expect", "2").exit == 0


def test_small_mailings_may_go_without(careful: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    careful.toml(TWO + "approve_over = 2\n")
    by(monkeypatch, "ann")
    assert careful.run("send", "--yes", "--expect", "2").exit == 0


def test_what_is_broken_cannot_be_approved(careful: Workspace) -> None:
    careful.write(f"issues/{SLUG}/issue.md", ISSUE.replace("{{ first_name }}", "{{ frist_name }}"))
    assert careful.run("approve", "--yes").exit == 1
    assert not Approval.objects.exists()


def test_approving_asks_and_without_a_terminal_wants_yes(careful: Workspace) -> None:
    ran = careful.run("approve")
    assert ran.exit == 4 and "--yes" in ran.err
    assert not Approval.objects.exists()


def test_what_was_sent_cannot_be_approved_any_more(careful: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    by(monkeypatch, "bob")
    careful.run("approve", "--yes")
    by(monkeypatch, "ann")
    careful.run("send", "--yes", "--expect", "2")
    assert careful.run("approve", "--yes").exit == 4


def test_a_dry_run_needs_nobody(careful: Workspace, tmp_path: Path) -> None:
    assert careful.run("send", "--dry-run").exit == 0
