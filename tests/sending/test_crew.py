"""The loop and its connections: how many mails go over one of them, and what is counted for a relay's day."""

from __future__ import annotations

import threading
from collections import Counter

from newsletter.sending import carrier, mailings, relay_days
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Mailing
from newsletter.sending.progress import Ended
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
