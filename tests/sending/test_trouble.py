"""A full disk, a locked or unwritable database, a lock that is held: said in words, and nobody is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from newsletter.problems import Exit, NewsletterError
from newsletter.sending import laws, lock, mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Outbox
from newsletter.sending.row_by_row import RowByRow
from newsletter.sending.store import Store
from newsletter.sending.transports.connection import Connection
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.sending.steps import begin, settle
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(30)]


def started(workspace: Workspace) -> Mailing:
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    return mailing


@pytest.mark.sqlite
def test_a_full_disk_stops_before_the_next_body_and_loses_nobody(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PRAGMA max_page_count makes SQLite say what a full disk says."""
    mailing = started(workspace)
    original = RowByRow._settle
    settled = 0

    def growing(self: RowByRow, run: Any, results: Any, now: str) -> set[int]:
        nonlocal settled
        settled += 1
        if settled == 10:
            run("PRAGMA max_page_count = 1")
        return original(self, run, [one._replace(text="x" * 2000) for one in results], now)

    monkeypatch.setattr(RowByRow, "_settle", growing)
    with Sink() as sink:
        with pytest.raises(NewsletterError) as full:
            drain(workspace.config, mailing, lambda: Connection(sink.relay), connections=2)
        assert full.value.problems[0].code == "database-full"
        assert full.value.exit == Exit.TRY_AGAIN
        assert 10 <= sum(sink.copies().values()) < 30
        monkeypatch.setattr(RowByRow, "_settle", original)
        ended = drain(workspace.config, mailing, lambda: Connection(sink.relay), connections=2)
    assert ended.how is How.DONE
    assert max(sink.copies().values()) == 1
    assert ended.counts["accepted"] + ended.counts["uncertain"] == 30
    assert ended.counts["uncertain"] <= 2
    assert laws.check(mailing) == []


@pytest.mark.sqlite
def test_approval_on_a_full_disk_leaves_nothing_half_done(workspace: Workspace) -> None:
    from django.db import connection

    workspace.people(*(f"p{n}@home.example" for n in range(300)), attributes={"ward": "x" * 500})
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0] + 4}")
    with pytest.raises(NewsletterError) as full:
        mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    assert full.value.problems[0].code == "database-full"
    assert (Mailing.objects.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.sqlite
def test_a_database_that_another_program_holds_is_said_in_words(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailing = started(workspace)
    store = Store()
    other = sqlite3.connect(workspace.root / "var" / "newsletter.db", isolation_level=None)
    try:
        with store.connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NewsletterError) as locked:
            Outbox(store, mailing).lease(5)
        assert locked.value.problems[0].code == "database-locked"
        other.execute("ROLLBACK")
        assert len(Outbox(store, mailing).lease(5)[0]) == 5
    finally:
        other.close()
        store.close()


def test_a_file_where_var_should_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("in the way", encoding="utf-8")
    with pytest.raises(NewsletterError) as error, lock.sending(tmp_path / "var", "slug", timezone.localtime()):
        pass
    assert error.value.problems[0].code == "cannot-write"


def test_the_lock_is_free_again_after_its_holder(tmp_path: Path) -> None:
    for _ in range(2):
        with lock.sending(tmp_path, "2026-11-24-test", timezone.localtime()):
            assert lock.is_held(tmp_path)
    assert not lock.is_held(tmp_path)
    who = lock.holder(tmp_path)
    assert who and who.slug == "2026-11-24-test"


HOLD = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from pathlib import Path
from unittest import mock
from newsletter.sending import lock
with lock.sending(Path(sys.argv[1]), "theirs", datetime(2026, 11, 24, 9, 0)):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_another_process_is_seen_and_freed_by_its_death(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        with pytest.raises(NewsletterError) as refused, lock.sending(tmp_path, "mine", timezone.localtime()):
            pass
        assert refused.value.exit == Exit.REFUSED
        said = refused.value.problems[0].message
        assert f"theirs is being sent from here since 09:00 (process {process.pid})" in said
        process.kill()
    with lock.sending(tmp_path, "mine", timezone.localtime()):
        pass


def test_a_lost_key_stops_before_anything_is_sent(workspace: Workspace) -> None:
    mailing = started(workspace)
    (workspace.root / "var" / "secret.key").unlink()
    with pytest.raises(NewsletterError) as lost:
        drain(workspace.config, mailing, lambda: Connection(workspace.config.relay()), patience=timedelta(0))
    assert lost.value.problems[0].code == "lost-key"
    assert mailings.status(mailing)["pending"] == 30


@pytest.mark.sqlite
def test_a_result_is_kept_though_another_program_holds_the_database(workspace: Workspace) -> None:
    mailing = started(workspace)
    store = Store()
    other = sqlite3.connect(workspace.root / "var" / "newsletter.db", isolation_level=None)
    outbox = Outbox(store, mailing)
    try:
        (row, *_), _ = outbox.lease(1)
        begin(outbox, row)
        with store.connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 200")  # milliseconds; 20,000 in earnest
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            kept = pool.submit(settle, outbox, row, "accepted", code=250)
            with pytest.raises(FutureTimeout):
                kept.result(0.5)
            other.execute("ROLLBACK")
            assert kept.result(10)
    finally:
        other.close()
        store.close()
    assert Delivery.objects.get(pk=row.id).state == "accepted"


@pytest.mark.sqlite
def test_sending_waits_for_a_database_that_another_program_holds(workspace: Workspace) -> None:
    mailing = started(workspace)
    held = threading.Event()
    other = sqlite3.connect(workspace.root / "var" / "newsletter.db", isolation_level=None, check_same_thread=False)

    def holding(phase: str, recipient: str) -> str:
        if phase == "data" and not held.is_set():
            held.set()
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.4, other.execute, ["ROLLBACK"]).start()
        return ""

    def impatient(*args: object) -> Store:
        store = Store()
        with store.connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 100")  # milliseconds; 20,000 in earnest
        return store

    try:
        with Sink(holding) as sink, mock.patch("newsletter.sending.drain.Store", impatient):
            ended = drain(workspace.config, mailing, lambda: Connection(sink.relay), connections=2)
    finally:
        other.close()
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 30)
    assert set(sink.copies().values()) == {1}
