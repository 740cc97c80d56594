"""What is within what, who lives where, and how many: exact, each person once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from newsletter.audience import areas, subscribing, traits
from newsletter.audience.areas import counting, loading
from newsletter.audience.models import ConsentEvent, Subscriber
from newsletter.problems import NewsletterError
from tests.audience import make_areas
from tests.workspace import Workspace

WHERE = ("recipients", "areas")
NORTH = {"type": "Polygon", "coordinates": [[[2.1, 54.6], [2.2, 54.6], [2.2, 54.7], [2.1, 54.7], [2.1, 54.6]]]}


@pytest.fixture
def county(workspace: Workspace) -> Workspace:
    for name, made in make_areas.FILES.items():
        workspace.write(f"recipients/areas/{name}", made())
    loading.write(loading.plan(workspace.config))
    return workspace


def people(workspace: Workspace, *addresses: str, **attributes: object) -> None:
    for pk in workspace.people(*addresses, attributes=attributes):
        traits.keep(pk)


def counts(workspace: Workspace, *lists: str) -> dict[str, int]:
    found = counting.per_area(workspace.config, lists or tuple(workspace.config.lists), areas.known())
    return {key: count for key, count in found.items() if count}


def test_an_area_is_itself_and_all_within_it(county: Workspace) -> None:
    assert areas.within("stafford-borough") == ("stafford-borough", "baswich", "stafford-north", "stafford-south")
    assert areas.within("Leek West") == ("leek-west",)
    assert len(areas.within("staffordshire")) == 9


def test_an_unknown_area_gets_the_nearest_suggested(county: Workspace) -> None:
    with pytest.raises(NewsletterError) as caught:
        areas.within("staford-north")
    assert caught.value.problems[0].hint == "did you mean stafford-north?"


def test_postcodes_inside_a_shape_are_those_that_each_one_is_asked_for(county: Workspace) -> None:
    assert areas.inside(NORTH) == sorted(make_areas.by_ward()["stafford-north"])
    assert areas.inside({"type": "Circle", "coordinates": [2.15, 54.65], "km": 20}) == sorted(
        code for codes in make_areas.by_ward().values() for code in codes
        if 0 <= _km(*next((x, y) for one, y, x, _ in make_areas.places() if one == code)) <= 20
    )  # fmt: skip
    assert areas.inside({"type": "Circle", "coordinates": [-2.0, 52.0], "km": 20}) == []


def _km(lon: float, lat: float) -> float:
    from math import acos, cos, radians, sin

    a, b, turn = radians(lat), radians(54.65), radians(lon - 2.15)
    return 6371.0088 * acos(sin(a) * sin(b) + cos(a) * cos(b) * cos(turn))


def test_people_are_counted_once_in_every_area_around_them(county: Workspace) -> None:
    people(county, "a@example.org", "b@example.org", areas=["stafford-north"])
    people(county, "c@example.org", areas=["stafford-north", "baswich", "leek-west"])
    people(county, "d@example.org", areas=["stafford-borough"])
    people(county, "e@example.org", areas=["nowhere-we-know"])
    assert counts(county) == {
        "staffordshire": 4,
        "stafford-borough": 4,
        "stafford-north": 3,
        "baswich": 1,
        "staffordshire-moorlands": 1,
        "leek-west": 1,
    }


def test_only_people_who_would_get_mail_are_counted(county: Workspace) -> None:
    people(county, "a@example.org", "b@example.org", "c@example.org", areas=["baswich"], postcode="ZZ1 1AP")
    subscribing.leave("a@example.org", ["all-residents"], "page")
    subscribing.suppress("b@example.org", "bulk", "complaint", "mail")
    assert counts(county)["baswich"] == 1
    assert counts(county, "monthly") == {}
    assert counting.in_shape(county.config, ["all-residents"], NORTH) == (1, make_areas.CODES)


def test_the_people_counted_are_those_that_a_mailing_would_choose(county: Workspace) -> None:
    from datetime import timedelta

    from django.db import connection
    from django.utils import timezone

    from newsletter.audience import selecting
    from newsletter.audience.models import Subscription

    everybody = [f"p{number}@example.org" for number in range(24)]
    people(county, *everybody, areas=["baswich"], postcode="ZZ1 1AP")
    county.people(*everybody[::2], lists=("monthly",))
    for number, address in enumerate(everybody):
        rows = Subscription.objects.filter(subscriber__canonical=address, list__key="all-residents")
        if number % 3 == 0:
            rows.update(state=("pending", "left")[number % 2])
        if number % 4 == 1:
            rows.update(paused_until=timezone.now() + timedelta(days=1 if number % 8 == 1 else -1))
        if number % 5 == 4:
            subscribing.suppress(address, "bulk", "complaint", "mail")
    for lists in (["all-residents"], ["monthly"], ["all-residents", "monthly"]):
        sql, parameters = selecting.sql(county.config, lists)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({sql}) AS person", parameters)
            chosen = cursor.fetchone()[0]
        assert 0 < chosen == counts(county, *lists)["baswich"]
        assert counting.in_shape(county.config, lists, NORTH)[0] == chosen
    assert county.run(*WHERE, "list", "--list", "montly").exit == 1


@pytest.mark.parametrize("asked", ["shape", "segment"])
def test_sqlite_looks_nobody_up_under_each_of_10_000_postcodes(county: Workspace, asked: str) -> None:
    """It did: everybody on the list, a million, under each postcode of the outline. That count never ended."""
    from django.db import connection

    from newsletter.audience import dialect, segments, selecting

    if not dialect.is_sqlite():
        pytest.skip("PostgreSQL plans by statistics")
    everybody = {"include": [{"list": "all-residents"}], "must": [{"shape": NORTH}, {"area": "stafford-borough"}]}
    segments.save(county.config, "north", "North", everybody)
    plans: list[str] = []

    def heard(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "audience_suppression" in sql:
            execute(f"EXPLAIN QUERY PLAN {sql}", params, many, context)
            plans.extend(str(row[-1]) for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    people(county, "a@example.org", areas=["baswich"], postcode="ZZ1 1AP")
    with connection.execute_wrapper(heard):
        if asked == "shape":
            assert counting.in_shape(county.config, ["all-residents"], NORTH)[0] == 1
        else:
            assert selecting.explain(county.config, ["north"]).will_get == 1
    assert any(plan.startswith("SEARCH holding USING PRIMARY KEY (trait_id=?)") for plan in plans), plans
    assert not any(plan.startswith("SEARCH holding USING PRIMARY KEY (trait_id=? AND") for plan in plans), plans
    assert not any(plan.startswith("SEARCH subscriber") and "canonical" not in plan for plan in plans), plans


def test_who_told_a_postcode_is_placed_once_with_a_proof(county: Workspace) -> None:
    people(county, "a@example.org", postcode="zz1 1ap")
    people(county, "b@example.org", postcode="ZZ1 1AP", areas=["leek-west"])
    people(county, "c@example.org", postcode="AB1 2CD")
    dry = json.loads(county.run(*WHERE, "place", "--dry-run", "--json").out)
    assert (dry["written"], dry["placed"], dry["unknown"]) == (False, {"stafford-north": 1}, 1)
    assert county.run(*WHERE, "place").exit == 4, "there is nobody to ask"
    assert "Placed 1 person in 1 area" in county.run(*WHERE, "place", "--yes", "--as", "Jo").out
    assert [person.attributes.get("areas") for person in Subscriber.objects.order_by("pk")] == [
        ["stafford-north"], ["leek-west"], None,
    ]  # fmt: skip
    [proof] = ConsentEvent.objects.all()
    assert (proof.event, proof.channel, proof.by) == ("changed", "staff", "Jo") and "ZZ1 1AP" in proof.why
    assert counts(county)["stafford-north"] == 1
    assert "nobody to place" in county.run(*WHERE, "place", "--yes").out
    assert ConsentEvent.objects.count() == 1


def test_the_tree_is_shown_with_its_people_and_a_warning_where_they_are_few(county: Workspace) -> None:
    people(county, *(f"p{n}@example.org" for n in range(12)), areas=["stafford-north"])
    people(county, "q@example.org", areas=["leek-west"])
    shown = county.run(*WHERE, "list").out
    assert "    Stafford North         stafford-north           ward          12\n" in shown
    assert "2 areas are places with fewer than 10 people" in shown
    rows = {row["key"]: row for row in json.loads(county.run(*WHERE, "list", "--json").out)["areas"]}
    assert (rows["staffordshire"]["people"], rows["leek-west"]["small"], rows["baswich"]["small"]) == (13, True, False)
    assert "people       12" in county.run(*WHERE, "show", "Stafford North").out


def test_a_postcode_is_found_however_it_is_written(county: Workspace) -> None:
    assert county.run(*WHERE, "find", "zz11ap").out == (
        "ZZ1 1AP  Stafford North, Stafford Borough, Staffordshire  (stafford-north)\n"
    )
    assert "unknown-postcode" in county.run(*WHERE, "find", "AB1 2CD").err
    assert "is not a postcode" in county.run(*WHERE, "find", "Stafford").err


def test_people_inside_a_drawn_outline_or_a_circle_are_counted(county: Workspace) -> None:
    people(county, *(f"p{n}@example.org" for n in range(3)), postcode="ZZ1 1AP")
    county.write("shape.geojson", json.dumps({"type": "FeatureCollection", "features": [{"geometry": NORTH}]}))
    ran = json.loads(county.run(*WHERE, "count", "--shape", str(county.root / "shape.geojson"), "--json").out)
    assert (ran["people"], ran["postcodes"], ran["small"]) == (3, 24, True)
    assert "0 people in 0 postcodes" in county.run(*WHERE, "count", "--circle", "-2,52,5").out
    for wrong in ((), ("--circle", "x"), ("--circle", "52.8,-2.1,5"), ("--shape", "nothing.geojson")):
        assert county.run(*WHERE, "count", *wrong).exit in (1, 2)


def test_loading_shows_asks_and_says_when_there_is_nothing_to_do(workspace: Workspace) -> None:
    for name, made in make_areas.FILES.items():
        workspace.write(f"recipients/areas/{name}", made())
    assert workspace.run(*WHERE, "load").exit == 4
    assert "Nothing was written" in workspace.run(*WHERE, "load", "--dry-run").out and not areas.known()
    assert "Loaded 9 areas and 120 postcodes" in workspace.run(*WHERE, "load", "--yes").out
    assert "Nothing to change" in workspace.run(*WHERE, "load").out
    workspace.write("recipients/areas/areas.csv", "key,title,kind,parent\na,A,,b\n")
    ran = workspace.run(*WHERE, "load", "--yes")
    assert ran.exit == 1 and "unknown-area" in ran.err and len(areas.known()) == 9


def test_a_block_for_a_district_reaches_the_people_of_its_wards(county: Workspace) -> None:
    from newsletter.audience.areas.blocks import meant

    assert meant(("Stafford Borough", "Elsewhere"), areas.known()) == (
        "Stafford Borough", "Elsewhere", "stafford-borough", "baswich", "stafford-north", "stafford-south",
    )  # fmt: skip


def test_an_area_may_be_called_by_its_key_its_title_and_what_lies_around_it(county: Workspace) -> None:
    assert areas.names(["leek-west", "Elsewhere"]) == {
        "leek-west", "leek west", "staffordshire-moorlands", "staffordshire moorlands", "staffordshire", "elsewhere",
    }  # fmt: skip
    assert areas.names([]) == set()
