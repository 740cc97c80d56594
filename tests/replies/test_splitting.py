"""Two matters in one conversation become two conversations, and whoever waits in either is answered."""

from __future__ import annotations

import pytest

from newsletter.problems import NewsletterError
from newsletter.replies import listing, merging, splitting
from newsletter.replies.listing import Filter
from newsletter.replies.models import Conversation
from tests.replies.desk_made import Desk
from tests.replies.test_answering import reply


def two_matters(own: Desk) -> Conversation:
    sent = own.post.sent_to()
    own.writes(sent, "The lamp is out.")
    return own.writes(sent, "And who empties the bins?")


def words(number: int) -> list[str]:
    return list(Conversation.objects.get(pk=number).messages.order_by("at", "id").values_list("new_words", flat=True))


def test_each_has_its_own_messages_clock_and_reference(desk: Desk) -> None:
    found = two_matters(desk)
    made = splitting.split(found.pk, 2, desk.jo)
    assert (words(found.pk), words(made.pk)) == (["The lamp is out."], ["And who empties the bins?"])
    found.refresh_from_db()
    assert found.waiting_since < made.waiting_since and made.due > found.due
    assert made.reference != found.reference and (made.writer, made.delivery) == (found.writer, found.delivery)
    assert [one["id"] for one in listing.page(desk.config, Filter()).rows] == [found.pk, made.pk]
    assert [line.what for line in made.log.all()] == ["split"] and "split" in [line.what for line in found.log.all()]


def test_what_was_answered_stays_answered_and_the_rest_waits(desk: Desk) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent, "The lamp is out.")
    reply(desk, found)
    desk.writes(sent, "And who empties the bins?")
    made = splitting.split(found.pk, 3, desk.jo)
    found.refresh_from_db()
    assert (found.state, found.waiting_since, found.answered_in_target) == ("waiting", None, True)
    assert (made.state, made.answered_at) == ("open", None) and made.waiting_since is not None


def test_what_they_write_next_comes_to_the_later_one_and_merging_shows_both_again(desk: Desk) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent, "The lamp is out.")
    desk.writes(sent, "And the bins?")
    made = splitting.split(found.pk, 2, desk.jo)
    assert desk.writes(sent, "They are still full.").pk == made.pk
    merging.merge(made.pk, found.pk, desk.jo)
    from newsletter.replies import showing

    shown = showing.conversation(found.pk)
    assert shown and [one["new_words"] for one in shown["messages"]][-1] == "They are still full."


def test_a_legal_hold_and_what_protects_the_person_hold_for_both(desk: Desk) -> None:
    found = two_matters(desk)
    Conversation.objects.filter(pk=found.pk).update(held=True, safe_to_write="no", sensitive=True, look_first="danger")
    made = splitting.split(found.pk, 2, desk.jo)
    assert (made.held, made.safe_to_write, made.sensitive, made.look_first) == (True, "no", True, "danger")


@pytest.mark.parametrize("first", [0, 1, 3, 99])
def test_neither_half_may_be_without_a_message_of_theirs(desk: Desk, first: int) -> None:
    found = two_matters(desk)
    with pytest.raises(NewsletterError) as refused:
        splitting.split(found.pk, first, desk.jo)
    assert refused.value.problems[0].code == "not-to-split"
    assert Conversation.objects.count() == 1 and len(words(found.pk)) == 2


def test_what_shows_another_one_is_parted_by_undoing_the_merge(desk: Desk) -> None:
    found = two_matters(desk)
    other = desk.asks("sam@example.net")
    merging.merge(other.pk, found.pk, desk.jo, two_writers=True)
    with pytest.raises(NewsletterError) as refused:
        splitting.split(found.pk, 2, desk.jo)
    assert "--undo" in refused.value.problems[0].hint
