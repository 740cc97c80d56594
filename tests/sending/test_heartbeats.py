"""A worker is there when it was heard within the last minute by the database's clock, whatever was before."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from newsletter.sending import heartbeats
from newsletter.sending.models import Heartbeat
from tests.workspace import Workspace


def test_the_database_knows_what_time_it_is(workspace: Workspace) -> None:
    assert abs(heartbeats.clock() - timezone.now()) < timedelta(seconds=5)


@pytest.mark.parametrize(("ago", "there"), [(0, True), (50, True), (70, False), (-50, True), (-70, False)])
def test_a_worker_is_there_for_a_minute(workspace: Workspace, ago: int, there: bool) -> None:
    """A minus is a heartbeat of the future, as a clock that was put back leaves it: it must not count for ever."""
    heartbeats.beat("host:1:aa")
    Heartbeat.objects.update(seen=Now() - timedelta(seconds=ago))
    assert heartbeats.alive() == (["host:1:aa"] if there else [])


def test_it_beats_in_a_thread_of_its_own_while_the_block_is_busy_and_leaves_nothing(workspace: Workspace) -> None:
    with heartbeats.Beating(every=0.02) as beating:
        beating.doing = "sending 2026-11-24-test"
        ticks = threading.Event()
        for _ in range(500):
            if Heartbeat.objects.get().doing:
                first = Heartbeat.objects.get()
                if first.doing == beating.doing:
                    break
            ticks.wait(0.01)
        assert first.doing == "sending 2026-11-24-test"
        assert heartbeats.alive() == [beating.worker]
    assert heartbeats.alive() == []
    assert not Heartbeat.objects.exists()


def test_a_worker_that_was_killed_is_swept_away_after_an_hour(workspace: Workspace) -> None:
    heartbeats.beat("dead:1:aa")
    heartbeats.beat("lately:1:aa")
    Heartbeat.objects.filter(worker="dead:1:aa").update(seen=Now() - timedelta(hours=2))
    heartbeats.sweep()
    assert [row.worker for row in Heartbeat.objects.all()] == ["lately:1:aa"]


def test_a_database_that_cannot_be_written_meanwhile_does_not_end_the_beating(workspace: Workspace) -> None:
    with heartbeats.Beating(every=0.01) as beating:
        connection.cursor().execute("ALTER TABLE sending_heartbeat RENAME TO elsewhere").close()
        threading.Event().wait(0.05)
        connection.cursor().execute("ALTER TABLE elsewhere RENAME TO sending_heartbeat").close()
        assert beating._thread.is_alive()
