"""kill -9 at any moment: nobody is lost, nobody is mailed twice in silence, as counted by the catcher.

Every run is seeded; the seed is in the test's name. Twelve every day, 40 in --everything, and `make chaos` runs 200 on
both databases and sums them up (NEWSLETTER_CHAOS, NEWSLETTER_CHAOS_NOTES).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from newsletter.sending import laws, mailings
from newsletter.sending.models import Delivery, Mailing
from tests.chaos.conftest import CatcherElsewhere, Senders
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import Workspace

CONNECTIONS = 3
PEOPLE = [f"person{n}@home.example" for n in range(40)]


def approved(workspace: Workspace) -> Mailing:
    workspace.people(*PEOPLE, first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    connection.close()
    return mailing


def states() -> dict[str, str]:
    found = dict(Delivery.objects.values_list("canonical", "state"))
    connection.close()
    return found


def everybody_is_accounted_for(mailing: Mailing, copies: Counter[str], kills: int, *, at_the_end: bool) -> None:
    """The server's count against the books: L1 to L3, and at the end nobody waits."""
    found = states()
    assert sorted(found) == sorted(PEOPLE)
    assert max(copies.values(), default=0) <= 1, "somebody was mailed twice"
    for person, state in found.items():
        if copies[person]:
            # A copy at the server is known as accepted, or as one that nobody can be sure of.
            assert state in ("accepted", "uncertain", "inflight"), f"{person} has a copy and is {state}"
        else:
            assert state != "accepted", f"{person} is called accepted and has nothing"
    if at_the_end:
        counts = Counter(found.values())
        assert set(counts) <= {"accepted", "uncertain"}, counts
        assert counts["uncertain"] <= kills * CONNECTIONS
        assert laws.check(mailing) == []
    connection.close()


def noted(kills: int, copies: Counter[str], mailing: Mailing) -> None:
    """One line for the summary of `make chaos`: what this run came to, before anything is asserted."""
    if not (notes := os.environ.get("NEWSLETTER_CHAOS_NOTES")):
        return
    found = states()
    counts = Counter(found.values())
    line = {
        "database": connection.vendor,
        "kills": kills,
        "people": len(PEOPLE),
        "accepted": counts["accepted"],
        "uncertain": counts["uncertain"],
        "most uncertain": kills * CONNECTIONS,
        # Lost: nobody knows of them any more, or they are called accepted and have nothing.
        "lost": sum(1 for person in PEOPLE if found.get(person) not in ("accepted", "uncertain"))
        + sum(1 for person, state in found.items() if state == "accepted" and not copies[person]),
        "twice": sum(number - 1 for number in copies.values() if number > 1),
        "laws": laws.check(mailing),
    }
    connection.close()
    with Path(notes).open("a", encoding="utf-8") as file:  # one write a line: several processes append
        file.write(json.dumps(line) + "\n")


def runs(pytestconfig: pytest.Config) -> int:
    return int(os.environ.get("NEWSLETTER_CHAOS", 40 if pytestconfig.getoption("--everything") else 12))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(runs(metafunc.config)))


