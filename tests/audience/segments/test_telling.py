"""A segment in words."""

from __future__ import annotations

from newsletter.audience.segments import Known, read, telling


def test_every_condition_is_said_as_a_colleague_would() -> None:
    known = Known(
        lists={"all": "All residents"},
        fields={"ward": "text", "age": "number"},
        areas={"stone": "stone"},
        segments={"other": "The others"},
        issues=("2026-11-24",),
    )
    segment = read(
        {
            "include": [{"list": "all"}, {"segment": "other"}],
            "must": [
                {"field": "ward", "is": ["North", "South", "East"]},
                {"field": "ward", "is_not": "West"},
                {"field": "age", "from": 18, "to": 65},
                {"field": "ward", "known": False},
                {"language": "cy"},
                {"joined_since": "2026-01-01", "joined_before": "2026-06-01"},
                {"did_not_get": "2026-11-24"},
                {"area": "Stone"},
                {"shape": {"type": "Circle", "coordinates": [-2.1, 52.8], "km": 5}},
            ],
            "exclude": [{"tag": "staff"}],
        },
        known,
    )
    assert telling.told(segment, known, {"ward": "Ward"}) == [
        ("anybody who", "gets ‘All residents’"),
        ("or who", "is in the segment ‘The others’"),
        ("and who", "has Ward as ‘North’, ‘South’ or ‘East’"),
        ("and who", "has Ward other than ‘West’"),
        ("and who", "has age from 18 up to 65"),
        ("and who", "has no Ward on record"),
        ("and who", "reads ‘cy’"),
        ("and who", "is here since 2026-01-01 and was here before 2026-06-01"),
        ("and who", "did not get ‘2026-11-24’"),
        ("and who", "lives in ‘stone’"),
        ("and who", "lives in a shape on the map (a circle of 5 km)"),
        ("but nobody who", "has the tag ‘staff’"),
    ]


def test_without_include_it_is_whoever_is_on_a_list() -> None:
    segment = read({"must": [{"tag": "x"}]}, Known())
    assert telling.told(segment, Known())[0] == ("anybody", "on any of the lists")
