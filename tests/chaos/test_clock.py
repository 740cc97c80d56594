"""Clocks that jump, and a sender that sleeps past its lease: leases go by the database, results by their attempt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from newsletter.sending import laws, mailings
from newsletter.sending.drain import drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from tests.chaos.conftest import Senders
from tests.chaos.faulty import FaultyServer
from tests.chaos.test_kill import CONNECTIONS, PEOPLE, approved, states, wait_until
from tests.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def put_to_sleep(pid: int) -> None:
    """SIGSTOP between two of its transactions: one that sleeps within one holds the database, and nobody can help."""
    for _ in range(200):
        os.kill(pid, signal.SIGSTOP)
        if nobody_writes():
            return
        os.kill(pid, signal.SIGCONT)
    raise AssertionError("it is always in the middle of a transaction")


def nobody_writes() -> bool:
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            if other.vendor == "sqlite":
                cursor.execute("PRAGMA busy_timeout = 0")
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute("BEGIN")
                cursor.execute("LOCK TABLE sending_delivery, sending_tally IN EXCLUSIVE MODE NOWAIT")
            cursor.execute("ROLLBACK")
    except OperationalError:
        return False
    finally:
        other.close()
    return True


def test_a_sender_frozen_past_its_lease_wakes_up_and_changes_nothing(workspace: Workspace, senders: Senders) -> None:
    """SIGSTOP, another one takes over and finishes, SIGCONT: the sleeper may end the bodies that it had begun, and
    those people are in doubt; nobody gets a second copy and no result of the sleeper counts."""
    mailing = approved(workspace)
    frozen: list[int] = []
    target: list[int] = []

    def plan(phase: str, recipient: str) -> None:
        if phase == "dot" and len(server.mails) == 8 and not frozen:
            wait_until(lambda: target)
            put_to_sleep(target[0])
            frozen.append(target[0])

    with FaultyServer(plan) as server:
        target.append(senders.start(workspace, server.port, connections=CONNECTIONS))
        wait_until(lambda: frozen)
        try:
            # As if it were on another machine: its lock does not reach us, and its leases have run out.
            (workspace.root / "var" / "sending.lock").unlink()
            past = timezone.now() - timedelta(hours=1)
            Delivery.objects.filter(state__in=("leased", "inflight")).update(leased_until=past)
            drain(workspace.config, mailing, lambda: Connection(server.relay()), connections=CONNECTIONS)
            settled = states()
        finally:
            os.kill(frozen[0], signal.SIGCONT)
        assert senders.over(frozen[0]), "the sleeper goes on for ever, with nobody left to send to"
    found = states()
    assert found == settled, "the sleeper changed something"
    assert set(found.values()) <= {"accepted", "uncertain"}
    assert Counter(found.values())["uncertain"] <= CONNECTIONS
    assert max(server.copies().values()) == 1
    assert all(server.copies()[person] == 1 for person, state in found.items() if state == "accepted")
    assert laws.check(mailing) == []
    connection.close()


@pytest.mark.integration
@pytest.mark.parametrize("steps", [("+1d", "-1d"), ("-1d", "+1d")])
def test_a_clock_that_jumps_by_a_day_sends_once(workspace: Workspace, steps: tuple[str, str]) -> None:
    """The first sender is killed under one clock, the next goes on under another, the last under the right one."""
    program = shutil.which("faketime")
    if not program:
        pytest.skip("no faketime on this machine: it comes with the system's package faketime")
    mailing = approved(workspace)
    with FaultyServer(lambda phase, who: time.sleep(0.005) if phase == "dot" else None) as server:
        words = json.dumps({"root": str(workspace.root), "environment": dict(workspace.environment)})
        once = [sys.executable, "-m", "tests.chaos.once", words, str(server.port)]
        for number, step in enumerate(steps, 1):
            with subprocess.Popen([program, "-f", step, *once], cwd=ROOT, start_new_session=True) as process:
                wait_until(lambda wanted=number * 10: len(server.mails) >= wanted)  # type: ignore[misc]
                os.killpg(process.pid, signal.SIGKILL)
        wait_until(server.quiet)
        drain(workspace.config, mailing, lambda: Connection(server.relay()), connections=2)
    found = states()
    assert max(server.copies().values()) == 1
    assert sorted(found) == sorted(PEOPLE)
    assert set(found.values()) <= {"accepted", "uncertain"}
    assert Counter(found.values())["uncertain"] <= 2 * 2
    assert laws.check(mailing) == []


def test_a_lease_runs_out_by_the_databases_clock(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by ours, which may be a day off: the statement that takes people asks the database for the time."""
    from django.test.utils import CaptureQueriesContext

    from newsletter.sending import outbox
    from newsletter.sending.store import Run, Store

    mailing = approved(workspace)
    mailings.start(mailing)
    store = Store()
    try:
        said: list[str] = []
        prepared = Run.prepared  # as on SQLite, these go past Django's cursor

        def heard(self: Run, sql: str, params: Any) -> Any:
            said.append(sql)
            return prepared(self, sql, params)

        monkeypatch.setattr(Run, "prepared", heard)
        if connection.vendor == "sqlite":  # prepared statements go past Django's cursor
            store.connection.ensure_connection()
            store.connection.connection.set_trace_callback(said.append)
        with CaptureQueriesContext(store.connection) as asked:
            rows, _ = outbox.Outbox(store, Mailing.objects.get()).lease(3)
        assert len(rows) == 3
        said += [query["sql"] for query in asked.captured_queries]
        until_now = "".join(said[: next(at for at, sql in enumerate(said) if "SET state" in sql) + 1])
        assert ("clock_timestamp()" if connection.vendor == "postgresql" else "'now'") in until_now
    finally:
        store.close()
    lease = Delivery.objects.filter(state="leased").values_list("leased_until", flat=True)
    assert {timedelta(0) < until - timezone.now() <= timedelta(hours=1) for until in lease if until} == {True}
    connection.close()
