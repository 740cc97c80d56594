"""`send --at` and `--detach`, stop, resume, list and status of a mailing that waits for its time."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from newsletter.cli.output import Output
from newsletter.cli.sending_watch import watch
from newsletter.sending import heartbeats, laws, mailings, schedules
from newsletter.sending.models import LogEntry, Mailing
from newsletter.worker import Worker
from tests.workspace import Workspace

SLUG = "2026-11-24-worry"
ISSUE = "---\nsubject: Is it you?\nfrom: council\naudience: [all-residents]\n---\n\n# Is it you?\n\nHello.\n"
YES = ("--yes", "--expect", "2")


@pytest.fixture
def issue(workspace: Workspace) -> Path:
    workspace.people("sam@home.example", "kim@home.example")
    return workspace.write(f"issues/{SLUG}/issue.md", ISSUE)


@pytest.fixture
def heard(workspace: Workspace) -> None:
    """A worker was heard a moment ago; none really works, so that nothing happens meanwhile."""
    heartbeats.beat("host:1:aa")


@pytest.fixture
def worker(workspace: Workspace) -> Iterator[Worker]:
    """A worker that really works, in a thread."""
    found = Worker(workspace.config, lambda event: None)

    def run() -> None:
        try:
            found.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: bool(heartbeats.alive()))
    yield found
    found.ending.set()
    thread.join(30)


def until(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def only() -> Mailing:
    return Mailing.objects.get()


def mails(workspace: Workspace) -> int:
    return sum(1 for _ in workspace.root.glob("var/mail/*.eml"))


@pytest.mark.usefixtures("issue", "heard")
def test_at_a_time_it_is_approved_and_nothing_is_sent(workspace: Workspace) -> None:
    ran = workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    assert ran.exit == 0, ran.out + ran.err
    assert "goes to 2 people on Mon 1 Jun 2099 08:00 (Europe/London). Nothing has been sent." in ran.out
    assert "newsletter stop" in ran.out
    assert only().state == "approved" and only().send_at == datetime(2099, 6, 1, 7, 0, tzinfo=UTC)
    assert "scheduled 1 Jun 08:00" in workspace.run("list").out
    assert json.loads(workspace.run("list", "--json").out)["issues"][0]["state"] == "scheduled"
    status = workspace.run("status").out
    assert "Scheduled for Mon 1 Jun 2099 08:00 (Europe/London)" in status
    assert "Approved by " in status and "Scheduled by " in status
    assert mails(workspace) == 0


@pytest.mark.usefixtures("issue", "heard")
def test_sent_again_it_says_when_and_can_be_moved(workspace: Workspace) -> None:
    workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    ran = workspace.run("send")
    assert ran.exit == 0 and "Mon 1 Jun 2099 08:00" in ran.out and only().state == "approved"
    ran = workspace.run("send", "--at", "2099-06-02 09:00")
    assert ran.exit == 0 and "Tue 2 Jun 2099 09:00" in ran.out
    assert only().send_at == datetime(2099, 6, 2, 8, 0, tzinfo=UTC)
    assert "moved to Tue 2 Jun" in LogEntry.objects.order_by("-pk")[0].words


@pytest.mark.usefixtures("issue", "heard")
@pytest.mark.parametrize(
    ("at", "code"), [("2020-01-01 8:00", "time-past"), ("2099-03-29 01:30", "time-not-clear"), ("noon", "bad-time")]
)
def test_a_time_that_cannot_be_is_refused(workspace: Workspace, at: str, code: str) -> None:
    ran = workspace.run("send", "--at", at, *YES)
    assert ran.exit == 2 and code in ran.err
    assert not Mailing.objects.exists()


@pytest.mark.usefixtures("heard")
def test_the_time_in_the_issue_counts_and_one_that_has_passed_is_said(workspace: Workspace, issue: Path) -> None:
    issue.write_text(ISSUE.replace("from:", "send_at: 2020-01-01 08:00\nfrom:"), encoding="utf-8")
    ran = workspace.run("send", *YES)
    assert ran.exit == 2 and "newsletter send --at now" in ran.err
    issue.write_text(ISSUE.replace("from:", "send_at: 2099-06-01 08:00\nfrom:"), encoding="utf-8")
    assert workspace.run("send", *YES).exit == 0
    assert only().send_at == datetime(2099, 6, 1, 7, 0, tzinfo=UTC)


@pytest.mark.usefixtures("issue", "heard")
def test_a_heartbeat_of_a_minute_ago_is_no_worker(workspace: Workspace) -> None:
    from django.db.models.functions import Now

    from newsletter.sending.models import Heartbeat

    Heartbeat.objects.update(seen=Now() - timedelta(seconds=61))
    ran = workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    assert ran.exit == 4 and "none was heard within the last minute" in ran.err


@pytest.mark.usefixtures("issue", "heard")
def test_stopped_before_its_time_it_is_taken_back_and_can_be_sent_anew(workspace: Workspace) -> None:
    workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    ran = workspace.run("stop")
    assert ran.exit == 0 and "Taken back: nothing was sent, and 2 people do not get it" in ran.out
    assert laws.check(only()) == []
    assert "draft" in workspace.run("list").out
    assert workspace.run("send", "--at", "2099-06-01 08:00", *YES).exit == 0
    assert Mailing.objects.get(state="approved").slug == SLUG


@pytest.mark.usefixtures("issue", "heard")
def test_paused_before_its_time_and_resumed_it_waits_again(workspace: Workspace) -> None:
    workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    assert workspace.run("pause").exit == 0 and only().state == "paused"
    ran = workspace.run("resume")
    assert ran.exit == 0 and "Mon 1 Jun 2099 08:00" in ran.out
    assert only().state == "approved"
    assert [entry.what for entry in LogEntry.objects.order_by("pk")] == ["approved", "scheduled", "paused", "resumed"]


@pytest.mark.usefixtures("issue", "heard")
def test_resuming_one_that_missed_its_time_asks_first(workspace: Workspace) -> None:
    workspace.run("send", "--at", "2099-06-01 08:00", *YES)
    schedules.plan(only(), send_at=timezone.now() - timedelta(hours=20))
    ran = workspace.run("send")
    assert ran.exit == 4 and "it was meant for" in ran.err and only().state == "paused"
    ran = workspace.run("resume")
    assert ran.exit == 4 and "was meant for" in ran.err and "newsletter resume --yes" in ran.err
    assert mails(workspace) == 0
    heartbeats.Heartbeat.objects.all().delete()
    ran = workspace.run("resume", "--yes")
    assert ran.exit == 0, ran.out + ran.err
    assert mails(workspace) == 2


@pytest.mark.usefixtures("issue", "worker")
def test_a_scheduled_mailing_goes_out_at_its_time(workspace: Workspace) -> None:
    soon = (timezone.now() + timedelta(seconds=3)).isoformat(timespec="seconds")
    ran = workspace.run("send", "--at", soon, *YES)
    assert ran.exit == 0, ran.out + ran.err
    assert "Nothing has been sent" in ran.out
    until(lambda: only().state == "finished")
    assert mails(workspace) == 2 and laws.check(only()) == []
    sent = LogEntry.objects.get(what="started")
    assert sent.at >= datetime.fromisoformat(soon) and sent.by == "newsletter"


@pytest.mark.usefixtures("issue", "worker")
def test_where_a_worker_is_there_it_carries_and_send_watches(workspace: Workspace) -> None:
    ran = workspace.run("send", *YES)
    assert ran.exit == 0, ran.out + ran.err
    assert "Ctrl-C only leaves this view" in ran.out and "Sent “Is it you?” to 2 people" in ran.out
    assert mails(workspace) == 2 and only().state == "finished"


@pytest.mark.usefixtures("issue", "worker")
def test_detached_it_does_not_wait(workspace: Workspace) -> None:
    ran = workspace.run("send", "--detach", *YES, "--json")
    assert ran.exit == 0 and json.loads(ran.out)["frozen"] == 2
    until(lambda: only().state == "finished")
    assert mails(workspace) == 2


@pytest.mark.usefixtures("issue", "heard")
def test_ctrl_c_only_leaves_the_view(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.run("send", "--detach", *YES)
    mailings.start(only())

    def press(_: float) -> None:
        raise KeyboardInterrupt

    assert watch(Output(workspace.root), only(), sleep=press) == 0
    assert f"You have left the view; the worker goes on sending {SLUG}." in capsys.readouterr().out
    assert only().state == "sending" and mailings.status(only())["pending"] == 2


@pytest.mark.usefixtures("issue", "heard")
def test_ctrl_c_within_the_undo_delay_takes_everything_back(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.run("send", "--detach", *YES)
    schedules.plan(only(), begins=timezone.now() + timedelta(seconds=60))

    def press(_: float) -> None:
        raise KeyboardInterrupt

    assert watch(Output(workspace.root), only(), sleep=press) == 130
    said = capsys.readouterr().out
    assert "Ctrl-C takes it back; nothing has been sent" in said and "Taken back" in said
    assert only().state == "stopped" and mailings.find(SLUG) is None


@pytest.mark.usefixtures("issue")
def test_what_is_in_the_workers_way_is_shown_where_one_looks(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    heartbeats.beat("host:1:aa", f"{SLUG}: the mail server does not answer")
    workspace.run("send", "--detach", *YES)
    assert "In the way: the mail server does not answer" in workspace.run("status").out
    watch(Output(workspace.root), only(), sleep=lambda _: heartbeats.Heartbeat.objects.all().delete())
    assert "the mail server does not answer. The worker tries again by itself." in capsys.readouterr().out


@pytest.mark.usefixtures("issue", "heard")
def test_a_worker_that_dies_while_we_watch_is_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.run("send", "--detach", *YES)
    assert watch(Output(workspace.root), only(), sleep=lambda _: heartbeats.Heartbeat.objects.all().delete()) == 75
    assert "The worker is not heard any more" in capsys.readouterr().out


def test_pause_resume_and_stop_are_in_the_log_by_name(workspace: Workspace, issue: Path) -> None:
    from newsletter.sending import logbook

    workspace.run("send", "--at", "now", *YES)
    assert [(entry.what, entry.by) for entry in LogEntry.objects.order_by("pk")] == [
        ("approved", logbook.user()),
        ("started", logbook.user()),
        ("sent", "newsletter"),
    ]
    mailing = only()
    Mailing.objects.update(state="sending")
    assert workspace.run("pause").exit == workspace.run("resume").exit == 0
    Mailing.objects.update(state="sending")
    assert workspace.run("stop", "--yes").exit == 0
    assert [entry.what for entry in logbook.last(mailing, 3)] == ["approved", "paused", "resumed", "stopped"]
    status = workspace.run("status").out
    assert f"Paused by {logbook.user()}" in status and f"Stopped for good by {logbook.user()}" in status
    log = json.loads(workspace.run("status", "--json").out)["log"]
    assert [entry["what"] for entry in log] == ["approved", "started", "sent", "paused", "resumed", "stopped"]


def test_ctrl_c_in_the_count_down_of_a_terminal_freezes_nothing(workspace: Workspace) -> None:
    """A real terminal and a real Ctrl-C, before anything is approved."""
    script = (
        "from pathlib import Path; from newsletter.cli.output import Output;"
        "from newsletter.cli.sending_plan import taken_back_in_time as undo;"
        # It waits for a line before it ends: what a terminal has not read yet when it closes may be lost.
        "import sys; code = 130 if undo(Output(Path()), 30) else 0; sys.stdin.readline(); sys.exit(code)"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdin=theirs, stdout=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    while b"Ctrl-C takes it back; nothing has been sent." not in said:
        said += os.read(ours, 1000)
    process.send_signal(signal.SIGINT)
    while b"Taken back" not in said:
        said += os.read(ours, 1000)
    os.write(ours, b"\n")
    assert process.wait(20) == 130
    os.close(ours)
    assert b"Sending starts in 30 s" in said


def test_only_somebody_at_a_terminal_who_mails_strangers_gets_the_moment_to_undo(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from newsletter.cli.sending_plan import decide

    config = workspace.config
    away = replace(config, mail=replace(config.mail, transport="smtp"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert decide(away, None, "", detach=False, yes=False).undo == 10
    assert decide(away, None, "", detach=False, yes=True).undo == 0
    assert decide(config, None, "", detach=False, yes=False).undo == 0
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert decide(away, None, "", detach=False, yes=False).undo == 0
