"""The process is killed at any moment: what was acknowledged is there, and trying again doubles nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from unittest import mock

from newsletter.mail import incoming
from newsletter.mail.incoming import Incoming
from tests.replies.conftest import Post, mail


def receive(post: Post, raw: bytes, kill_after: float | None) -> int:
    """`newsletter replies receive` in a process of its own, killed after so many seconds; its exit code."""
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "receive"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.communicate(raw, timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return process.returncode


def test_killed_at_any_moment_every_message_is_there_once(post: Post) -> None:
    from newsletter.replies.models import Message

    sent = post.sent_to()
    killed = 0
    # From before the database is open (0.2 s) to after everything is done; a mail server tries again after each.
    for number, delay in enumerate((0.2, 0.35, 0.45, 0.5, 0.55, 0.6, 0.7, 0.9)):
        raw = mail(sent.reply, f"Words {number}", message_id=f"<{number}@mail.example.net>")
        killed += receive(post, raw, delay) == -signal.SIGKILL
        assert receive(post, raw, None) == 0
    assert killed
    found = json.loads(post.workspace.run("replies", "balance", "--json").out)
    assert found["adds_up"] and found["unread"] == 0 and found["person"] == 8
    words = sorted(Message.objects.values_list("new_words", flat=True))
    assert words == [f"Words {number}" for number in range(8)]


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
