"""Two relays and real servers: the second carries while the first is away, refuses its sign-in or has had its day."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from newsletter.sending import carrier, mailings, relay_days, relays
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.progress import Ended
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import HANG_UP, Sink
from tests.workspace import TOML, Workspace

PEOPLE = [f"person{number}@home.example" for number in range(24)]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "RESTS", (0.05,))


def send(workspace: Workspace, main: Sink, spare: Sink, more: str = "", spares: str = "", slug: str = "a") -> Ended:
    base = TOML.replace("[site]", '[site]\nurl = "https://news.council.example"') + 'transport = "smtp"\n'
    blocks = (
        f'[relays.{key}]\nhost = "127.0.0.1"\nport = {sink.port}\nconnections = 2\nproviders = false\n{own}\n'
        for key, sink, own in (("main", main, more), ("spare", spare, spares))
    )
    workspace.toml("".join(blocks), base)
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug))
    mailings.start(mailing)
    with carrier.opened(workspace.config) as way:
        return drain(workspace.config, mailing, way.factory, ways=way.ways, patience=timedelta(0))


def once_each(*sinks: Sink) -> None:
    assert sum((sink.copies() for sink in sinks), Counter[str]()) == Counter(PEOPLE)


def by_relay() -> dict[str, int]:
    return Counter(Delivery.objects.values_list("relay", flat=True))


def test_when_the_day_of_the_first_is_used_up_the_second_carries_to_the_mail(workspace: Workspace) -> None:
    with Sink() as main, Sink() as spare:
        ended = send(workspace, main, spare, "day = 5")
        assert (ended.how, ended.counts["accepted"]) == (How.DONE, 24)
        assert (len(main.mails), len(spare.mails)) == (5, 19)
        once_each(main, spare)
        assert by_relay() == {"main": 5, "spare": 19}
        assert relay_days.day_used("main")[""] == 5
        send(workspace, main, spare, "day = 5", slug="b")  # another mailing on the same day
        assert (len(main.mails), len(spare.mails)) == (5, 19 + 24)


def test_when_all_days_are_used_up_the_rest_waits_and_it_is_said(workspace: Workspace) -> None:
    with Sink() as main, Sink() as spare:
        ended = send(workspace, main, spare, "day = 5", "day = 4")
    assert (ended.how, ended.counts["accepted"], ended.counts["pending"]) == (How.LATER, 9, 15)
    assert "main: its day is used up" in ended.words and "spare: its day is used up" in ended.words
    assert Mailing.objects.get().state == "sending"


@pytest.mark.parametrize("phase", ["mail", "rcpt", "dot"])
def test_a_relay_that_says_that_its_day_is_used_up_refuses_nobody(workspace: Workspace, phase: str) -> None:
    no_more = "550 5.4.5 Daily SMTP relay limit exceeded"
    with Sink(lambda now, _: no_more if now == phase else "") as main, Sink() as spare:
        ended = send(workspace, main, spare)
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 24)
    assert not main.mails
    once_each(spare)


def test_one_that_goes_away_in_mid_send_is_stood_in_for_and_comes_back(workspace: Workspace) -> None:
    away: list[str] = []

    def leaving(phase: str, recipient: str) -> str:
        if phase == "greeting" and away and len(away) < 4:
            away.append("still")
            return "421 4.3.2 shutting down"
        if phase == "data" and len(main.mails) >= 6 and len(away) < 2:
            away.append(recipient)
            return HANG_UP
        return ""

    with Sink(leaving) as main, Sink(slowly(lambda: len(main.mails) <= 6)) as spare:
        ended = send(workspace, main, spare)
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 24)
    once_each(main, spare)
    assert spare.mails and len(main.mails) > 6


def slowly(while_: Callable[[], bool]) -> Callable[[str, str], str]:
    """Takes its time, so that there are people left for the other."""
    return lambda phase, _: (time.sleep(0.2) if phase == "dot" and while_() else None) or ""


def test_one_that_refuses_our_sign_in_is_left_alone_and_the_other_carries(workspace: Workspace) -> None:
    (workspace.root / "password").write_text("wrong")
    login = f'user = "us"\npassword_file = "{workspace.root / "password"}"'
    offer = "250-sink.example\r\n250 AUTH PLAIN"
    with Sink(lambda phase, _: offer if phase == "ehlo" else "") as main, Sink() as spare:
        ended = send(workspace, main, spare, login)
    # The sink answers AUTH with 250, which is no 235: the sign-in has failed.
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 24)
    assert not main.mails
    once_each(spare)


def test_one_without_the_encryption_that_was_asked_for_gets_nothing(workspace: Workspace) -> None:
    with Sink() as main, Sink() as spare:
        ended = send(workspace, main, spare, 'tls = "starttls"')
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 24)
    assert not main.senders
    once_each(spare)


def test_whom_the_first_left_in_doubt_the_second_is_not_asked_for(workspace: Workspace) -> None:
    with Sink(lambda phase, _: HANG_UP if phase == "dot" else "") as main, Sink() as spare:
        ended = send(workspace, main, spare)
    counts = ended.counts
    assert counts["uncertain"] >= 1 and counts["accepted"] + counts["uncertain"] == 24
    assert counts["uncertain"] == len(main.mails)
    once_each(main, spare)
