"""The process is killed at any moment: what was acknowledged is there, and trying again doubles nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

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
