"""Carrying a mailing to a real SMTP server on loopback."""

from __future__ import annotations

from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import Workspace

from newsletter.sending import laws, mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Mailing
from newsletter.sending.transports.connection import Connection


def addresses(number: int) -> list[str]:
    return [f"person{n}@home.example" for n in range(number)]


def test_everybody_gets_one_copy(workspace: Workspace) -> None:
    people = addresses(40)
    workspace.people(*people, first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    with Sink() as sink:
        ended = drain(workspace.config, mailing, lambda: Connection(sink.relay), connections=4)
    assert ended.how is How.DONE
    assert sink.copies() == dict.fromkeys(people, 1)
    assert mailings.status(mailing)["accepted"] == 40
    assert mailing.state == Mailing.State.FINISHED
    assert laws.check(mailing) == []
