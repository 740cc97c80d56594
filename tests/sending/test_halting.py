"""What ends a mailing early ends it at once, and what is shown meanwhile costs nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django import db

from newsletter.sending import mailings
from newsletter.sending.drain import How
from newsletter.sending.models import Mailing
from newsletter.sending.store import Run, Store
from tests.sending.servers import Sink
from tests.sending.test_drain import plan, run, started
from tests.workspace import Workspace


def test_after_a_stop_no_body_begins_that_was_not_in_flight(workspace: Workspace) -> None:
    """Not within a second but at once: at most one more for each connection, however many were leased."""
    mailing = started(workspace, 200)
    begun: list[str] = []
    at_the_stop: list[int] = []

    def stopping(phase: str, recipient: str) -> str:
        if phase == "half":
            begun.append(recipient)
            if len(begun) == 20:
                mailings.stop(Mailing.objects.get())
                at_the_stop.append(len(begun))
                db.connection.close()
        return ""

    with Sink(stopping) as sink:
        ended = run(workspace, mailing, sink, connections=3)
    assert (ended.how, mailing.state) == (How.STOPPED, "stopped")
    assert at_the_stop and len(begun) - at_the_stop[0] <= 3
    assert ended.counts["accepted"] + ended.counts["cancelled"] == 200


def test_a_list_of_dead_addresses_pauses_and_says_so(workspace: Workspace) -> None:
    mailing = started(workspace, 200)
    with Sink(plan(rcpt="550 5.1.1 No such user")) as sink:
        ended = run(workspace, mailing, sink)
        assert (ended.how, mailing.state) == (How.PAUSED, "paused")
        assert ended.words.startswith("50 of the first 50 addresses were refused, 100 %")
        assert ended.words == mailing.paused_why
        assert 50 <= ended.counts["failed"] <= 53 and not sink.mails
        sink.plan = plan()
        mailings.resume(mailing)
        assert run(workspace, mailing, sink).counts["accepted"] == 200 - ended.counts["failed"]


def test_nobody_is_counted_on_the_path_of_sending(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers are kept by difference: a COUNT over a million rows once took a whole service down."""
    mailing = started(workspace, 60)
    said: list[str] = []
    original = Store.__init__

    def listening(self: Store) -> None:
        original(self)
        self.connection.ensure_connection()
        if self.is_sqlite:
            self.connection.connection.set_trace_callback(said.append)
        else:
            self.connection.execute_wrappers.append(lambda run, sql, *more: said.append(sql) or run(sql, *more))

    def told(self: Run, sql: str, params: Any) -> Any:
        said.append(sql)
        return prepared(self, sql, params)

    prepared = Run.prepared
    monkeypatch.setattr(Run, "prepared", told)
    monkeypatch.setattr(Store, "__init__", listening)
    with Sink() as sink:
        assert run(workspace, mailing, sink).how is How.DONE
    assert any("sending_tally" in sql for sql in said) and any("sending_delivery" in sql for sql in said)
    assert not [sql for sql in said if "COUNT(" in sql.upper()]
