"""Empty fields are counted among exactly the people who will get the mail."""

from __future__ import annotations

from newsletter.audience import checking, subscribing
from tests.workspace import Workspace


def test_empty_fields_are_counted_once_per_person_who_gets_the_mail(workspace: Workspace) -> None:
    workspace.people("a@example.org", first_name="Ada", attributes={"ward": "North", "areas": ["North"]})
    workspace.people("b@example.org", first_name="  ", attributes={"ward": ""})
    workspace.people("c@example.org", lists=("all-residents", "monthly"), attributes={"areas": [], "tags": ["young"]})
    workspace.people("gone@example.org")
    subscribing.suppress("gone@example.org", "all", "gone", "mail")
    found = checking.empty_fields(
        workspace.config, ["all-residents", "monthly"], ["first_name", "ward", "area", "tag", "email", "ward"]
    )
    assert found == {"first_name": 2, "ward": 2, "area": 2, "tag": 2}


def test_nothing_asked_or_nothing_empty_is_an_empty_answer(workspace: Workspace) -> None:
    workspace.people("a@example.org", first_name="Ada")
    assert checking.empty_fields(workspace.config, ["all-residents"], []) == {}
    assert checking.empty_fields(workspace.config, ["all-residents"], ["first_name"]) == {}
