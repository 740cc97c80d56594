"""The real command in a process of its own: Ctrl-C, SIGTERM and kill -9 in the middle, then the same command again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from newsletter.sending import laws, mailings
from newsletter.sending.models import Mailing
from tests.chaos.conftest import CatcherElsewhere
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(150)]
ISSUE = "---\nsubject: Is it you?\nfrom: council\naudience: [all-residents]\n---\n\n# Is it you?\n\nHello.\n"


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    workspace.people(*PEOPLE)
    workspace.write("issues/2026-11-24-test/issue.md", ISSUE)
    connection.close()
    return workspace


def sending(workspace: Workspace, people: int = 150) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "newsletter", "-C", str(workspace.root), "send", "--yes", "--expect", str(people)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_mails(folder: Path, number: int) -> None:
    end = time.monotonic() + 60
    while sum(1 for _ in folder.glob("*.eml")) < number and time.monotonic() < end:
        time.sleep(0.002)


def balanced() -> dict[str, int]:
    mailing = Mailing.objects.get()
    assert laws.check(mailing) == []
    status = mailings.status(mailing)
    connection.close()
    return status


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_finishes_what_is_in_flight_and_says_how_to_go_on(
    ready: Workspace, catcher: CatcherElsewhere, sign: signal.Signals
) -> None:
    ready.toml(f'[catch]\nsmtp = "127.0.0.1:{catcher.port}"\n')
    everybody = [*PEOPLE, *(f"more{n}@home.example" for n in range(2850))]  # 150 were over in a tenth of a second
    ready.people(*everybody[150:])
    connection.close()
    with sending(ready, 3000) as first:
        wait_for_mails(catcher.folder, 10)
        first.send_signal(sign)
        if sign == signal.SIGHUP:
            first.send_signal(sign)  # of a closed terminal both the shell and the system tell
        said, _ = first.communicate(timeout=60)
    assert first.returncode == 130, said
    assert "Finishing what is in flight" in said
    assert re.search(r"\d+ people still wait; nobody is forgotten", said)
    assert re.search(r"newsletter send \S+   goes on where it stopped", said)
    status = balanced()
    assert status["uncertain"] == status["inflight"] == status["leased"] == 0
    assert status["accepted"] == sum(catcher.copies().values()) < 3000
    with sending(ready, 3000) as second:
        said, _ = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert f"{3000 - status['accepted']:,} now, 3,000 people in all" in said
    assert catcher.copies() == dict.fromkeys(everybody, 1)
    assert balanced()["accepted"] == 3000


def test_killed_with_its_own_catcher_the_files_are_the_truth(ready: Workspace) -> None:
    """Where no catcher is up, `send` runs one itself: then both die at once."""
    folder = ready.root / "var" / "mail"
    with sending(ready) as first:
        wait_for_mails(folder, 10)
        first.kill()
        first.communicate(timeout=60)
    with sending(ready) as second:
        said, _ = second.communicate(timeout=60)
    copies = CatcherElsewhere(folder, 0).copies()
    status = balanced()
    assert second.returncode == (5 if status["uncertain"] else 0), said
    assert max(copies.values()) == 1
    assert status["accepted"] + status["uncertain"] == 150
    assert status["uncertain"] <= 2
    assert status["accepted"] <= len(copies) <= 150
    if status["uncertain"]:
        assert "may or may not have got it" in said


def test_two_commands_at_once_send_once(ready: Workspace, catcher: CatcherElsewhere) -> None:
    ready.toml(f'[catch]\nsmtp = "127.0.0.1:{catcher.port}"\n')
    connection.close()
    with sending(ready) as first, sending(ready) as second:
        said = [process.communicate(timeout=90)[0] for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes in ([0, 0], [0, 4]), said
    assert catcher.copies() == Counter(PEOPLE)
    assert balanced()["accepted"] == 150
