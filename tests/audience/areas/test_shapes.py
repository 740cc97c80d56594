"""Shapes: what lies in them, what is mended, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest
import shapely

from newsletter.audience.areas import grid, shapes
from newsletter.audience.postcodes import spelled
from newsletter.problems import NewsletterError, Where

SQUARE = [[0.0, 52.0], [1.0, 52.0], [1.0, 53.0], [0.0, 53.0], [0.0, 52.0]]
HOLE = [[0.4, 52.4], [0.6, 52.4], [0.6, 52.6], [0.4, 52.6], [0.4, 52.4]]
FIGURE_OF_EIGHT = [[0.0, 52.0], [1.0, 53.0], [1.0, 52.0], [0.0, 53.0], [0.0, 52.0]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def refused(value: Any) -> str:
    with pytest.raises(NewsletterError) as caught:
        shapes.read(value, Where("outlines.geojson", 7))
    [problem] = caught.value.problems
    assert str(problem.where) == "outlines.geojson:7" and problem.hint
    return problem.code


def test_a_hole_is_outside_and_the_border_is_inside() -> None:
    shape, notes = shapes.read(polygon(SQUARE, HOLE))
    assert notes == []
    assert shape.holds([0.1, 0.5, 0.0, 1.5], [52.1, 52.5, 52.5, 52.5]).tolist() == [True, False, True, False]


def test_several_polygons_are_one_shape_and_a_feature_is_its_geometry() -> None:
    far = [[x + 5, y] for x, y in SQUARE]
    shape, _ = shapes.read({"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [far]]}})
    assert shape.holds([0.5, 3.0, 5.5], [52.5, 52.5, 52.5]).tolist() == [True, False, True]
    assert shape.bounds == (0.0, 52.0, 6.0, 53.0)


def test_an_outline_that_crosses_itself_is_mended_with_a_note_of_the_place() -> None:
    shape, [note] = shapes.read(polygon(FIGURE_OF_EIGHT))
    assert (note.code, note.severity) == ("shape-mended", "warning")
    assert "longitude 0.50000, latitude 52.50000" in note.message
    assert shape.holds([0.1, 0.9, 0.5], [52.5, 52.5, 52.9]).tolist() == [True, True, False]


def test_an_outline_that_encloses_nothing_is_refused() -> None:
    assert refused(polygon([[0, 52], [1, 52], [0, 52], [0, 52]])) == "shape-crosses-itself"


def test_latitude_before_longitude_is_refused_with_the_right_order() -> None:
    with pytest.raises(NewsletterError) as caught:
        shapes.read(polygon([[52.8, -2.1], [52.9, -2.1], [52.9, -2.0], [52.8, -2.1]]))
    [problem] = caught.value.problems
    assert problem.code == "coordinates-swapped" and "[-2.1, 52.8]" in problem.hint


@pytest.mark.parametrize(
    ("points", "said"),
    [([[392000, 323000], [393000, 323000], [393000, 324000]], "eastings"), ([[200, 5], [201, 5], [201, 6]], "-180")],
)
def test_coordinates_outside_the_world_are_refused(points: list[list[float]], said: str) -> None:
    with pytest.raises(NewsletterError) as caught:
        shapes.read(polygon(points))
    [problem] = caught.value.problems
    assert problem.code == "coordinates-outside" and said in problem.hint


@pytest.mark.parametrize(
    "value",
    [
        None, [], 5, "Polygon", {}, {"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []}, polygon([[0, 0], [1, 1]]), polygon([[0, 0], [1, "x"], [2, 2]]),
        polygon([[0, 0], [float("nan"), 1], [2, 2]]), polygon(5), {"type": "Feature", "geometry": None},
        polygon([[True, 0], [1, 1], [2, 0]]), {"type": "Circle", "coordinates": [0]},
        {"type": "Circle", "coordinates": [0, 52], "km": -1}, {"type": "Circle", "coordinates": [0, 52], "km": 1e9},
        {"type": "MultiPolygon", "coordinates": [5]}, {"type": "GeometryCollection", "geometries": []},
        {"type": "GeometryCollection", "geometries": [{"type": "Point"}]},
    ],
)  # fmt: skip
def test_what_is_no_shape_is_refused(value: Any) -> None:
    assert refused(value) == "bad-shape"


def test_a_circle_is_round_on_the_ground() -> None:
    """One degree of latitude is 111.2 km everywhere, one of longitude 67.2 km at 52.8° N."""
    shape, _ = shapes.read({"type": "Circle", "coordinates": [-2.0, 52.8], "km": 10})
    north, east = 10 / 111.195, 10 / (111.195 * 0.60460)
    points = [(-2.0, 52.8 + north * 0.99), (-2.0, 52.8 + north * 1.01)]
    points += [(-2.0 + east * 0.99, 52.8), (-2.0 + east * 1.01, 52.8)]
    assert shape.holds(*zip(*points, strict=True)).tolist() == [True, False, True, False]
    west, south, right, top = shape.bounds
    assert west < -2.0 - east and right > -2.0 + east and south < 52.8 - north * 0.999 and top > 52.8 + north * 0.999


def test_what_is_kept_is_what_was_read_to_a_tenth_of_a_metre() -> None:
    shape, _ = shapes.geometry(polygon([[0.12345678, 52.0], [1.0, 52.0], [1.0, 53.0]]))
    kept = shapes.as_geojson(shape)
    assert kept["coordinates"][0][0] == [0.123457, 52.0] or [0.123457, 52.0] in kept["coordinates"][0]
    assert shapely.hausdorff_distance(shape, shapes.geometry(kept)[0]) < 1e-6


def test_the_national_grid_as_the_ordnance_survey_works_it_out() -> None:
    """Their worked example: Caister water tower; WGS 84 by the seven-parameter shift is right to 5 m."""
    [lon], [lat] = grid.to_degrees([651409.903], [313177.270])
    assert abs(lat - (52 + 39 / 60 + 28.72 / 3600)) < 5 / 111_000
    assert abs(lon - (1 + 42 / 60 + 57.79 / 3600)) < 5 / 67_000


@pytest.mark.parametrize(
    ("text", "code"),
    [("st163aa", "ST16 3AA"), (" St16  3aa ", "ST16 3AA"), ("M1 1AE", "M1 1AE"), ("EC1A1BB", "EC1A 1BB"),
     ("GIR 0AA", "GIR 0AA"), ("zz1 1ap", "ZZ1 1AP"), ("ST16", ""), ("", ""), ("16 3AA", ""), ("hello there", "")],
)  # fmt: skip
def test_a_postcode_has_one_spelling(text: str, code: str) -> None:
    assert spelled(text) == code
