"""The ledger's disk is full or breaks in mid-send: sending stops before the next body, says so, and goes on later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections

from newsletter.problems import Exit, NewsletterError
from newsletter.sending import laws, mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Mailing
from newsletter.sending.transports.connection import Connection
from tests.chaos.faulty import FaultyServer
from tests.chaos.test_matrix import states
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = [f"person{n}@home.example" for n in range(60)]


@pytest.fixture
def small_disk(workspace: Workspace) -> Iterator[Path]:
    """The workspace's var on a file system of its own, of 16 megabytes (the write-ahead log alone may take four)."""
    var = workspace.root / "var"
    if os.geteuid() != 0:
        pytest.skip("a file system of our own needs root")
    kept = workspace.root / "kept"
    connections.close_all()
    shutil.copytree(var, kept)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "newsletter-test", str(var)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        shutil.copytree(kept, var, dirs_exist_ok=True)
        workspace.ready()
        yield var
    finally:
        connections.close_all()
        subprocess.run(["umount", "--lazy", str(var)], check=True)


def fill(disk: Path) -> None:
    """Take every byte that is left."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def started(workspace: Workspace) -> Mailing:
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    return mailing


@pytest.mark.integration
def test_a_disk_that_is_really_full_stops_before_the_next_body(workspace: Workspace, small_disk: Path) -> None:
    """ENOSPC of the kernel, not SQLite's own limit."""
    mailing = started(workspace)
    filled: list[bool] = []

    def plan(phase: str, recipient: str) -> None:
        if phase == "dot" and len(server.mails) >= 10 and not filled:
            filled.append(True)
            fill(small_disk)

    with FaultyServer(plan) as server:
        factory = lambda: Connection(server.relay())  # noqa: E731
        try:
            ended = drain(workspace.config, mailing, factory, connections=2)
        except NewsletterError as full:
            assert full.problems[0].code == "database-full"
            assert full.exit == Exit.TRY_AGAIN
        else:
            assert ended.how is How.DONE  # what the write-ahead log held already was enough for the rest
        (small_disk / "filler").unlink()
        mailing.refresh_from_db()
        if mailing.state != Mailing.State.FINISHED:
            drain(workspace.config, mailing, factory, connections=2)
    everybody_is_accounted_for(mailing, server.copies(), doubts=2)


def everybody_is_accounted_for(mailing: Mailing, copies: Counter[str], doubts: int) -> None:
    found = states()
    assert sorted(found) == sorted(PEOPLE)
    assert set(found.values()) <= {"accepted", "uncertain"}
    assert Counter(found.values())["uncertain"] <= doubts
    assert max(copies.values()) == 1
    assert all(copies[person] == 1 for person, state in found.items() if state == "accepted")
    assert laws.check(mailing) == []


EIO = 5
# How often each fails, so that three runs surely meet it and still get on: SQLite writes by pwrite and syncs by
# fdatasync, once a commit; var/ledger.journal by fsync, twice a run.
POINTS = {"posix/io/rw/pwrite": 0.03, "posix/io/sync/fdatasync": 0.3, "posix/io/sync/fsync": 0.9}


@pytest.mark.integration
@pytest.mark.parametrize("point", POINTS)
def test_a_disk_that_answers_with_errors_stops_and_loses_nobody(
    workspace: Workspace, tmp_path: Path, point: str
) -> None:
    """libfiu lets writes or syncs of a real sender fail with EIO; then the disk is well again."""
    if connection.vendor != "sqlite" and point != "posix/io/sync/fsync":
        pytest.skip("there it is the server that writes; see test_database")
    program = shutil.which("fiu-run")
    if not program:
        pytest.skip("no fiu-run on this machine: it comes with the system's packages fiu-utils and libfiu0")
    mailing = started(workspace)
    connections.close_all()
    ills = ["-x", "-c", f"enable_random name={point},probability={POINTS[point]},failinfo={EIO}"]
    with FaultyServer() as server:
        words = json.dumps({"root": str(workspace.root), "environment": dict(workspace.environment)})
        once = [sys.executable, "-m", "tests.chaos.once", words, str(server.port)]
        said, met = "", 0
        for _ in range(3):
            done = subprocess.run(
                [program, *ills, *once], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
            )
            said += done.stdout + done.stderr
            met += done.returncode == 3  # it met the fault, and said so as a Problem
        subprocess.run(once, cwd=ROOT, check=True, timeout=60, capture_output=True)
    workspace.ready()
    assert "Traceback" not in said, said
    assert met, f"nothing ever failed: {said}"
    everybody_is_accounted_for(mailing, server.copies(), doubts=3 * 2)
