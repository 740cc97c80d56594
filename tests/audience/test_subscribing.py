"""Leaving and coming back: at once, any number of times, with proof, and nothing but the person's wish undoes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError

from newsletter.audience import erasing, subscribing
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Wording
from newsletter.audience.subscribing import Change, proof
from tests.together import together
from tests.workspace import Workspace

SAM = "sam@example.org"


def events() -> list[tuple[str, str, str]]:
    return list(ConsentEvent.objects.order_by("id").values_list("event", "list_key", "channel"))


def suppression() -> tuple[str, str] | None:
    from newsletter.audience.models import Suppression

    return Suppression.objects.values_list("scope", "reason").first()


def test_one_click_twice_leaves_once(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.leave(SAM, ["all-residents"], "one-click") == Change(True, ("all-residents",))
    assert subscribing.leave(SAM, ["all-residents"], "one-click") == Change(False)
    assert events() == [("left", "all-residents", "one-click")]


def test_each_list_is_left_once_whatever_was_chosen_before(workspace: Workspace) -> None:
    """One that they were on, one that they left, one that they were never on, and one that is no longer there."""
    workspace.people(SAM, lists=("all-residents", "monthly"))
    subscribing.leave(SAM, ["monthly"], "page")
    lists = ["closed-in-2025", "monthly", "all-residents", "all-residents"]
    assert subscribing.leave(SAM, lists, "page", "Leave").lists == ("closed-in-2025", "all-residents")
    assert events()[1:] == [("left", "closed-in-2025", "page"), ("left", "all-residents", "page")]
    assert {row.state for row in Subscription.objects.all()} == {"left"} and Subscription.objects.count() == 3
    assert not subscribing.leave(SAM, lists, "page", "Leave").changed


def test_a_pause_ends_with_the_leaving_and_does_not_come_back_with_the_undo(workspace: Workspace) -> None:
    workspace.people(SAM)
    before = Subscription.objects.get().changed
    subscribing.pause(SAM, [], datetime(2099, 1, 1, tzinfo=UTC), "page")
    subscribing.leave(SAM, ["all-residents"], "page")
    row = Subscription.objects.get()
    assert (row.state, row.paused_until) == ("left", None) and row.changed > before
    subscribing.rejoin(SAM, ["all-residents"], "page")
    assert Subscription.objects.get().paused_until is None


def test_eight_presses_at_once_leave_each_list_once(workspace: Workspace) -> None:
    workspace.people(SAM)
    together(lambda: subscribing.leave(SAM, ["all-residents", "monthly"], "page", "Never seen before"), times=8)
    assert sorted(events()) == [("left", "all-residents", "page"), ("left", "monthly", "page")]
    assert {event.wording_id for event in ConsentEvent.objects.all()} == {Wording.objects.get().pk}


def test_of_a_press_and_an_undo_at_once_the_last_one_holds_and_its_proof_is_there(workspace: Workspace) -> None:
    workspace.people(SAM)
    acts = iter([subscribing.leave, subscribing.rejoin] * 4)
    together(lambda: next(acts)(SAM, ["all-residents"], "page", "Words"), times=8)
    last = events()[-1][0]
    assert Subscription.objects.get().state == {"left": "left", "returned": "confirmed"}[last]
    kinds = [event for event, _, _ in events()]
    assert kinds == ["left", "returned"] * (len(kinds) // 2) + ["left"] * (len(kinds) % 2)


def test_words_that_nobody_was_shown_before_are_written_once_for_people_who_leave_at_once(
    workspace: Workspace,
) -> None:
    people = [f"p{number}@example.org" for number in range(8)]
    workspace.people(*people)
    names = iter(people)
    together(lambda: subscribing.leave(next(names), ["all-residents"], "page", "Never seen before"), times=8)
    assert sorted(ConsentEvent.objects.values_list("canonical", "wording__text")) == [
        (name, "Never seen before") for name in people
    ]
    assert Wording.objects.count() == 1


def test_when_the_proof_cannot_be_written_nobody_has_left(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.people(SAM)
    monkeypatch.setattr(proof, "_PROOF", "INSERT INTO audience_no_such_table SELECT {} {}")
    with pytest.raises(DatabaseError):
        subscribing.leave(SAM, ["all-residents", "monthly"], "page")
    assert Subscription.objects.get().state == "confirmed" and not events()


def test_leaving_everything_suppresses_mailings_only(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.leave(SAM, [], "page").suppressed
    assert suppression() == ("bulk", "unsubscribed")
    assert not subscribing.leave(SAM, [], "page").changed
    assert events() == [("suppressed", "", "page")]


def test_leaving_works_for_a_list_that_is_no_longer_there_and_for_a_person_who_is_not(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.leave(SAM, ["closed-in-2025"], "one-click").changed
    assert subscribing.has_left(SAM, ["closed-in-2025"])
    assert subscribing.leave("nobody@example.org", ["monthly"], "one-click").suppressed


def test_undo_brings_back_the_list_that_was_left_and_no_other(workspace: Workspace) -> None:
    workspace.people(SAM)
    subscribing.leave(SAM, ["all-residents"], "page")
    assert subscribing.rejoin(SAM, ["all-residents", "monthly"], "page") == Change(True, ("all-residents",))
    assert not subscribing.has_left(SAM, ["all-residents"])
    assert subscribing.has_left(SAM, ["monthly"])
    assert events()[-1] == ("returned", "all-residents", "page")


def test_undo_lifts_an_unsubscribe_from_everything(workspace: Workspace) -> None:
    workspace.people(SAM)
    subscribing.leave(SAM, [], "page")
    assert subscribing.rejoin(SAM, [], "page").changed
    assert suppression() is None


@pytest.mark.parametrize(
    ("scope", "reason"), [("bulk", "complaint"), ("all", "gone"), ("all", "erased"), ("bulk", "staff")]
)
def test_undo_never_lifts_what_the_person_did_not_do_themselves(workspace: Workspace, scope: str, reason: str) -> None:
    workspace.people(SAM)
    subscribing.leave(SAM, [], "page")
    subscribing.suppress(SAM, scope, reason, "mail")
    assert not subscribing.rejoin(SAM, [], "page").changed
    assert suppression() == (scope, reason)
    assert subscribing.has_left(SAM, ["all-residents"])


def test_a_narrower_suppression_never_replaces_a_wider_one(workspace: Workspace) -> None:
    subscribing.suppress(SAM, "all", "gone", "mail")
    assert not subscribing.suppress(SAM, "bulk", "unsubscribed", "page").changed
    assert suppression() == ("all", "gone")


def test_staff_can_lift_any_suppression_and_the_reason_is_kept(workspace: Workspace) -> None:
    from newsletter.audience.models import ConsentEvent

    subscribing.suppress(SAM, "all", "gone", "mail")
    assert subscribing.lift(SAM, "staff", "The mailbox works again, she rang us.").changed
    assert not subscribing.lift(SAM, "staff", "again").changed
    assert ConsentEvent.objects.get(event="lifted").why == "The mailbox works again, she rang us."


def test_a_slip_in_the_reason_is_our_bug_and_raises(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="bulk/tired"):
        subscribing.suppress(SAM, "bulk", "tired", "staff")


def test_who_is_erased_between_being_found_and_being_held_is_made_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.people("sam@example.org")
    found = Subscriber.objects.get()
    real = Subscriber.objects.get_or_create

    def erased_meanwhile(**what: object) -> tuple[Subscriber, bool]:
        monkeypatch.setattr(Subscriber.objects, "get_or_create", real)
        erasing.erase(["sam@example.org"])
        return found, False

    monkeypatch.setattr(Subscriber.objects, "get_or_create", erased_meanwhile)
    assert subscribing.ask("sam@example.org", "sam@example.org", ["monthly"], "page").changed
    assert list(Subscription.objects.values_list("subscriber__canonical", "state")) == [("sam@example.org", "pending")]
    assert Subscriber.objects.get().pk != found.pk
