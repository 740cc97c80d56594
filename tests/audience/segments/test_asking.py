"""Short words of the command line and files become the data of a segment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from newsletter.audience.segments import asking
from newsletter.problems import NewsletterError

FIELDS = {"ward": "text", "age": "number"}


@pytest.mark.parametrize(
    ("word", "data"),
    [
        ("list=all-residents", {"list": "all-residents"}),
        ("tag = staff, press", {"tag": ["staff", "press"]}),
        ("ward=North,South", {"field": "ward", "is": ["North", "South"]}),
        ("ward!=North", {"field": "ward", "is_not": ["North"]}),
        ("age>=18", {"field": "age", "from": "18"}),
        ("age<=65", {"field": "age", "to": "65"}),
        ("ward=?", {"field": "ward", "known": True}),
        ("ward!=?", {"field": "ward", "known": False}),
        ("joined_since=2026-01-01", {"joined_since": "2026-01-01"}),
        ("ward=a=b", {"field": "ward", "is": ["a=b"]}),
    ],
)
def test_a_word_says_one_condition(word: str, data: dict[str, Any], tmp_path: Path) -> None:
    assert asking.conditions([word], FIELDS, tmp_path) == [data]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ward", "‘ward’ asks for nothing"),
        ("wrad=North", "‘wrad’ cannot be asked for"),
        ("tag!=staff", "‘tag!=staff’: tag knows only ="),
        ("shape=nowhere.geojson", "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_said(word: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(NewsletterError) as caught:
        asking.conditions([word], FIELDS, tmp_path)
    assert said in caught.value.problems[0].message


def test_a_near_name_is_offered(tmp_path: Path) -> None:
    with pytest.raises(NewsletterError) as caught:
        asking.conditions(["wrad=North"], FIELDS, tmp_path)
    assert caught.value.problems[0].hint == "did you mean ward?"


def test_a_file_says_it_in_json_or_toml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\ufeff{"title": "North", "must": [{"tag": "x"}]}', encoding="utf-8")
    (tmp_path / "a.toml").write_text('title = "North"\n[[must]]\ntag = "x"\n', encoding="utf-8")
    wanted = ("North", {"must": [{"tag": "x"}]})
    assert asking.from_file(tmp_path / "a.json") == asking.from_file(tmp_path / "a.toml") == wanted


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.json", b'{"must": [', "This is not JSON"),
        ("a.toml", b"must = [", "cannot be read"),
        ("a.json", b"\xff\xfe", "cannot be read"),
        ("a.json", b"[]", "A segment is a table"),
        ("a.json", b'{"title": 7}', "‘title’ is a text"),
        ("a.json", b"[" * 100_000, "cannot be read"),
    ],
)
def test_a_broken_file_is_a_problem_with_its_name(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(NewsletterError) as caught:
        asking.from_file(tmp_path / name)
    [problem] = caught.value.problems
    assert said in problem.message and problem.where and problem.where.file.endswith(name)


def test_an_outline_is_read_from_its_file(tmp_path: Path) -> None:
    square = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}}
    whole = {"type": "FeatureCollection", "features": [square]}
    (tmp_path / "park.geojson").write_text(json.dumps(whole), encoding="utf-8")
    assert asking.conditions(["shape=park.geojson"], FIELDS, tmp_path) == [{"shape": square}]
