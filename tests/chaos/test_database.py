"""PostgreSQL is restarted under a sender: it stops in words or goes on, and nobody is lost or mailed twice."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from newsletter.problems import NewsletterError
from newsletter.sending import laws
from newsletter.sending.drain import How, drain
from newsletter.sending.transports.connection import Connection
from tests.chaos.faulty import FaultyServer
from tests.chaos.test_matrix import quickly, started, states  # noqa: F401 (quickly is a fixture)
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(60)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarted_in_mid_send_loses_nobody(
    workspace: Workspace, request: pytest.FixtureRequest, mode: str
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("about PostgreSQL: run with --database postgresql")
    cluster: Any = request.getfixturevalue("cluster")
    mailing = started(workspace, PEOPLE)
    down, up = threading.Event(), threading.Event()

    def plan(phase: str, recipient: str) -> None:
        if phase == "dot" and len(server.mails) >= 20 and not down.is_set():
            down.set()
            cluster.stop(mode)
            cluster.start()
            up.set()

    with FaultyServer(plan) as server:
        kills = 0
        for _ in range(4):
            connections.close_all()
            try:
                ended = drain(
                    workspace.config, mailing, lambda: Connection(server.relay()), connections=2, patience=timedelta(0)
                )
            except NewsletterError as error:
                assert error.problems[0].message
                kills += 1
                assert up.wait(60)
                continue
            if ended.how is How.DONE:
                break
    found = states()
    assert up.is_set()
    assert sorted(found) == sorted(PEOPLE)
    assert set(found.values()) <= {"accepted", "uncertain"}
    # At most one for each connection and restart: those that the sender rode through by itself count, too.
    assert Counter(found.values())["uncertain"] <= 2 * (kills + 1)
    assert max(server.copies().values()) == 1
    assert all(server.copies()[person] == 1 for person, state in found.items() if state == "accepted")
    assert laws.check(mailing) == []
