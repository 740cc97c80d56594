"""PostgreSQL is restarted or falls over under a sender: nobody is lost, in doubt or mailed twice."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

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
    times = [20, 40]  # mails that have come when it is restarted

    def plan(phase: str, recipient: str) -> None:
        with turn:
            if phase == "dot" and times and len(server.mails) >= times[0]:
                times.pop(0)
                cluster.stop(mode)  # immediate: as if it were killed; what it had not put on its disk is forgotten
                cluster.start()

    turn = threading.Lock()
    with FaultyServer(plan) as server:
        ended = drain(
            workspace.config, mailing, lambda: Connection(server.relay()), connections=2, patience=timedelta(0)
        )
    assert not times and ended.how is How.DONE
    assert states() == dict.fromkeys(PEOPLE, "accepted")
    assert server.copies() == dict.fromkeys(PEOPLE, 1)
    assert laws.check(mailing) == []
