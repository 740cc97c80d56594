"""`newsletter recipients lists|add|edit|remove|clean`: one person's record, by a colleague, with proof."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from newsletter.audience import never, subscribing
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from tests.workspace import Workspace

SAM = "sam@example.org"
ADD = ("recipients", "add", "Sam@Example.org", "--list", "monthly", "--told", "Yes, the monthly letter.")


def said(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    ran = workspace.run("recipients", *arguments, "--json")
    assert ran.exit == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_a_person_is_added_with_what_they_were_told(workspace: Workspace) -> None:
    ran = workspace.run(*ADD, "--set", "name=Sam", "--set", "ward=North", "--set", "tags=press; chairs")
    assert ran.exit == 0 and "Added sam@example.org to monthly" in ran.out
    person = Subscriber.objects.get()
    assert (person.address, person.name) == ("Sam@Example.org", "Sam")
    assert person.attributes == {"ward": "North", "tags": ["press", "chairs"]}
    event = ConsentEvent.objects.get()
    assert event.wording and event.wording.text == "Yes, the monthly letter." and event.by
    assert "already" in workspace.run(*ADD).out


def test_who_left_stays_off_until_they_ask_and_who_must_not_be_mailed_is_refused(workspace: Workspace) -> None:
    workspace.people(SAM, lists=("monthly",))
    subscribing.leave(SAM, ["monthly"], "page")
    ran = workspace.run(*ADD)
    assert ran.exit == 0 and "stays off; --again" in ran.out
    assert "Added" in workspace.run(*ADD, "--again").out
    subscribing.suppress(SAM, "bulk", "complaint", "mail")
    ran = workspace.run(*ADD, "--again")
    assert ran.exit == 4 and "must not be mailed" in ran.err


def test_a_slip_in_a_field_says_what_was_meant(workspace: Workspace) -> None:
    ran = workspace.run(*ADD, "--set", "wrad=North", "--set", "meeting=tomorrow", "--set", "language=English")
    assert ran.exit == 2 and not Subscriber.objects.exists()
    for words in ("ward", "2026-12-08", "cy"):
        assert words in ran.err
    assert workspace.run(*ADD, "--set", "ward").exit == 2


def test_an_edit_changes_what_is_named_and_nothing_else(workspace: Workspace) -> None:
    workspace.people(SAM, name="Sam", attributes={"ward": "North"})
    found = said(workspace, "edit", SAM, "--set", "ward=", "--set", "language=cy", "--leave", "all-residents")
    assert found["changed"] == ["ward", "language", "all-residents"]
    person = Subscriber.objects.get()
    assert (person.name, person.language, person.attributes) == ("Sam", "cy", {})
    assert said(workspace, "edit", SAM, "--set", "language=cy")["changed"] == []
    assert workspace.run("recipients", "edit", "nobody@example.org", "--set", "name=X").exit == 1


def test_a_new_address_that_is_somebody_elses_is_refused(workspace: Workspace) -> None:
    workspace.people(SAM, "ann@example.org")
    assert workspace.run("recipients", "edit", SAM, "--address", "ann@example.org").exit == 4
    assert said(workspace, "edit", SAM, "--address", "sam@new.example", "--why", "rang")["changed"] == ["address"]
    assert not Subscriber.objects.filter(canonical=SAM).exists()


def test_removing_asks_and_no_import_brings_the_person_back(workspace: Workspace) -> None:
    workspace.people(SAM)
    ran = workspace.run("recipients", "remove", SAM, "--why", "moved away")
    assert ran.exit == 2 and "cannot be undone" in ran.err and Subscriber.objects.exists()
    assert workspace.run("recipients", "remove", SAM, "--why", "moved away", "--yes").exit == 0
    workspace.write("recipients/people.csv", f"email\n{SAM}\n")
    workspace.run("recipients", "import", "recipients/people.csv", "--list", "monthly", "--yes", "--consent", "x")
    assert not Subscriber.objects.exists() and never.found(SAM)


def test_the_lists_show_who_gets_them_who_waits_who_pauses_and_who_left(workspace: Workspace) -> None:
    workspace.people(SAM, "ann@example.org", "joe@example.org", "old@example.org")
    subscribing.leave("ann@example.org", ["all-residents", "closed"], "page")
    subscribing.pause("joe@example.org", [], timezone.now() + timedelta(days=9), "page")
    subscribing.pause("old@example.org", [], timezone.now() - timedelta(days=9), "page")
    subscribing.ask("new@example.org", "new@example.org", ["all-residents"], "page")
    found = {one["key"]: one for one in said(workspace, "lists")["lists"]}
    assert [found["all-residents"][what] for what in ("confirmed", "pending", "paused", "left")] == [2, 1, 1, 1]
    assert found["monthly"]["confirmed"] == 0 and not found["closed"]["configured"]
    assert "All residents" in workspace.run("recipients", "lists").out


def long_ago(days: int) -> Any:
    return timezone.now() - timedelta(days=days)


def test_cleaning_takes_out_the_dead_and_who_never_confirmed_and_nobody_else(workspace: Workspace) -> None:
    workspace.people(SAM, "dead@example.org", "info@example.org")
    subscribing.suppress("dead@example.org", "all", "gone", "mail")
    Suppression.objects.update(at=long_ago(100))
    subscribing.ask("never@example.org", "never@example.org", ["monthly"], "page")
    subscribing.ask("soon@example.org", "soon@example.org", ["monthly"], "page")
    subscribing.ask(SAM, SAM, ["monthly"], "page")
    waits = Subscription.objects.filter(state="pending").exclude(subscriber__canonical="soon@example.org")
    waits.update(changed=long_ago(40))
    dry = said(workspace, "clean", "--dry-run", "--roles")
    assert dry["found"] == {
        "gone": ["dead@example.org"],
        "unconfirmed": ["never@example.org"],
        "role": ["info@example.org"],
    }
    assert Subscriber.objects.count() == 5
    ran = workspace.run("recipients", "clean")
    assert ran.exit == 2 and "cannot be undone" in ran.err
    assert said(workspace, "clean", "--yes")["removed"] == 2
    left = set(Subscriber.objects.values_list("canonical", flat=True))
    assert left == {SAM, "soon@example.org", "info@example.org"}
    assert never.found("dead@example.org") and not never.found("never@example.org")
    assert subscribing.ask("never@example.org", "never@example.org", ["monthly"], "page").changed
    assert said(workspace, "clean", "--yes", "--roles")["removed"] == 1 and never.found("info@example.org")
