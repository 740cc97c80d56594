"""Segments choose exactly whom they say: the count, what send freezes, and a plain reading of the data are one."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience import segments, selecting, subscribing, traits
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

LISTS = ("all-residents", "monthly")
WARDS, TAGS, LANGUAGES = ("North", "South", ""), ("staff", "young"), ("en-GB", "cy", "")
DAYS = ("2026-01-05", "2026-06-01", "")
STATES = ("confirmed", "left", "pending", "paused", "")
AREAS = {"county": ("county", "north", "south"), "north": ("north",), "south": ("south",)}  # and what is within each
GOT = (
    "accepted",
    "uncertain",
    "failed",
    "",
)  # how the issue of March went to a person; it may have come by the first two

people = st.fixed_dictionaries(
    {
        "states": st.tuples(st.sampled_from(STATES), st.sampled_from(STATES)),
        "ward": st.sampled_from(WARDS),
        "tags": st.lists(st.sampled_from(TAGS), unique=True, max_size=2),
        "language": st.sampled_from(LANGUAGES),
        "meeting": st.sampled_from(DAYS),
        "joined": st.sampled_from(DAYS[:2]),
        "areas": st.lists(st.sampled_from(tuple(AREAS)), unique=True, max_size=2),
        "march": st.sampled_from(GOT),
        "suppressed": st.sampled_from((False, False, False, True)),
    }
)
conditions = st.one_of(
    st.lists(st.sampled_from(LISTS), min_size=1, max_size=2, unique=True).map(lambda keys: {"list": keys}),
    st.lists(st.sampled_from(("north", "South")), min_size=1, max_size=2).map(lambda w: {"field": "ward", "is": w}),
    st.just({"field": "ward", "is_not": "North"}),
    st.booleans().map(lambda known: {"field": "ward", "known": known}),
    st.sampled_from(TAGS).map(lambda tag: {"tag": tag}),
    st.sampled_from(("en", "cy")).map(lambda code: {"language": code}),
    st.just({"field": "meeting", "from": "2026-02-01"}),
    st.just({"field": "meeting", "to": "2026-05-31"}),
    st.just({"joined_since": "2026-02-01"}),
    st.lists(st.sampled_from(tuple(AREAS)), min_size=1, max_size=2, unique=True).map(lambda keys: {"area": keys}),
    st.sampled_from(({"got": "march"}, {"did_not_get": "march"})),
)


def definitions(of: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"include": st.lists(of, max_size=3), "must": st.lists(of, max_size=2)},
        optional={"exclude": st.lists(of, max_size=2)},
    ).filter(lambda one: any(one.values()))


EMPTY = "nobody"
audiences = st.lists(st.sampled_from((*LISTS, "one", "two")), min_size=1, max_size=3, unique=True)


def live(person: dict[str, Any], key: str) -> bool:
    return bool(person["states"][LISTS.index(key)] == "confirmed")


def true(one: dict[str, Any], person: dict[str, Any]) -> bool:
    """A condition as a person would read it. {"segment": …} has the definition itself in `means`."""
    if "segment" in one:
        return asked(one["means"], person)
    if "area" in one:
        return any(inner in person["areas"] for key in one["area"] for inner in AREAS[key])
    if "got" in one or "did_not_get" in one:
        return (person["march"] in GOT[:2]) is ("got" in one)
    if "list" in one:
        return any(live(person, key) for key in one["list"])
    if "tag" in one:
        return one["tag"] in person["tags"]
    if "language" in one:
        return bool(person["language"].split("-")[0] == one["language"])
    if "known" in one:
        return bool(person["ward"]) is one["known"]
    if "joined_since" in one:
        return bool(person["joined"] >= one["joined_since"])
    if one.get("field") == "meeting":
        return bool(person["meeting"]) and one.get("from", "") <= person["meeting"] <= one.get("to", "9")
    if "is_not" in one:
        return bool(person["ward"] != one["is_not"])
    return person["ward"].lower() in [ward.lower() for ward in one["is"]]


def asked(definition: dict[str, Any], person: dict[str, Any]) -> bool:
    """Whether somebody is who the segment asks for, whether or not they get mail."""
    include, must = definition["include"], definition["must"]
    return (
        (not include or any(true(one, person) for one in include))
        and all(true(one, person) for one in must)
        and not any(true(one, person) for one in definition.get("exclude", ()))
    )


def lists_of(definition: dict[str, Any]) -> list[str]:
    """The lists that it names, also by way of the segment it asks for; none: all."""
    named = []
    for one in (*definition["include"], *definition["must"]):
        named += one.get("list", ())
        inner = one.get("means", {"include": (), "must": ()})
        if any("list" in other for other in (*inner["include"], *inner["must"])):
            named += lists_of(inner)
    return named or list(LISTS)


def within(definition: dict[str, Any], person: dict[str, Any]) -> bool:
    return asked(definition, person) and any(live(person, key) for key in lists_of(definition))


def add(workspace: Workspace, number: int, person: dict[str, Any]) -> str:
    from newsletter.audience.models import MailingList, Subscriber, Subscription

    attributes = {key: person[key] for key in ("ward", "tags", "meeting", "areas") if person[key]}
    address = f"p{number}@example.org"
    row = Subscriber.objects.create(
        canonical=address, address=address, attributes=attributes, language=person["language"]
    )
    Subscriber.objects.filter(pk=row.pk).update(created=f"{person['joined']}T12:00:00Z")
    traits.keep(row.pk)
    for key, state in zip(LISTS, person["states"], strict=True):
        chosen, _ = MailingList.objects.get_or_create(key=key)
        if state:
            until = timezone.now() + timedelta(days=9) if state == "paused" else None
            kept = "confirmed" if state == "paused" else state
            Subscription.objects.create(subscriber=row, list=chosen, state=kept, paused_until=until)
    if person["march"]:
        got(row.pk, address, person["march"])
    if person["suppressed"]:
        subscribing.suppress(address, "all", "gone", "mail")
    return address


def got(person: int, address: str, state: str) -> None:
    from newsletter.sending.models import Delivery, Mailing

    Delivery.objects.create(
        mailing=Mailing.objects.get(slug="march"),
        subscriber_id=person,
        canonical=address,
        address=address,
        token=os.urandom(9),
        state=state,
        proof="answer" if state == "accepted" else "",
    )


def known_things() -> None:
    """The areas that lie in one another, and the issue of March, which a year ago nobody had enough of."""
    from newsletter.audience.models import Area
    from newsletter.sending.models import Delivery, Mailing

    Delivery.objects.all().delete()
    if Area.objects.exists():  # hypothesis runs all examples in one workspace
        return
    county = Area.objects.create(key="county", title="The county")
    for key in ("north", "south"):
        Area.objects.create(key=key, title=key.title(), parent=county)
    began = timezone.now() - timedelta(days=365)
    Mailing.objects.create(
        slug="march", rendered={}, checksum="", audience=[], settings={}, public_id=os.urandom(9), started_at=began
    )


def rows(workspace: Workspace, audience: list[str]) -> dict[str, list[str]]:
    from django.db import connection

    sql, params = selecting.sql(workspace.config, audience)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT canonical, lists FROM ({sql}) AS person", params)
        found = cursor.fetchall()
    assert len({canonical for canonical, _ in found}) == len(found), "somebody twice"
    return {canonical: json.loads(lists) for canonical, lists in found}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    people=st.lists(people, min_size=1, max_size=12),
    one=definitions(conditions),
    two=definitions(st.one_of(conditions, st.just({"segment": "one"}))),
    audience=audiences,
)
def test_the_count_is_what_is_frozen_is_what_the_data_says(
    workspace: Workspace, people: list[dict[str, Any]], one: Any, two: Any, audience: list[str]
) -> None:
    from newsletter.audience.models import ConsentEvent, Holding, Segment, Subscriber, Subscription, Suppression, Trait

    for model in (Holding, Trait, Subscription, Subscriber, Suppression, ConsentEvent, Segment):
        model.objects.all().delete()
    known_things()
    segments.save(workspace.config, "one", "Segment one", one)
    segments.save(workspace.config, "two", "Segment two", two)
    segments.save(workspace.config, EMPTY, "Nobody", {"must": [{"tag": "nobody-has-it"}]})
    two = {part: [{**each, "means": one} if "segment" in each else each for each in two[part]] for part in two}
    addresses = [add(workspace, number, person) for number, person in enumerate(people)]
    wanted = {
        address
        for address, person in zip(addresses, people, strict=True)
        if not person["suppressed"]
        and any(within({"one": one, "two": two}[key], person) if key in ("one", "two") else live(person, key)
                for key in audience)
    }  # fmt: skip
    found = rows(workspace, audience)
    assert set(found) == wanted
    assert all(found.values()), "somebody without a list"
    explained = selecting.explain(workspace.config, audience)
    assert explained.will_get == len(wanted), explained
    assert explained.adds_up, explained
    for key in ("one", "two"):  # counted from the side of the few, and beside another person by person: for one reason
        alone = selecting.explain(workspace.config, [key])
        twice = selecting.explain(workspace.config, [key, EMPTY])
        assert (alone.left_out, alone.will_get) == (twice.left_out, twice.will_get), (alone, twice)


@pytest.mark.parametrize(
    ("definition", "said", "hint"),
    [
        ({"include": [{"list": "all-resident"}]}, "include[1]: there is no list called", "all-residents"),
        ({"must": [{"field": "wad", "is": "North"}]}, "must[1]: there is no field called ‘wad’", "ward"),
        ({"exclude": [{"tags": "x"}]}, "exclude[1]: ‘tags’ cannot be asked for", "tag"),
        ({"include": [{"tag": "a", "list": "monthly"}]}, "include[1]: it asks two things at once", ""),
        ({"includes": []}, "includes: this is no part of a segment", "include"),
        ({"must": [{"field": "meeting", "from": "tomorrow"}]}, "must[1].from: ‘tomorrow’ is not a day", ""),
        ({"must": [{"field": "ward", "from": "3"}]}, "must[1]: ‘ward’ is text, which has no order", ""),
        ({"must": [{"got": "nothing-yet"}]}, "must[1]: there is no sent issue called ‘nothing-yet’", "No issue"),
        ({"must": [{"segment": "mine"}]}, "must[1]: a segment cannot ask for itself", ""),
        ({"must": [{"area": "atlantis"}]}, "must[1]: there is no area called ‘atlantis’", "areas load"),
        ({"must": [{"joined_since": "2026-13-01"}]}, "must[1].joined_since: ‘2026-13-01’ is not a day", ""),
        ({"must": [{"tag": []}]}, "must[1]: one text or several are wanted", ""),
        ({}, "It asks for nothing", "--include"),
        ("all", "A segment is a table", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_was_meant(
    workspace: Workspace, definition: Any, said: str, hint: str
) -> None:
    with pytest.raises(NewsletterError) as caught:
        segments.save(workspace.config, "mine", "Mine", definition)
    assert said in [problem.message[: len(said)] for problem in caught.value.problems], caught.value.problems
    assert any(hint in problem.hint for problem in caught.value.problems)


def test_a_circle_of_segments_is_refused_and_the_old_one_stays(workspace: Workspace) -> None:
    segments.save(workspace.config, "a", "A", {"include": [{"list": "monthly"}]})
    segments.save(workspace.config, "b", "B", {"must": [{"segment": "a"}]})
    with pytest.raises(NewsletterError, match="that is a circle"):
        segments.save(workspace.config, "a", "A", {"must": [{"segment": "b"}]})
    assert segments.get(workspace.config, "a").include[0].values == ("monthly",)
    with pytest.raises(NewsletterError, match="used by b"):
        segments.remove(workspace.config, "a")


def test_a_segment_of_hostile_words_is_only_words(workspace: Workspace) -> None:
    words = "x' OR 1=1; DROP TABLE audience_subscriber; --"
    workspace.people("sam@example.org", attributes={"ward": "North", "tags": [words]})
    segments.save(workspace.config, "odd", "Odd", {"must": [{"tag": words}]})
    assert set(rows(workspace, ["odd"])) == {"sam@example.org"}
    segments.save(workspace.config, "none", "None", {"must": [{"tag": "' OR 1=1 --"}]})
    assert rows(workspace, ["none"]) == {}
