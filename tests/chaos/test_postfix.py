"""With a real Postfix as next hop: after kill -9 its log says what became of everybody in doubt, and nobody is left."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection

from newsletter.config import Relay
from newsletter.sending import laws
from newsletter.sending.models import Mailing
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.outcome import Accepted, Refused
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


def noted(kills: int, uncertain: int, left: int, copies: Counter[str]) -> None:
    """One line for the summary of `make chaos`."""
    if not (notes := os.environ.get("NEWSLETTER_CHAOS_NOTES")):
        return
    twice = sum(number - 1 for number in copies.values() if number > 1)
    line = {"kills": kills, "people": len(PEOPLE), "uncertain": uncertain, "left": left, "twice": twice}
    connection.close()
    with Path(notes).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


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
        left = Counter(states().values())["uncertain"]
        noted(killed, after_the_kills["uncertain"], left, end.copies())
        assert not left
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


# What mail servers have read as the end of a text, and what would come after it.
CLEAN = (b"words", b"\r\n", b".", b"\r\n.", b"..\r\n", b"MAIL FROM:<eve@x.example>\r\n", b"RCPT TO:<bob@x.example>\r\n")
ODD = (b"\r", b"\n", b"\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r.\r\n", b"\0", b"\r\n.\0\r\n")


def test_whatever_bytes_a_mail_is_made_of_postfix_takes_one_mail_or_it_never_leaves() -> None:
    chance = random.Random(9)
    taken: list[str] = []
    with FaultyServer() as end, postfix(end.port) as hop:
        with Connection(Relay(host="127.0.0.1", port=hop.port)) as link:
            for number in range(300):
                pieces = CLEAN if number % 2 else CLEAN + ODD
                body = b"".join(chance.choices(pieces, k=chance.randint(1, 12)))
                person = f"person{number}@home.example"
                outcome = link.send("b@home.example", person, b"Subject: x\r\n\r\n" + body + b"\r\nDATA\r\n")
                assert isinstance(outcome, Accepted | Refused)
                taken += [person] * isinstance(outcome, Accepted)
        hop.until_empty()
        wait_until(lambda: len(end.mails) >= len(taken))
    assert end.copies() == dict.fromkeys(taken, 1)
    assert 150 <= len(taken) < 300
