"""With a real Postfix as next hop: after kill -9 its log says what became of everybody in doubt, and nobody is left."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from django.db import connection

from newsletter.config import Relay
from newsletter.sending import laws
from newsletter.sending.models import Mailing
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.outcome import Accepted
from tests.chaos.conftest import Senders
from tests.chaos.faulty import FaultyServer
from tests.chaos.test_kill import CONNECTIONS, PEOPLE, approved, states, wait_until
from tests.postfix import Postfix, postfix
from tests.workspace import Workspace

pytestmark = pytest.mark.integration
LATER = "later@home.example"


def kill_and_go_on(
    workspace: Workspace, senders: Senders, hop: Postfix, end: FaultyServer, chance: random.Random
) -> int:
    """Kill two or three times after some mails, then let it finish. Returns how many were killed in earnest."""
    killed = 0
    for _ in range(chance.randint(2, 3)):
        wanted = len(end.mails) + chance.randint(1, len(PEOPLE) // 3)
        pid = senders.start(workspace, hop.port, connections=CONNECTIONS)
        wait_until(lambda wanted=wanted: len(end.mails) >= min(wanted, len(PEOPLE)), 5)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.01))
        killed += senders.kill(pid) == -9
    senders.start(workspace, hop.port, connections=CONNECTIONS)
    senders.wait()
    return killed


def let_the_log_go_on(hop: Postfix) -> None:
    """A mail of somebody else, in a later second: a log that ends before an attempt proves nothing about it."""
    time.sleep(1.1)  # the log tells whole seconds
    with Connection(Relay(host="127.0.0.1", port=hop.port)) as other:
        assert isinstance(other.send("else@home.example", LATER, b"Subject: later\r\n\r\nlater\r\n"), Accepted)
    hop.until_empty()


@pytest.mark.parametrize("seed", range(5))
def test_killed_and_settled_by_the_log_nobody_is_left_in_doubt(
    workspace: Workspace, senders: Senders, seed: int
) -> None:
    mailing = approved(workspace)
    with FaultyServer() as end, postfix(end.port) as hop:
        killed = kill_and_go_on(workspace, senders, hop, end, random.Random(seed))
        hop.until_empty()
        after_the_kills = Counter(states().values())
        assert set(after_the_kills) <= {"accepted", "uncertain"}
        assert after_the_kills["uncertain"] <= killed * CONNECTIONS
        assert max(end.copies().values()) == 1
        let_the_log_go_on(hop)
        workspace.ready()
        settled = workspace.run("settle", "--yes", "--margin", "0", "--postfix-log", str(hop.log))
        assert settled.exit == 0, settled.out + settled.err
        assert not Counter(states().values())["uncertain"]
        # Whoever the log has never heard of waits again.
        senders.start(workspace, hop.port, connections=CONNECTIONS)
        senders.wait()
        hop.until_empty()
        wait_until(lambda: len(end.mails) > len(PEOPLE))
    assert end.copies() == {**dict.fromkeys(PEOPLE, 1), LATER: 1}
    assert Counter(states().values()) == {"accepted": len(PEOPLE)}
    assert laws.check(mailing) == []
    assert Mailing.objects.get().state == "finished"
    connection.close()
