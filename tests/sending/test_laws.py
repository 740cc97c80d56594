"""The laws of the ledger, each broken on purpose once: `status --verify` must notice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from newsletter.audience.models import Suppression
from newsletter.replies.models import Raw
from newsletter.sending import laws, mailings
from newsletter.sending.models import Delivery, Mailing, Tally
from newsletter.sending.outbox import Outbox
from newsletter.sending.store import Store
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import put
from tests.workspace import Workspace

pytestmark = pytest.mark.broken_books("each test breaks one law")


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    workspace.people("p1@home.example", "p2@home.example")
    made = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(made)
    assert laws.check(made) == []
    return made


def test_a_tally_that_tells_another_number_is_noticed(mailing: Mailing) -> None:
    Tally.objects.filter(mailing=mailing, state="pending").update(people=3)
    assert any("the tally says 3 pending, but 2 rows are" in wrong for wrong in laws.check(mailing))


def test_a_person_who_vanished_is_noticed(mailing: Mailing) -> None:
    Delivery.objects.filter(canonical="p1@home.example").delete()
    put("pending")
    assert laws.check(mailing) == ["2 people were frozen, but 1 are in the ten states"]


def test_finished_with_somebody_uncertain_is_noticed(mailing: Mailing) -> None:
    put("uncertain", "p1@home.example")
    Mailing.objects.update(state="finished")
    assert laws.check(mailing) == ["it is called finished, but 2 people are not settled"]


@pytest.mark.parametrize(("state", "noticed"), [("pending", True), ("cancelled", True), ("accepted", False)])
def test_an_answer_to_a_mail_that_never_left_is_noticed(mailing: Mailing, state: str, noticed: bool) -> None:
    put(state)
    row = Delivery.objects.get(canonical="p1@home.example")
    Raw.objects.create(sha256="1", recipient="r", channel="pipe", data=b"", kind="person", delivery=row)
    said = "1 people have answered or bounced a mail that these books say never left"
    assert laws.check(mailing) == ([said] if noticed else [])


@pytest.mark.parametrize(("hours", "noticed"), [(2, True), (0, False)])
def test_somebody_mailed_after_they_had_left_is_noticed(mailing: Mailing, hours: int, noticed: bool) -> None:
    put("accepted")
    Suppression.objects.create(canonical="p1@home.example", scope="bulk", reason="unsubscribed")
    Suppression.objects.update(at=timezone.now() - timedelta(hours=hours))
    said = "1 people were mailed although they had left before"
    assert laws.check(mailing) == ([said] if noticed else [])


def test_the_books_are_read_at_one_moment_while_mail_is_sent(mailing: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender moves people between two questions of the check; `status --verify` in cron must not cry wolf."""
    store, read = Store(), mailings.status
    outbox = Outbox(store, mailing)

    def read_and_then_somebody_is_taken(which: Mailing) -> dict[str, Any]:
        found = read(which)
        assert outbox.lease(1)[0]
        return found

    monkeypatch.setattr(mailings, "status", read_and_then_somebody_is_taken)
    try:
        assert laws.check(mailing) == []
        assert laws.check(mailing) == []
    finally:
        store.close()
