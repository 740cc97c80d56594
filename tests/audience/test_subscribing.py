"""Leaving and coming back: at once, any number of times, with proof, and nothing but the person's wish undoes it."""

from __future__ import annotations

import pytest

from newsletter.audience import erasing, subscribing
from newsletter.audience.models import Subscriber, Subscription
from newsletter.audience.subscribing import Change
from tests.workspace import Workspace

SAM = "sam@example.org"


def events() -> list[tuple[str, str, str]]:
    from newsletter.audience.models import ConsentEvent

    return list(ConsentEvent.objects.order_by("id").values_list("event", "list_key", "channel"))


def suppression() -> tuple[str, str] | None:
    from newsletter.audience.models import Suppression

    return Suppression.objects.values_list("scope", "reason").first()


def test_one_click_twice_leaves_once(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.leave(SAM, ["all-residents"], "one-click") == Change(True, ("all-residents",))
    assert subscribing.leave(SAM, ["all-residents"], "one-click") == Change(False)
    assert events() == [("left", "all-residents", "one-click")]


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
