"""Something waits and no worker is there: doctor and status say so, since when, and what to do."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from newsletter.sending import heartbeats, lock, mailings, schedules
from newsletter.sending.models import Heartbeat, Mailing
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import put
from tests.workspace import Workspace


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    workspace.people("p1@home.example")
    return mailings.approve(workspace.config, {"": a_rendered()}, an_issue())


@pytest.fixture
def scheduled(mailing: Mailing) -> Mailing:
    schedules.plan(mailing, send_at=timezone.now() + timedelta(days=1))
    return mailing


@pytest.fixture
def to_try_again(mailing: Mailing) -> Mailing:
    mailings.start(mailing)
    put("deferred")
    return mailing


def heard(ago: timedelta) -> None:
    """A worker that was killed so long ago leaves its row."""
    heartbeats.beat("host:1:aa")
    Heartbeat.objects.update(seen=Now() - ago)


def doctor(workspace: Workspace) -> tuple[list[str], str]:
    told = json.loads(workspace.run("doctor", "--json").out)
    found = [problem for problem in told["problems"] if problem["code"] == "no-worker"]
    words = " ".join(check["text"] for check in told["checks"] if check["area"] == "Worker")
    return [problem["severity"] for problem in found], words


@pytest.mark.usefixtures("scheduled")
def test_a_schedule_that_nobody_keeps_must_be_fixed(workspace: Workspace) -> None:
    severities, words = doctor(workspace)
    assert severities == ["error"] and "but no worker is there to do it (none is running)" in words
    said = workspace.run("status")
    assert "No worker is there, so it would not be sent at its time: none is running." in said.out + said.err
    assert "newsletter worker" in said.out


@pytest.mark.usefixtures("to_try_again")
def test_people_to_be_tried_again_by_nobody_are_worth_a_look(workspace: Workspace) -> None:
    severities, words = doctor(workspace)
    assert severities == ["warning"] and "has people who wait, and no worker goes on with it" in words
    said = workspace.run("status").out
    assert "No worker is there, so nobody is tried again by itself: none is running." in said
    assert "newsletter worker" in said and "newsletter send" in said


@pytest.mark.usefixtures("scheduled")
@pytest.mark.parametrize(
    ("ago", "words"),
    [(timedelta(minutes=3), "3 min"), (timedelta(hours=5, minutes=1), "5 h"), (timedelta(days=3), "3 days")],
)
def test_it_is_said_since_when_the_worker_is_gone(workspace: Workspace, ago: timedelta, words: str) -> None:
    heard(ago)
    severities, found = doctor(workspace)
    assert severities == ["error"] and f"(the last one was heard {words} ago)" in found
    assert f"the last one was heard {words} ago" in workspace.run("status").out


@pytest.mark.usefixtures("scheduled")
def test_with_a_worker_all_is_well(workspace: Workspace) -> None:
    heard(timedelta(seconds=30))
    assert doctor(workspace) == ([], "1 worker running")
    assert "No worker" not in workspace.run("status").out


def test_where_nothing_waits_no_worker_is_missed(workspace: Workspace) -> None:
    severities, words = doctor(workspace)
    assert severities == [] and words.startswith("none is running; it is needed for")


def test_whoever_sends_by_hand_needs_no_worker_meanwhile(workspace: Workspace, to_try_again: Mailing) -> None:
    with lock.sending(workspace.config.var, to_try_again.slug, timezone.localtime()):
        assert doctor(workspace)[0] == []
