"""Choosing people: everyone once, nobody who left or is suppressed, and the explained number is the frozen number."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter import settings as app_settings
from newsletter.audience import dialect, selecting
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

LISTS = ("all-residents", "monthly")


def rows(list_keys: tuple[str, ...]) -> list[dict[str, Any]]:
    from django.db import connection

    people, parameters = selecting.sql(app_settings.current(), list_keys)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({people}) AS person ORDER BY person.canonical", parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_a_person_on_two_lists_gets_one_mail_and_keeps_the_order_of_the_lists(workspace: Workspace) -> None:
    workspace.people(
        "sam@example.org", lists=("monthly", "all-residents"), first_name="Sam", attributes={"ward": "North"}
    )
    [person] = rows(("all-residents", "monthly"))
    assert json.loads(person["lists"]) == ["all-residents", "monthly"]
    assert json.loads(rows(("monthly", "all-residents"))[0]["lists"]) == ["monthly", "all-residents"]
    assert (person["first_name"], json.loads(person["attributes"])) == ("Sam", {"ward": "North"})
    assert list(person) == (
        ["subscriber_id", "canonical", "address", "name", "first_name", "last_name", "language", "attributes", "lists"]
    )


def test_a_list_that_the_person_left_is_not_among_the_lists_through_which_they_were_chosen(
    workspace: Workspace,
) -> None:
    from newsletter.audience import subscribing

    workspace.people("sam@example.org", lists=LISTS)
    subscribing.leave("sam@example.org", ["all-residents"], "page")
    assert json.loads(rows(LISTS)[0]["lists"]) == ["monthly"]
    assert rows(("all-residents",)) == []


def test_the_number_explains_itself(workspace: Workspace) -> None:
    from newsletter.audience import subscribing

    workspace.people(*(f"p{n}@example.org" for n in range(10)))
    workspace.people("p0@example.org", "p1@example.org", lists=("monthly",))
    subscribing.leave("p2@example.org", ["all-residents"], "page")
    subscribing.suppress("p3@example.org", "all", "gone", "mail")
    found = selecting.explain(workspace.config, LISTS)
    assert found.sentence() == (
        "All residents 10 + The monthly letter 2 − 1 unsubscribed − 1 bounced before − 2 on more than one list = 8"
    )


def test_a_list_nobody_joined_counts_nobody(workspace: Workspace) -> None:
    found = selecting.explain(workspace.config, ["monthly"])
    assert (found.sentence(), found.adds_up) == ("The monthly letter 0 = 0", True)


def test_an_unknown_list_is_named_with_the_nearest_right_one(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError) as caught:
        selecting.explain(workspace.config, ["montly"])
    assert (caught.value.problems[0].code, caught.value.problems[0].hint) == ("unknown-list", "did you mean monthly?")


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ("nothing", False),
        ("left one list", False),
        ("left both lists", True),
        ("unsubscribed from all", True),
        ("address gone", True),
        ("removed", False),
        ("removed and erased", True),
        ("joined another list since", True),
    ],
)
def test_a_frozen_delivery_is_checked_again_against_what_happened_since(
    workspace: Workspace, what: str, gone: bool
) -> None:
    """The condition that `sending` puts into its lease and into the commit before the first byte (law L4)."""
    from django.db import connection

    from newsletter.audience import subscribing
    from newsletter.audience.models import Subscriber

    sam = "sam@example.org"
    [person] = workspace.people(sam, lists=LISTS)
    subscriber: int | None = person
    if what in ("left one list", "left both lists", "joined another list since"):
        subscribing.leave(sam, LISTS[:1] if what == "left one list" else LISTS, "page")
    if what == "joined another list since":
        workspace.people(sam, lists=("other",))
    if what == "unsubscribed from all":
        subscribing.leave(sam, [], "one-click")
    if what == "address gone":
        subscribing.suppress(sam, "all", "gone", "mail")
    if what.startswith("removed"):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM audience_subscription")
        Subscriber.objects.all().delete()
        subscriber = None
    if what == "removed and erased":
        subscribing.suppress(sam, "all", "erased", "staff")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {selecting.gone_since('d')} FROM (SELECT %s AS canonical, CAST(%s AS bigint) AS subscriber_id,"
            f" {dialect.as_json('%s')} AS lists) AS d",
            [sam, subscriber, json.dumps(LISTS)],
        )
        assert bool(cursor.fetchone()[0]) is gone


PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["confirmed", "left", "pending", ""]),
        st.sampled_from(["confirmed", "left", "pending", ""]),
        st.sampled_from(["", "", "unsubscribed", "complaint", "gone", "erased", "staff"]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, keys=st.sampled_from([LISTS, LISTS[:1], LISTS[1:], LISTS[::-1]]))
def test_the_count_adds_up_and_is_exactly_the_people_who_are_frozen(
    workspace: Workspace, people: list[tuple[str, str, str]], keys: tuple[str, ...]
) -> None:
    from django.db import connection

    from newsletter.audience.models import MailingList, Subscriber, Subscription, Suppression

    with connection.cursor() as cursor:  # hypothesis runs all examples in one workspace
        for table in ("subscription", "subscriber", "suppression"):
            cursor.execute(f"DELETE FROM audience_{table}")
    lists = [MailingList.objects.get_or_create(key=key)[0] for key in LISTS]
    expected = set()
    for number, (*states, reason) in enumerate(people):
        address = f"p{number}@example.org"
        person = Subscriber.objects.create(address=address, canonical=address)
        for chosen, state in zip(lists, states, strict=True):
            if state:
                Subscription.objects.create(subscriber=person, list=chosen, state=state)
        if reason:
            Suppression.objects.create(canonical=address, scope="bulk", reason=reason)
        if not reason and any(s == "confirmed" and c.key in keys for c, s in zip(lists, states, strict=True)):
            expected.add(address)
    found = selecting.explain(workspace.config, keys)
    frozen = rows(keys)
    assert {row["canonical"] for row in frozen} == expected
    assert len(frozen) == len(expected) == found.will_get
    assert found.adds_up
    assert all(set(json.loads(row["lists"])) <= set(keys) and row["lists"] != "[]" for row in frozen)
