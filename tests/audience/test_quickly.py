"""Rows read and written the short way are those that the models read and write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from newsletter.audience import quickly, requests
from newsletter.audience.models import ConsentEvent, Request, Subscriber, Subscription
from newsletter.mail.tokens import new_id
from tests.workspace import Workspace

SAM = "sam@example.org"
ODD = {"ward": "Château d'If", "tags": ["a%s", "100 %", '"quoted"', "\\"], "areas": []}


def facts(row: object) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def test_a_row_has_the_values_that_its_model_has(workspace: Workspace) -> None:
    workspace.people(SAM, name="Zoë", attributes=ODD)
    found = quickly.first(Subscriber, "canonical = %s", [SAM])
    assert found and facts(found) == facts(Subscriber.objects.get())
    assert found.attributes == ODD and found.created.tzinfo == UTC
    assert quickly.first(Subscriber, "canonical = %s", ["nobody@example.org"]) is None


def test_of_a_row_only_the_columns_are_read_that_are_asked_for(workspace: Workspace) -> None:
    workspace.people(SAM)
    [found] = quickly.every(Subscriber, "canonical = %s", [SAM], ("canonical", "id"), {"lists": "(SELECT 3 + 4)"})
    assert {"id", "canonical", "lists"} == facts(found).keys() and vars(found)["lists"] == 7
    assert found.get_deferred_fields() >= {"attributes", "created"}
    with pytest.raises(ValueError, match="nonsense"):
        quickly.first(Subscriber, "canonical = %s", [SAM], ("nonsense",))


def test_lists_that_a_person_is_on_come_with_the_end_of_their_pause(workspace: Workspace) -> None:
    [person] = workspace.people(SAM, lists=("all-residents", "monthly", "left-long-ago"))
    until = datetime(2099, 1, 1, 12, 30, tzinfo=UTC)
    Subscription.objects.filter(list__key="monthly").update(paused_until=until)
    Subscription.objects.filter(list__key="left-long-ago").update(state="left")
    assert quickly.confirmed(person) == {"all-residents": None, "monthly": until}


def test_a_new_row_is_what_its_model_would_have_written(workspace: Workspace) -> None:
    values = {"token": new_id(), "kind": "data", "canonical": SAM, "address": SAM, "facts": ODD}
    row = Request(**values, expires=datetime(2099, 1, 1, tzinfo=UTC))
    quickly.insert(row)
    assert facts(Request.objects.get()) == facts(row) and not row._state.adding
    with pytest.raises(IntegrityError), transaction.atomic():
        quickly.insert(Request(**values, expires=row.expires))
    assert requests.find(bytes(row.token))[0] == row


def test_a_moment_compares_with_what_the_models_wrote(workspace: Workspace) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)
    ConsentEvent.objects.create(canonical=SAM, event="left", channel="page", at=moment)
    count = 'SELECT COUNT(*) FROM audience_consentevent WHERE "at" >= %s'
    assert quickly.number(count, [moment]) == 1
    assert quickly.number(count, [moment + timedelta(microseconds=1)]) == 0


def test_a_page_goes_on_while_a_newer_version_adds_a_column(workspace: Workspace) -> None:
    workspace.people(SAM)
    with transaction.atomic():
        for step in range(12):  # PostgreSQL keeps a plan for good from the sixth time on
            if step == 8 and connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("ALTER TABLE audience_subscriber ADD COLUMN shoe_size integer")
            found = quickly.held(Subscriber, "canonical = %s", [SAM])
            assert found and found.canonical == SAM
        transaction.set_rollback(True)
