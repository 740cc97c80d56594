"""Several processes at one mailing: everybody once, whichever of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest
from django.db import connection

from newsletter.sending import carrier, helpers, laws, mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.progress import Progress
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import TOML, Workspace

PEOPLE = [f"person{n}@home.example" for n in range(400)]


def ready(workspace: Workspace, sink: Sink, more: str = "") -> Mailing:
    relay = f'[relays.main]\nhost = "127.0.0.1"\nport = {sink.port}\nconnections = 4\nproviders = false\n'
    base = TOML.replace("[site]", '[site]\nurl = "https://news.council.example"') + 'transport = "smtp"\n'
    workspace.toml(f"{relay}[sending]\nprocesses = 2\n{more}", base)
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    connection.close()
    return mailing


def workers() -> set[str]:
    return set(Delivery.objects.values_list("worker", flat=True).distinct())


class Noting(helpers.Helpers):
    """Remembers the processes that were started."""

    started: list[subprocess.Popen[bytes]]

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        type(self).started = self._running


def test_two_processes_share_a_mailing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.sending.drain.Helpers", Noting)
    with Sink(keep_bodies=False) as sink:
        mailing = ready(workspace, sink)
        with carrier.opened(workspace.config) as way:
            ended = drain(workspace.config, mailing, way.factory, ways=way.ways)
    assert [process.returncode for process in Noting.started] == [0]
    assert (ended.how, ended.counts["accepted"], ended.sent) == (How.DONE, 400, 400)
    assert sink.copies() == Counter(PEOPLE)
    assert laws.check(mailing) == []
    assert mailing.state == "finished"


def test_a_helper_that_is_killed_leaves_nobody_behind(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.sending.drain.Helpers", Noting)

    def kill(progress: Progress) -> None:
        if len(workers()) > 2 and Noting.started[0].poll() is None:  # "" is who waits, and there are two who work
            os.kill(Noting.started[0].pid, signal.SIGKILL)

    with Sink(keep_bodies=False) as sink:
        mailing = ready(workspace, sink)
        with carrier.opened(workspace.config) as way:
            ended = drain(workspace.config, mailing, way.factory, kill, ways=way.ways)
    counts = ended.counts
    assert counts["accepted"] + counts["uncertain"] == 400
    assert counts["uncertain"] <= 2  # its connections: half of four
    assert max(sink.copies().values()) == 1 and len(sink.copies()) >= counts["accepted"]
    assert laws.check(mailing) == []


def test_a_helper_that_pauses_the_mailing_ends_it_for_all(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the helper's breaker speaks here: the first process must learn it, not wait to be resumed."""
    monkeypatch.setattr("newsletter.sending.drain.Breaker.saw", lambda *_: "")
    monkeypatch.setattr("newsletter.sending.holding.BATCH", 20)  # so that there are people left for the helper
    end = time.monotonic() + 90

    def wait_for_the_helper(_: Progress) -> None:
        while len(workers() - {""}) < 2 and time.monotonic() < end:
            threading.Event().wait(0.02)

    with Sink(lambda phase, _: "550 5.7.26 unauthenticated" if phase == "dot" else "", keep_bodies=False) as sink:
        mailing = ready(workspace, sink)
        with carrier.opened(workspace.config) as way:
            ended = drain(
                workspace.config, mailing, way.factory, wait_for_the_helper, lambda: time.monotonic() > end,
                ways=way.ways,
            )  # fmt: skip
    assert (ended.how, mailing.state) == (How.PAUSED, "paused")
    assert "5.7.26" in ended.words and ended.words == mailing.paused_why
    assert laws.check(mailing) == []
