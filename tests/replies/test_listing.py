"""The desk's lists: whole, in order, page by page, and by their indexes however many conversations there are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from newsletter.replies import listing
from newsletter.replies.listing import Filter
from newsletter.replies.models import Conversation, Message
from tests.replies.desk_made import Desk


def filled(many: int) -> list[int]:
    """So many conversations; every third waits, and the later ones have waited longer."""
    now = timezone.now()
    made = Conversation.objects.bulk_create(
        Conversation(
            writer=f"p{n}@example.net",
            state="closed" if n % 3 else "open",
            assignee="jo" if n % 2 else "",
            waiting_since=None if n % 3 else now - timedelta(minutes=n),
            due=None if n % 3 else now + timedelta(minutes=many // 2 - n),
        )
        for n in range(many)
    )
    Message.objects.bulk_create(Message(conversation=one, new_words="light") for one in made)
    return [one.pk for one in reversed(made) if one.state == "open"]


def test_the_pages_together_are_the_whole_in_order(desk: Desk) -> None:
    wanted = filled(100)
    seen: list[int] = []
    number = 1
    while True:
        page = listing.page(desk.config, Filter(), number, 7)
        seen += [one["id"] for one in page.rows]
        assert page.total == len(wanted)
        if not page.more:
            break
        number += 1
    assert seen == wanted


def test_a_page_beyond_the_last_is_empty(desk: Desk) -> None:
    filled(10)
    assert listing.page(desk.config, Filter(), 9).rows == []


def test_the_number_of_questions_to_the_database_does_not_grow_with_the_page(desk: Desk) -> None:
    filled(100)
    counts = []
    for size in (3, 30):
        with CaptureQueriesContext(connection) as asked:
            listing.page(desk.config, Filter(), 1, size)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(), "desk_waits"),
        (Filter(assignee="jo"), "desk_mine"),
        (Filter(team="asb"), "desk_team"),
        (Filter(words="light"), "desk_waits"),
    ],
)
def test_a_list_walks_an_index_in_order_and_sorts_nothing(desk: Desk, wanted: Filter, index: str) -> None:
    filled(300)
    found = listing.narrowed(wanted, timezone.now()).exclude(listing.RINGS)
    found = found.order_by("waiting_since", "id").values_list("pk")[:50]
    plan = found.explain()
    assert f"USING INDEX {index}" in plan or f"USING COVERING INDEX {index}" in plan, plan
    assert "TEMP B-TREE" not in plan, plan


def test_the_totals_and_the_issues_agree_with_the_list(desk: Desk) -> None:
    for number in range(3):
        desk.asks(f"p{number}@example.net")
    Conversation.objects.filter(pk=1).update(assignee="jo", due=timezone.now() - timedelta(hours=1))
    Conversation.objects.filter(pk=2).update(look_first="it says threatened")
    found = listing.totals("jo")
    assert found == {"need": 3, "late": 1, "free": 2, "look_first": 1, "mine": 1}
    [issue] = listing.by_issue()
    assert (issue["replies"], issue["need"], issue["late"]) == (3, 3, 1)
    assert listing.page(desk.config, Filter(look_first=True)).rows[0]["id"] == 2


@pytest.mark.parametrize("few", [1, 1000], ids=["many ring", "few ring"])
def test_what_rings_stands_on_top_of_every_list_of_those_who_wait_and_nobody_is_lost(
    desk: Desk, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", few)
    wanted = filled(60)
    ringing = [pk for pk in wanted if pk in (wanted[3], wanted[11], wanted[17])]
    Conversation.objects.filter(pk__in=ringing).update(look_first="danger", climb_at=timezone.now())
    pages = [listing.page(desk.config, Filter(), number, 2) for number in range(1, 11)]
    seen = [one["id"] for page in pages for one in page.rows]
    assert seen == ringing + [pk for pk in wanted if pk not in ringing] and {page.total for page in pages} == {20}
    mine = [one["id"] for one in listing.page(desk.config, Filter(assignee="jo")).rows]
    assert sorted(mine) == sorted(
        Conversation.objects.filter(pk__in=wanted, assignee="jo").values_list("pk", flat=True)
    )


@pytest.mark.parametrize("few", [1, 1000], ids=["a word that many wrote", "a word that few wrote"])
def test_a_search_through_all_finds_words_names_and_addresses(
    desk: Desk, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", few)
    filled(12)
    first, second = Conversation.objects.order_by("id")[:2]
    Message.objects.filter(conversation=first).update(new_words="The Streetlamp is out")
    Conversation.objects.filter(pk=second.pk).update(
        from_name="Ann Lamplighter", from_address="ann@example.net", subject="Re: lights"
    )

    def found(words: str, state: str = "all") -> list[int]:
        return [one["id"] for one in listing.page(desk.config, Filter(state=state, words=words)).rows]

    assert found("LAMP") == [second.pk, first.pk]  # in the middle of a word, whatever its case
    assert found("lamp street") == [first.pk] and found("lamp", state="closed") == [second.pk]
    assert found("ANN@example") == [second.pk] and found(first.reference.lower()) == [first.pk]
    assert len(found("light")) == 11 and found("nowhere") == []


def test_a_word_that_few_wrote_is_found_by_an_index(desk: Desk) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("about an index that PostgreSQL has")
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")  # of twelve rows none would be asked for by an index
        for query in (
            Message.objects.filter(new_words__icontains="lamp"),
            Conversation.objects.filter(listing._named("lamp")),
        ):
            assert "_words" in query.order_by().values("pk").explain()
        cursor.execute("SET enable_seqscan = on")
