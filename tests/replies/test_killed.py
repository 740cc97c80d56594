"""The process is killed at any moment: what was acknowledged is there, and trying again doubles nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from newsletter.mail import incoming
from newsletter.mail.incoming import Incoming
from tests.conftest import ROOT
from tests.replies.conftest import Post, mail
from tests.workspace import TOML


@pytest.fixture(scope="module")
def receivers(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    root = tmp_path_factory.mktemp("receivers")
    (root / "newsletter.toml").write_text(TOML, encoding="utf-8")
    command = [sys.executable, "-m", "tests.replies.receiver", str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        process.wait(30)


@dataclass
class Receiving:
    post: Post
    process: subprocess.Popen[str]

    def __call__(self, raw: bytes, recipient: str, point: str = "") -> int:
        """Take in one message in a process of its own, killed at `point`; its exit code."""
        from django.db import connection

        connection.close()
        file = self.post.workspace.write("mail.eml", raw)
        order = {"root": str(self.post.workspace.root), "file": str(file), "recipient": recipient, "point": point}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))


@pytest.fixture
def receive(post: Post, receivers: subprocess.Popen[str]) -> Receiving:
    return Receiving(post, receivers)


def only_once(post: Post, words: str) -> None:
    from newsletter.replies.models import Message

    assert list(Message.objects.values_list("new_words", flat=True)) == [words]
    found = json.loads(post.workspace.run("replies", "balance", "--json").out)
    assert found["adds_up"] and found["unread"] == found["quarantine"] == 0 and found["person"] == 1


@pytest.mark.parametrize("step", ["store", "read", "attach", "sort"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_the_message_is_there_once(receive: Receiving, when: str, step: str) -> None:
    """A mail server that got no answer tries again."""
    sent = receive.post.sent_to()
    raw = mail(sent.reply, "Help me")
    assert receive(raw, sent.reply, f"{when} {step}") == -signal.SIGKILL
    assert receive(raw, sent.reply) == 0
    only_once(receive.post, "Help me")


def test_whoever_ends_us_over_a_message_does_not_cost_the_person_their_words(receive: Receiving) -> None:
    """It is read in another process, so a kill of ours says nothing about it."""
    from newsletter import replies

    sent = receive.post.sent_to()
    for _ in range(3):
        assert receive(mail(sent.reply, "Help me"), sent.reply, "before read") == -signal.SIGKILL
    assert receive(mail(sent.reply, "And me", message_id="<2@x>"), sent.reply) == 0
    found = replies.balance()
    assert (found["person"], found["quarantine"], found["unread"]) == (2, 0, 0) and found["adds_up"]


def test_a_message_over_which_we_ended_too_often_is_set_aside_and_the_next_is_read(receive: Receiving) -> None:
    from newsletter import replies
    from newsletter.replies.intake import CUT_OFF
    from newsletter.replies.models import Raw

    sent = receive.post.sent_to()
    assert receive(mail(sent.reply, "Poison"), sent.reply, "before read") == -signal.SIGKILL
    Raw.objects.update(attempts=CUT_OFF)
    assert receive(mail(sent.reply, "Help me", message_id="<2@x>"), sent.reply) == 0
    found = replies.balance()
    assert (found["person"], found["quarantine"], found["unread"]) == (1, 1, 0) and found["adds_up"]


def test_killed_at_a_random_moment_of_the_real_command(post: Post, pytestconfig: pytest.Config) -> None:
    sent = post.sent_to()
    raw = mail(sent.reply, "Help me")
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "receive"]
    for _ in range(20 if pytestconfig.getoption("--everything") else 2):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(raw, timeout=random.uniform(0.2, 0.6))
            process.kill()
    assert subprocess.run(command, input=raw, stdout=subprocess.DEVNULL, check=False).returncode == 0
    only_once(post, "Help me")


def test_four_at_the_same_time_are_all_kept(post: Post) -> None:
    sent = post.sent_to()
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "receive"]
    running = []
    for number in range(4):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert process.stdin
        process.stdin.write(mail(sent.reply, f"Words {number}", message_id=f"<{number}@mail.example.net>"))
        process.stdin.close()
        running.append(process)
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    found = json.loads(post.workspace.run("replies", "balance", "--json").out)
    assert found["person"] == 4 and found["adds_up"]


def test_what_another_process_is_just_reading_is_left_to_it(post: Post) -> None:
    """Twenty pipes at once: each finishes what it finds unread, and the third once took the first two, who were
    still at it, for two that had died. The message went to quarantine as well as to its conversation."""
    from newsletter import replies
    from newsletter.replies import intake, reading

    sent = post.sent_to()
    depth = 0

    def read(raw: bytes) -> Incoming:
        nonlocal depth
        depth += 1
        if depth < 5:
            assert intake.finish_unread() == 1  # another process comes by
        return incoming.read(raw)

    with mock.patch.object(reading, "read", read):
        assert intake.accept(mail(sent.reply), sent.reply).kind == "person"
    assert depth == 1
    found = replies.balance()
    assert found["adds_up"] and found["person"] == 1 and found["quarantine"] == 0
