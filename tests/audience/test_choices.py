"""Asking, confirming, choosing, pausing, moving: once each, with proof, and nobody comes back against their wish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.audience import never, subscribing
from newsletter.audience.models import ConsentEvent, FormerAddress, Holding, Subscriber, Subscription, Suppression
from newsletter.audience.subscribing import Change, Stop
from tests.together import together
from tests.workspace import Workspace

SAM, NEW, KIM = "sam@example.org", "sam@new.example", "kim@example.org"
WORDS = "Yes, send me the monthly letter."


def events(canonical: str = SAM) -> list[tuple[str, str]]:
    rows = ConsentEvent.objects.filter(canonical=canonical).order_by("id")
    return list(rows.values_list("event", "list_key"))


def states(canonical: str = SAM) -> dict[str, str]:
    return dict(
        Subscription.objects.filter(subscriber__canonical=canonical).values_list("list__key", "state").order_by("pk")
    )


def ask() -> Change:
    return subscribing.ask(SAM, "Sam@example.org", ["monthly"], "page", WORDS, {"name": "Sam", "ward": "North"})


def confirm() -> Change:
    return subscribing.confirm(SAM, ["monthly"], "page", WORDS)


def test_who_asks_is_pending_and_who_confirms_is_on_the_list_with_the_words_they_saw(workspace: Workspace) -> None:
    assert ask() == Change(True, ("monthly",))
    assert states() == {"monthly": "pending"}
    assert not ask().changed
    assert confirm() == Change(True, ("monthly",))
    assert not confirm().changed
    assert events() == [("asked", "monthly"), ("joined", "monthly")]
    assert {event.wording.text for event in ConsentEvent.objects.all() if event.wording} == {WORDS}
    person = Subscriber.objects.get()
    assert (person.address, person.name, person.attributes) == ("Sam@example.org", "Sam", {"ward": "North"})
    assert Holding.objects.get(subscriber=person).trait.value == "North"


def test_a_stranger_who_types_an_address_changes_nothing_of_its_person(workspace: Workspace) -> None:
    workspace.people(SAM, name="Samuel")
    subscribing.leave(SAM, ["all-residents"], "page")
    subscribing.ask(SAM, SAM, ["all-residents", "monthly"], "page", WORDS, {"name": "Hacked"})
    assert Subscriber.objects.get().name == "Samuel"
    assert states() == {"all-residents": "left", "monthly": "pending"}


def test_confirming_brings_back_who_had_left_everything_by_themselves(workspace: Workspace) -> None:
    workspace.people(SAM)
    subscribing.leave(SAM, ["all-residents"], "page")
    subscribing.leave(SAM, [], "one-click")
    assert subscribing.confirm(SAM, ["all-residents"], "page").changed
    assert never.found(SAM) is None and states() == {"all-residents": "confirmed"}
    assert events()[-2:] == [("lifted", ""), ("returned", "all-residents")]


@pytest.mark.parametrize(("scope", "reason"), [("bulk", "complaint"), ("all", "gone"), ("bulk", "staff")])
def test_confirming_and_choosing_lift_nothing_but_the_own_wish(workspace: Workspace, scope: str, reason: str) -> None:
    workspace.people(SAM)
    ask()
    subscribing.suppress(SAM, scope, reason, "staff")
    assert confirm() == Change(False, suppressed=True, why="suppressed")
    assert subscribing.choose(SAM, ["monthly"], "page").suppressed
    assert states()["monthly"] == "pending" and never.found(SAM) is not None


def test_of_an_address_that_is_gone_nothing_is_written_down_when_somebody_asks(workspace: Workspace) -> None:
    subscribing.suppress(SAM, "all", "gone", "mail")
    assert ask() == Change(False, suppressed=True, why="suppressed")
    assert not Subscriber.objects.exists() and events() == [("suppressed", "")]


def test_who_confirms_without_a_record_changes_nothing(workspace: Workspace) -> None:
    assert confirm() == Change(False, why="unknown")


def test_choosing_means_exactly_these_lists(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.choose(SAM, ["monthly"], "page", WORDS) == Change(True, ("monthly", "all-residents"))
    assert states() == {"all-residents": "left", "monthly": "confirmed"}
    assert not subscribing.choose(SAM, ["monthly"], "page", WORDS).changed
    subscribing.choose(SAM, [], "page")
    assert set(states().values()) == {"left"}


def test_a_box_that_was_left_empty_is_a_choice_that_no_colleague_overlooks(workspace: Workspace) -> None:
    workspace.people(SAM)
    subscribing.choose(SAM, ["all-residents"], "page")
    assert events() == [("declined", "monthly")]
    assert not subscribing.add(SAM, SAM, ["monthly"], why="the file of 2024").changed
    assert subscribing.add(SAM, SAM, ["monthly"], why="she rang", again=True) == Change(True, ("monthly",))
    assert events()[-1] == ("returned", "monthly")


def test_a_pause_ends_by_itself_or_by_their_wish(workspace: Workspace) -> None:
    workspace.people(SAM)
    until = datetime(2027, 2, 1, tzinfo=UTC)
    assert subscribing.pause(SAM, [], until, "page", "Pause for 3 months") == Change(True, ("all-residents",))
    assert not subscribing.pause(SAM, ["all-residents"], until, "page").changed
    assert Subscription.objects.get().paused_until == until
    assert subscribing.resume(SAM, [], "page").changed
    assert not subscribing.resume(SAM, [], "page").changed
    assert events() == [("paused", "all-residents"), ("resumed", "all-residents")]
    with pytest.raises(ValueError, match="time zone"):
        subscribing.pause(SAM, [], datetime(2027, 2, 1), "page")


def test_an_edit_says_what_it_changed_and_keeps_the_traits(workspace: Workspace) -> None:
    workspace.people(SAM, name="Sam", attributes={"ward": "North", "tags": ["press"]})
    change = subscribing.edit(SAM, {"ward": "South", "name": "Sam", "tags": [], "language": "cy"}, "staff", by="jo")
    assert set(change.lists) == {"ward", "tags", "language"}
    assert not subscribing.edit(SAM, {"ward": "South"}, "staff").changed
    event = ConsentEvent.objects.get()
    assert "ward: North → South" in event.why and event.by == "jo"
    held = set(Holding.objects.values_list("trait__key", "trait__value"))
    assert held == {("ward", "South"), ("language", "cy")}


def test_a_moved_person_is_reached_at_the_new_address_and_old_links_still_mean_them(workspace: Workspace) -> None:
    workspace.people(SAM)
    assert subscribing.move(SAM, "Sam@New.example", "page", "Change my address").changed
    person = Subscriber.objects.get()
    assert (person.canonical, person.address) == (NEW, "Sam@New.example")
    assert Suppression.objects.get().reason == "moved"
    assert events()[0] == events(NEW)[0] == ("moved", "")
    assert not subscribing.has_left(SAM, ["all-residents"])
    assert subscribing.leave(SAM, ["all-residents"], "one-click").changed
    assert states(NEW) == {"all-residents": "left"} and subscribing.has_left(NEW, ["all-residents"])
    subscribing.leave(SAM, [], "one-click")
    assert never.found(NEW)
    assert subscribing.rejoin(SAM, ["all-residents"], "page").changed
    assert not subscribing.has_left(NEW, ["all-residents"])


def test_moving_there_and_back_leaves_one_person_and_no_stop(workspace: Workspace) -> None:
    workspace.people(SAM)
    subscribing.move(SAM, NEW, "page")
    assert subscribing.move(NEW, SAM, "page").changed
    assert [row.canonical for row in FormerAddress.objects.all()] == [NEW]
    assert never.found(SAM) is None and Subscriber.objects.get().canonical == SAM


@pytest.mark.parametrize("reason", ["unsubscribed", "complaint", "staff"])
def test_a_never_goes_along_to_the_new_address(workspace: Workspace, reason: str) -> None:
    workspace.people(SAM)
    subscribing.suppress(SAM, "bulk", reason, "staff")
    assert subscribing.move(SAM, NEW, "page") == Change(True, suppressed=True)
    stop = never.found(NEW)
    assert stop and stop.reason == reason


def test_nobody_moves_to_an_address_that_is_taken_or_must_not_be_mailed(workspace: Workspace) -> None:
    workspace.people(SAM, "ann@example.org")
    subscribing.suppress("stop@example.org", "bulk", "unsubscribed", "page")
    assert subscribing.move(SAM, "Ann@example.org", "page").why == "taken"
    assert subscribing.move(SAM, "stop@example.org", "page").why == "suppressed"
    assert subscribing.move(SAM, SAM, "page").why == "same"
    assert subscribing.move("nobody@example.org", NEW, "page").why == "unknown"
    assert Subscriber.objects.filter(canonical=SAM).exists() and not FormerAddress.objects.exists()


def test_who_is_removed_by_staff_is_not_brought_back(workspace: Workspace) -> None:
    workspace.people(SAM, attributes={"ward": "North"})
    assert subscribing.remove(SAM, why="moved away", by="jo").changed
    assert not Subscriber.objects.exists() and not Holding.objects.exists()
    assert subscribing.add(SAM, SAM, ["monthly"]).suppressed
    assert not subscribing.remove(SAM, why="again").changed
    subscribing.lift(SAM, "staff", "a mistake")
    assert subscribing.add(SAM, SAM, ["monthly"], wording=WORDS).changed


def test_an_erased_address_is_known_by_its_keyed_hash_only(workspace: Workspace) -> None:
    Suppression.objects.create(canonical=never.hashed(SAM), scope="all", reason="erased")
    assert SAM not in never.hashed(SAM)
    assert never.found(SAM) and never.found(never.hashed(SAM)) and not never.found("ann@example.org")
    assert ask().suppressed and subscribing.add(SAM, SAM, ["monthly"]).suppressed
    assert not subscribing.suppress(SAM, "all", "gone", "mail").changed
    assert not subscribing.leave(SAM, [], "one-click").changed
    assert subscribing.has_left(SAM, ["monthly"])
    assert not ConsentEvent.objects.exists() and Suppression.objects.count() == 1
    assert never.Erased().among([SAM, "ann@example.org"]) == {SAM: never.hashed(SAM)}
    assert subscribing.lift(SAM, "staff", "asked to come back").changed and never.found(SAM) is None


def test_a_new_key_still_knows_who_was_erased_under_the_old_one(workspace: Workspace) -> None:
    from newsletter.mail.tokens import Keyring

    old = never.hashed(SAM)
    Suppression.objects.create(canonical=old, scope="all", reason="erased")
    path = workspace.root / "var" / "secret.key"
    Keyring.load(path).rotated(path)
    assert never.hashed(SAM) != old and never.found(SAM) is not None
    assert never.Erased().hash_of(SAM) == old


def test_without_the_key_nobody_is_taken_for_somebody_who_was_never_erased(workspace: Workspace) -> None:
    from newsletter.problems import NewsletterError

    Suppression.objects.create(canonical=never.hashed(SAM), scope="all", reason="erased")
    (workspace.root / "var" / "secret.key").unlink()
    with pytest.raises(NewsletterError, match="key"):
        never.found(SAM)


PAIRS: dict[str, tuple[Callable[[], Any], int]] = {
    "leave": (lambda: subscribing.leave(SAM, ["all-residents"], "one-click"), 1),
    "leave everything": (lambda: subscribing.leave(SAM, [], "one-click"), 1),
    "confirm": (lambda: subscribing.confirm(SAM, ["monthly"], "page"), 1),
    "ask": (lambda: subscribing.ask("new@example.org", "new@example.org", ["monthly"], "page"), 1),
    "choose": (lambda: subscribing.choose(SAM, ["monthly"], "page"), 2),
    "add": (lambda: subscribing.add("new@example.org", "new@example.org", ["monthly"]), 1),
    "edit": (lambda: subscribing.edit(SAM, {"name": "Sam"}, "page"), 1),
    "move": (lambda: subscribing.move(SAM, NEW, "page"), 3),
    "suppress": (lambda: subscribing.suppress(SAM, "all", "gone", "mail"), 1),
}


@pytest.mark.parametrize("verb", PAIRS)
def test_two_at_once_end_as_one(workspace: Workspace, verb: str) -> None:
    workspace.people(SAM)
    act, proofs = PAIRS[verb]
    together(act)
    assert ConsentEvent.objects.count() == proofs


LATER = datetime(2099, 1, 1, tzinfo=UTC)
VERBS: dict[str, Callable[[], Any]] = {
    **{name: act for name, (act, _) in PAIRS.items()},
    "pause": lambda: subscribing.pause(SAM, [], LATER, "page"),
    "resume": lambda: subscribing.resume(KIM, [], "page"),
    "rejoin": lambda: subscribing.rejoin(KIM, ["monthly"], "page"),
    "lift": lambda: subscribing.lift("stopped@example.org", "staff", "asked by letter"),
    "remove": lambda: subscribing.remove(SAM, why="asked by letter"),
    "suppress all": lambda: subscribing.suppress_all([Stop(SAM, "bulk", "staff")], "import"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_change_leaves_a_proof_and_no_change_leaves_none(workspace: Workspace, verb: str) -> None:
    workspace.people(SAM)
    workspace.people(KIM, lists=("all-residents", "monthly"))
    subscribing.pause(KIM, ["all-residents"], LATER, "page")
    subscribing.leave(KIM, ["monthly"], "page")
    subscribing.suppress("stopped@example.org", "bulk", "staff", "staff")
    for changes in (True, False):
        records, proofs = rows_of_people(), ConsentEvent.objects.count()
        VERBS[verb]()
        assert (rows_of_people() != records) is changes
        assert (ConsentEvent.objects.count() > proofs) is changes


def rows_of_people() -> list[Any]:
    models = (Subscriber, Subscription, Suppression)
    return [list(model.objects.order_by("pk").values()) for model in models]
