"""The real worker in a process of its own: kill -9 in the middle and a second one, SIGTERM, and a view that is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.models.functions import Now

from newsletter.sending import heartbeats, laws, mailings
from newsletter.sending.models import Heartbeat, Mailing
from tests.chaos.conftest import CatcherElsewhere
from tests.chaos.test_command import ISSUE, PEOPLE, balanced, wait_for_mails
from tests.workspace import Workspace


@pytest.fixture
def ready(workspace: Workspace, catcher: CatcherElsewhere) -> Workspace:
    workspace.people(*PEOPLE)
    workspace.write("issues/2026-11-24-test/issue.md", ISSUE)
    workspace.toml(f'[catch]\nsmtp = "127.0.0.1:{catcher.port}"\n')
    return workspace


@contextmanager
def working(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """A worker that has said that it is ready; killed at the end if it has not ended."""
    connection.close()
    command = [sys.executable, "-m", "newsletter", "-C", str(workspace.root), "worker", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said(process, "started")
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    """The next event of this name; whatever came before it is passed over."""
    assert process.stdout
    for line in process.stdout:
        found: dict[str, object] = json.loads(line)
        if found["event"] == event:
            return found
    raise AssertionError(f"the worker ended without {event}")


def handed_over(workspace: Workspace) -> None:
    ran = workspace.run("send", "--detach", "--yes", "--expect", str(len(PEOPLE)))
    assert ran.exit == 0, ran.out + ran.err
    connection.close()


def test_killed_in_the_middle_a_second_worker_goes_on(ready: Workspace, catcher: CatcherElsewhere) -> None:
    with working(ready) as first:
        handed_over(ready)
        wait_for_mails(catcher.folder, 10)
        first.kill()
        first.wait(30)
    with working(ready) as second:
        said(second, "ended")
        second.send_signal(signal.SIGTERM)
        said(second, "stopped")
        assert second.wait(30) == 0
    status = balanced()
    copies = catcher.copies()
    assert max(copies.values()) == 1
    assert status["accepted"] + status["uncertain"] == len(PEOPLE)
    assert status["uncertain"] <= 4, "at most one body a connection was in flight"
    assert status["accepted"] <= len(copies)


def test_a_worker_that_was_killed_is_not_believed_for_long(ready: Workspace) -> None:
    with working(ready) as first:
        first.kill()
        first.wait(30)
    assert heartbeats.alive(), "its last beat was a moment ago"
    Heartbeat.objects.update(seen=Now() - heartbeats.ALIVE)
    ran = ready.run("send", "--detach", "--yes", "--expect", str(len(PEOPLE)))
    assert ran.exit == 4 and "needs-worker" in ran.err


def test_sigterm_finishes_what_is_in_flight(ready: Workspace, catcher: CatcherElsewhere) -> None:
    with working(ready) as worker:
        handed_over(ready)
        wait_for_mails(catcher.folder, 10)
        worker.send_signal(signal.SIGTERM)
        said(worker, "stopped")
        assert worker.wait(30) == 0
    status = balanced()
    assert status["uncertain"] == status["inflight"] == status["leased"] == 0
    assert status["accepted"] == sum(catcher.copies().values())
    assert not Heartbeat.objects.exists()


def test_ctrl_c_on_send_leaves_the_view_and_the_worker_sends_on(ready: Workspace, catcher: CatcherElsewhere) -> None:
    with working(ready) as worker:
        command = [sys.executable, "-m", "newsletter", "-C", str(ready.root), "send", "--yes", "--expect", "150"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as view:
            assert view.stdout
            words = next(line for line in view.stdout if "The worker sends it" in line)
            wait_for_mails(catcher.folder, 3)
            view.send_signal(signal.SIGINT)
            words += view.communicate(timeout=60)[0]
        assert view.returncode == 0, words
        said(worker, "ended")
    assert "The worker sends it; Ctrl-C only leaves this view." in words
    assert "the worker goes on sending 2026-11-24-test" in words or "Sent “Is it you?” to 150 people" in words
    assert catcher.copies() == dict.fromkeys(PEOPLE, 1)
    assert balanced()["accepted"] == 150


def test_two_workers_share_a_workspace(ready: Workspace, catcher: CatcherElsewhere) -> None:
    with working(ready), working(ready):
        ran = ready.run("send", "--yes", "--expect", "150")
    assert ran.exit == 0, ran.out + ran.err
    assert catcher.copies() == dict.fromkeys(PEOPLE, 1)
    assert laws.check(Mailing.objects.get()) == [] and mailings.status(Mailing.objects.get())["accepted"] == 150
