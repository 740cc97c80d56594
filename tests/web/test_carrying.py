"""`newsletter web` by itself: who signs up gets the mail though nobody started a worker; with one never twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from unittest import mock

import pytest

from newsletter.web import carrying
from newsletter.web.server import Server
from tests.together import together
from tests.web.conftest import Site
from tests.web.test_signup import sign_up
from tests.workspace import Workspace


@pytest.fixture(autouse=True)
def later() -> Iterator[None]:
    """Forms are filled in slowly enough."""
    from newsletter.web import filling

    with mock.patch.object(filling, "QUICKEST", 0.0):
        yield


def mails(workspace: Workspace) -> list[str]:
    """What the catcher has got, by subject."""
    return sorted(
        line
        for path in (workspace.root / "var" / "mail").glob("**/*.eml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("Subject:")
    )


def test_who_signs_up_gets_the_mail_without_a_worker(workspace: Workspace) -> None:
    from newsletter.sending import notices

    server = Server(workspace.config, "127.0.0.1:0")
    carried = threading.Event()
    whole = notices.deliver

    def deliver(*given: object) -> int:
        number = whole(*given)  # type: ignore[arg-type]
        carried.set()
        return number

    with mock.patch.object(notices, "deliver", deliver):
        thread = threading.Thread(target=server.run, kwargs={"carrying": True})
        thread.start()
        try:
            assert sign_up(Site(workspace, server.host, server.port)).status == 200
            assert carried.wait(30)
        finally:
            server.stop()
            thread.join(10)
    assert not thread.is_alive() and len(mails(workspace)) == 1


def test_while_a_worker_is_heard_it_is_left_to_the_worker(site: Site) -> None:
    from newsletter.audience.models import Request
    from newsletter.sending import heartbeats

    sign_up(site)
    heartbeats.beat("host:1:aa")
    assert carrying.turn(site.workspace.config) == 0
    assert Request.objects.get().told is None and not mails(site.workspace)


def test_a_worker_that_begins_in_the_same_moment_sends_no_second_mail(site: Site) -> None:
    from newsletter.sending import notices, own_asking

    sign_up(site)
    config = site.workspace.config
    turns = iter([lambda: carrying.turn(config), lambda: (own_asking.work(config), notices.deliver(config))])
    together(lambda: next(turns)())
    carrying.turn(config)
    assert len(mails(site.workspace)) == 1


def test_other_mail_of_ours_is_left_to_the_worker(workspace: Workspace) -> None:
    from newsletter.sending import notices
    from newsletter.sending.models import Notice

    data = b"From: a@council.example\r\nTo: b@home.example\r\nSubject: An answer\r\n\r\nHello\r\n"
    notices.queue(Notice.Kind.ANSWER, "b@home.example", data)
    assert carrying.turn(workspace.config) == 0
    assert Notice.objects.get().state == Notice.State.PENDING


def test_a_trouble_is_said_once_and_the_next_turn_comes(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    twice = threading.Event()
    calls: list[int] = []

    def turn(_: object) -> int:
        calls.append(1)
        if len(calls) == 2:
            twice.set()
        raise OSError("no space left")

    with (
        mock.patch.object(carrying, "turn", turn),
        mock.patch.object(carrying, "PAUSE", 0.01),
        carrying.Carrying(workspace.config, every=0.01),
    ):
        assert twice.wait(30)
    assert "no space left" in caplog.text
