"""What people type as their area: of a map and a field for it, both say the same, and nothing is invented."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.web import places
from tests.workspace import Workspace


@pytest.fixture
def mapped(workspace: Workspace) -> Workspace:
    """A map with two wards in a district that is called as one of them; `ward` is a declared field, too."""
    from newsletter.audience.models import Area, Postcode

    district = Area.objects.create(key="marsh", title="Marsh", kind="district")
    end = Area.objects.create(key="marsh-end", title="Marsh End", kind="ward", parent=district)
    Area.objects.create(key="marsh-ward", title="Marsh", kind="ward", parent=district)
    Postcode.objects.create(code="ST16 3AA", area=end, longitude=-2.1, latitude=52.8)
    return workspace


@pytest.mark.parametrize(
    ("typed", "facts"),
    [
        (" marsh   END ", {"areas": ["marsh-end"], "ward": "Marsh End"}),
        ("marsh-end", {"areas": ["marsh-end"], "ward": "Marsh End"}),
        ("st163aa", {"postcode": "ST16 3AA", "areas": ["marsh-end"], "ward": "Marsh End"}),
        ("ST16 9ZZ", {"postcode": "ST16 9ZZ"}),
        ("Marsh Ende", {"place": "Marsh Ende"}),
        ("http://spam.example", {}),
        ("", {}),
    ],
)
def test_a_place_of_the_map_is_the_area_and_the_ward(mapped: Workspace, typed: str, facts: dict[str, Any]) -> None:
    assert places.read(typed) == facts


def test_a_name_that_two_areas_have_is_the_one_whose_key_it_is_or_none(mapped: Workspace) -> None:
    from newsletter.audience.models import Area

    assert places.read("Marsh") == {"areas": ["marsh"], "ward": "Marsh"}
    Area.objects.filter(key="marsh").update(key="marsh-district")
    assert places.read("Marsh") == {"place": "Marsh"}


def test_without_a_map_it_is_the_ward_and_without_that_field_just_a_place(workspace: Workspace) -> None:
    assert places.read("Marsh End") == {"ward": "Marsh End"}
    workspace.toml("", base=TOML_WITHOUT_WARD)
    assert places.read("Marsh End") == {"place": "Marsh End"}


def test_a_map_without_the_field_sets_the_area_only(mapped: Workspace) -> None:
    mapped.toml("", base=TOML_WITHOUT_WARD)
    assert places.read("Marsh End") == {"areas": ["marsh-end"]}


TOML_WITHOUT_WARD = """\
[site]
name = "Example Council"
postal_address = "Example Council, 1 Example Street, Stafford"
[lists.all-residents]
title = "All residents"
why = "You get this because you asked for messages to all residents."
"""
