"""Single mails: carried once over a real server, whoever else carries, and never again by themselves after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.config import Config
from newsletter.sending import notices
from newsletter.sending.models import Notice
from tests.sending.servers import HANG_UP, Sink
from tests.workspace import TOML, Workspace

MAIL = b"From: a@council.example\r\nTo: b@home.example\r\nSubject: Yes\r\n\r\nYes.\r\n"
PROGRAM = """
import sys
from pathlib import Path
from newsletter import config
from newsletter.audience import database
found = config.load(Path(sys.argv[1]))
database.ready(found)
from newsletter.sending import notices
print(notices.deliver(found), flush=True)
"""


def through(workspace: Workspace, sink: Sink) -> Config:
    """The workspace with this server as its relay."""
    base = TOML.replace("[site]\n", '[site]\nurl = "https://news.council.example"\n')
    base = base.replace("[mail]\n", '[mail]\ntransport = "smtp"\n')
    return workspace.toml(f'[relays.main]\nhost = "127.0.0.1"\nport = {sink.port}\nproviders = false\n', base)


def queue(address: str = "b@home.example", kind: str = "answer", **more: object) -> Notice:
    return notices.queue(kind, address, MAIL, sender="bounce@council.example", **more)  # type: ignore[arg-type]


def state(one: Notice) -> str:
    return Notice.objects.get(pk=one.pk).state


def test_a_notice_is_carried_once_with_its_envelope(workspace: Workspace) -> None:
    with Sink() as sink:
        config = through(workspace, sink)
        one = queue()
        assert (notices.deliver(config), notices.deliver(config)) == (1, 0)
    assert sink.mails == [("bounce@council.example", "b@home.example", MAIL)]
    found = Notice.objects.get(pk=one.pk)
    assert (found.state, found.reply_code, found.remote_id) == ("accepted", 250, "4F1A2B")


def test_the_same_once_is_queued_once(workspace: Workspace) -> None:
    assert queue(once="answer:1:2").pk == queue(once="answer:1:2").pk
    assert Notice.objects.count() == 1


def test_only_the_chosen_ones_are_carried(workspace: Workspace) -> None:
    with Sink() as sink:
        config = through(workspace, sink)
        first, second = queue("a@home.example"), queue("b@home.example")
        assert notices.deliver(config, only=[second.pk]) == 1
    assert (state(first), state(second)) == ("pending", "accepted")


@pytest.mark.parametrize(
    ("phase", "answer", "becomes"),
    [
        ("rcpt", "550 5.1.1 no such user", "failed"),
        ("rcpt", "451 4.7.1 greylisted", "deferred"),
        ("data", "452 4.2.2 full for now", "deferred"),
        ("dot", "451 4.3.0 try again", "deferred"),
        ("mail", HANG_UP, "deferred"),
        ("half", HANG_UP, "accepted"),  # MAIL is too short to be half there
        ("dot", HANG_UP, "uncertain"),
    ],
)
def test_what_the_server_says_is_what_becomes_of_it(
    workspace: Workspace, phase: str, answer: str, becomes: str
) -> None:
    with Sink(lambda at, to: answer if at == phase else "") as sink:
        config = through(workspace, sink)
        one = queue()
        notices.deliver(config)
        assert state(one) == becomes


def test_a_deferred_notice_waits_for_its_time_and_is_given_up_after_three_days(workspace: Workspace) -> None:
    with Sink(lambda at, to: "451 4.7.1 greylisted" if at == "rcpt" else "") as sink:
        config = through(workspace, sink)
        one = queue()
        notices.deliver(config)
        before = Notice.objects.get(pk=one.pk)
        notices.deliver(config)
        assert Notice.objects.get(pk=one.pk).attempt == before.attempt and before.due is not None
        Notice.objects.update(due=timezone.now(), created=timezone.now() - timedelta(hours=73))
        notices.deliver(config)
        assert state(one) == "failed"


def test_a_server_that_is_down_loses_nothing(workspace: Workspace) -> None:
    with Sink() as sink:
        config = through(workspace, sink)
    one = queue()
    assert notices.deliver(config) == 0
    assert state(one) == "deferred"


def test_the_erased_get_nothing_whether_before_or_after_queueing(workspace: Workspace) -> None:
    with Sink() as sink:
        config = through(workspace, sink)
        later = queue("later@home.example")
        for who in ("first", "later"):
            subscribing.suppress(f"{who}@home.example", "all", "erased", "staff")
        first = queue("first@home.example")
        left = queue("left@home.example")
        subscribing.suppress("left@home.example", "bulk", "unsubscribed", "page")
        notices.deliver(config)
    assert (state(first), state(later), state(left)) == ("suppressed", "suppressed", "accepted")
    assert set(sink.copies()) == {"left@home.example"}


@pytest.mark.parametrize(("kind", "becomes"), [("answer", "uncertain"), ("staff", "pending"), ("canary", "pending")])
def test_what_a_crash_left_in_flight_is_uncertain_but_notices_to_staff_go_again(
    workspace: Workspace, kind: str, becomes: str
) -> None:
    one = queue(kind=kind)
    Notice.objects.update(state="inflight")
    assert notices.recover() == 0  # it may be on its way at this moment
    Notice.objects.update(changed=timezone.now() - timedelta(minutes=21))
    assert notices.recover() == 1 and state(one) == becomes


def test_a_sender_that_lost_its_row_to_another_sends_nothing(workspace: Workspace) -> None:
    def steal(phase: str, to: str) -> str:
        if phase == "data":  # between taking the row and the first byte of the text
            Notice.objects.update(attempt=99)
            connection.close()
        return ""

    with Sink(steal) as sink:
        config = through(workspace, sink)
        one = queue()
        assert notices.deliver(config) == 0
        assert not sink.mails and state(one) == "pending"


def test_many_at_once_carry_each_notice_once(workspace: Workspace) -> None:
    with Sink() as sink:
        config = through(workspace, sink)
        for number in range(20):
            queue(f"p{number}@home.example")
        ready = threading.Barrier(3, timeout=20)

        def carry() -> None:
            try:
                ready.wait()
                notices.deliver(config)
            finally:
                connection.close()

        threads = [threading.Thread(target=carry) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        notices.deliver(config)
    assert len(sink.copies()) == 20 and max(sink.copies().values()) == 1
    assert set(Notice.objects.values_list("state", flat=True)) == {"accepted"}


def test_kill_9_in_flight_is_known_and_never_sent_again_by_itself(workspace: Workspace) -> None:
    """A process of its own is killed when its mail has left, and before it has written down the answer."""
    process: list[subprocess.Popen[bytes]] = []

    def kill(phase: str, to: str) -> str:
        if phase == "dot" and process and process[0].poll() is None:
            os.kill(process[0].pid, signal.SIGKILL)
            process[0].wait()
        return ""

    with Sink(kill) as sink:
        config = through(workspace, sink)
        one = queue()
        connection.close()
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-c", PROGRAM, str(workspace.root)]
        process.append(subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}))
        assert process[0].wait(60) == -signal.SIGKILL
        assert state(one) == "inflight"
        Notice.objects.update(changed=timezone.now() - timedelta(minutes=21))
        notices.deliver(config)
        assert state(one) == "uncertain"
        assert sum(sink.copies().values()) == 1
