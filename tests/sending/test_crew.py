"""The loop and its connections: how many mails go over one of them, and what is counted for a relay's day."""

from __future__ import annotations

import threading
from collections import Counter
from math import inf

import pytest

from newsletter.config import Relay
from newsletter.sending import carrier, mailings, providers, relay_days
from newsletter.sending.doorway import Doorway
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Mailing
from newsletter.sending.outbox import Leased
from newsletter.sending.pace import Pace
from newsletter.sending.progress import Ended
from newsletter.sending.waiting import Waiting
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import TOML, Workspace


class Counting:
    """A plan that counts mails by connection: a connection of the sink is a thread."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()

    def __call__(self, phase: str, recipient: str) -> str:
        self.mails[threading.current_thread().name] += phase == "late"
        return ""


def sent(workspace: Workspace, people: list[str], sink: Sink, relay: str) -> tuple[Mailing, Ended]:
    base = TOML.replace("[site]", '[site]\nurl = "https://news.council.example"') + 'transport = "smtp"\n'
    workspace.toml(f'[relays.main]\nhost = "127.0.0.1"\nport = {sink.port}\nconnections = 1\n{relay}\n', base)
    workspace.people(*people)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    with carrier.opened(workspace.config) as way:
        return mailing, drain(workspace.config, mailing, way.factory, ways=way.ways)


APPLE = [f"person{n}@icloud.com" for n in range(12)]  # providers.toml: five mails over one connection


def test_a_provider_gets_no_more_mails_over_one_connection_than_it_wants(workspace: Workspace) -> None:
    plan = Counting()
    with Sink(plan, keep_bodies=False) as sink:
        _, ended = sent(workspace, APPLE, sink, "providers = true")
    assert ended.how is How.DONE and sink.copies() == Counter(APPLE)
    assert sorted(plan.mails.values()) == [2, 5, 5]


def test_the_relays_own_number_counts_whoever_the_mails_are_for(workspace: Workspace) -> None:
    plan = Counting()
    with Sink(plan, keep_bodies=False) as sink:
        _, ended = sent(workspace, APPLE, sink, "providers = false\nmessages = 7")
    assert ended.how is How.DONE and sink.copies() == Counter(APPLE)
    assert sorted(plan.mails.values()) == [5, 7]


def test_every_mail_is_counted_for_its_day_though_nothing_is_limited(workspace: Workspace) -> None:
    with Sink(keep_bodies=False) as sink:
        sent(workspace, APPLE, sink, "providers = true")
    assert relay_days.day_used("main") == {"": 12, "icloud": 12}


def test_a_sender_that_keeps_its_distance_wakes_at_its_turn_and_not_later(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With looks every 50 ms a rate of 50 made 19 mails a second: each wait must end where the next mail may go."""
    naps: list[float] = []
    asked = Doorway.select

    def select(self: Doorway, seconds: float) -> object:
        naps.append(seconds)
        return asked(self, seconds)

    monkeypatch.setattr(Doorway, "select", select)
    with Sink(keep_bodies=False) as sink:
        _, ended = sent(workspace, [f"person{n}@home.example" for n in range(30)], sink, "rate = 60")
    assert ended.how is How.DONE
    assert [nap for nap in naps if 0.0105 < nap <= 1 / 60]  # 0.01 is the look with nobody there, 0.05 every other one


def test_the_next_turn_is_that_of_whoever_may_go_first() -> None:
    relay, table = Relay(host="h", rate=10.0), providers.table()
    pace, waiting = Pace(relay, table), Waiting(lambda domain: domain)
    assert waiting.soonest(pace, 0.0) == inf
    people = ("a@one.example", "b@two.example")
    waiting.add(Leased(n, 1, 0, one, one, "", "", {}, (), b"123456789") for n, one in enumerate(people))
    assert waiting.soonest(None, 0.0) == 0.0 == waiting.soonest(pace, 0.0)
    waiting.take(pace, 0.0)
    assert waiting.soonest(pace, 0.0) == pytest.approx(0.1)
    assert waiting.soonest(pace, 0.1) == 0.0