def test_killed_at_random_moments(workspace: Workspace, senders: Senders, catcher: CatcherElsewhere, seed: int) -> None:
    chance = random.Random(seed)
    mailing = approved(workspace)
    kills = chance.randint(1, 3)
    killed = 0
    for _ in range(kills):
        pid = senders.start(workspace, catcher.port, connections=CONNECTIONS)
        wait_for(catcher, catcher.number() + chance.randint(0, len(PEOPLE) // 2))
        time.sleep(chance.uniform(0, 0.02))
        killed += senders.kill(pid) == -9
        everybody_is_accounted_for(mailing, catcher.copies(), killed, at_the_end=False)
    senders.start(workspace, catcher.port, connections=CONNECTIONS)
    senders.wait()
    noted(killed, catcher.copies(), mailing)
    everybody_is_accounted_for(mailing, catcher.copies(), killed, at_the_end=True)


@pytest.mark.parametrize("start", range(3))
def test_an_urgent_mailing_reaches_everybody_though_its_sender_is_killed(
    workspace: Workspace, senders: Senders, catcher: CatcherElsewhere, start: int
) -> None:
    """At least once: whoever was in doubt is sent it again, by itself, and nobody else is."""
    chance = random.Random(start)
    mailing = approved(workspace)
    mailing.settings["lists"]["all-residents"]["urgent"] = True
    mailing.save(update_fields=["settings"])
    connection.close()
    killed = 0
    for _ in range(2):
        pid = senders.start(workspace, catcher.port, connections=CONNECTIONS)
        wait_for(catcher, catcher.number() + chance.randint(1, len(PEOPLE) // 3))
        killed += senders.kill(pid) == -9
    senders.start(workspace, catcher.port, connections=CONNECTIONS)
    senders.wait()
    assert Counter(states().values()) == {"accepted": len(PEOPLE)}
    copies = catcher.copies()
    assert sorted(copies) == sorted(PEOPLE), "somebody has nothing"
    assert sum(copies.values()) - len(PEOPLE) <= killed * CONNECTIONS
    assert laws.check(mailing) == [] and Mailing.objects.get().state == "finished"
    connection.close()


def wait_for(catcher: CatcherElsewhere, number: int, seconds: float = 5.0) -> None:
    """Until so many mails are caught, everybody is, or the sender has died early."""
    end = time.monotonic() + seconds
    while catcher.number() < min(number, len(PEOPLE)) and time.monotonic() < end:
        time.sleep(0.001)


@pytest.mark.parametrize("after", [1, 7])
@pytest.mark.parametrize(
    ("point", "in_doubt"),
    [
        ("before lease", 0),
        ("after lease", 0),
        ("before write", None),
        ("after write", None),
        ("before put", None),
        ("after put", None),  # before the commit
        ("before _begin", None),
        ("after _begin", None),
        ("before _settle", None),
        ("after _settle", None),
    ],
)
def test_killed_at_a_named_point(
    workspace: Workspace, senders: Senders, point: str, in_doubt: int | None, after: int
) -> None:
    if connection.vendor != "sqlite" and point.endswith(("_begin", "_settle")):
        pytest.skip("PostgreSQL writes both in one statement: put")
    mailing = approved(workspace)
    if point.endswith("lease"):
        after = min(after, 1)
    with Sink() as sink:
        senders.start(workspace, sink.port, connections=CONNECTIONS, point=point, after=after)
        assert senders.wait() == -9
        # The others were in the middle of something when it died: give the server a moment to hear that.
        settle_down(sink)
        everybody_is_accounted_for(mailing, sink.copies(), 1, at_the_end=False)
        senders.start(workspace, sink.port, connections=CONNECTIONS)
        senders.wait()
    everybody_is_accounted_for(mailing, sink.copies(), 1, at_the_end=True)
    if in_doubt is not None:
        assert Counter(states().values())["uncertain"] == in_doubt


@pytest.mark.parametrize("phase", ["greeting", "mail", "rcpt", "data", "half", "dot", "late"])
def test_killed_in_a_phase_of_the_talk(workspace: Workspace, senders: Senders, phase: str) -> None:
    """The server itself kills the sender: at the greeting, before the body, in the middle of it, after the dot
    and before the 250, and just after the 250."""
    mailing = approved(workspace)
    target: list[int] = []
    killed: list[int] = []

    passed = 0

    def plan(now: str, recipient: str) -> str:
        nonlocal passed
        passed += now == phase
        if not killed and passed == (1 if phase == "greeting" else 10):
            wait_until(lambda: target)
            killed.append(senders.kill(target[0]))
        return ""

    with Sink(plan) as sink:
        target.append(senders.start(workspace, sink.port, connections=1))
        wait_until(lambda: killed)
        assert killed == [-9]
        settle_down(sink)
        everybody_is_accounted_for(mailing, sink.copies(), 1, at_the_end=False)
        before = Counter(states().values())
        senders.start(workspace, sink.port, connections=1)
        assert senders.wait() == 0
    everybody_is_accounted_for(mailing, sink.copies(), 1, at_the_end=True)
    uncertain = Counter(states().values())["uncertain"]
    assert uncertain == before["inflight"] <= 1
    if phase in ("greeting", "mail", "rcpt"):
        assert uncertain == 0  # nothing of the body could have left
    if phase in ("half", "dot"):
        assert uncertain == 1


def settle_down(sink: Sink) -> None:
    """Until the server has read what the dead sender's connections still held."""
    wait_until(lambda: not sink._open)


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)
