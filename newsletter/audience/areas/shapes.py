"""Shapes on the map: polygons from GeoJSON (RFC 7946) and circles, checked, mended where that is safe, and asked
which points lie in them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.problems import NewsletterError, Problem, Severity, Where

EARTH = 6371.0088  # km, mean radius (IUGG)
MOST_KM = 1_000.0
MOST_POINTS = 2_000_000  # corners of one area: ten times the most detailed county of the official boundaries
# Britain and Ireland. A shape that lies here with its two numbers changed over was written the wrong way round.
_HOME = (-11.0, 49.0, 3.0, 62.0)
_VALIDITY = re.compile(r"(.*?)\[(\S+) (\S+)\]")


@dataclass(frozen=True)
class Shape:
    """One shape. `bounds`: west, south, east, north in degrees. Either a prepared polygon or a circle."""

    bounds: tuple[float, float, float, float]
    polygon: Any = None
    circle: tuple[float, float, float] | None = None  # longitude, latitude, km

    def holds(self, longitudes: Any, latitudes: Any) -> Any:
        """For arrays of points: an array of truths. The border counts as inside."""
        import numpy
        import shapely

        if self.circle is None:
            return shapely.intersects_xy(self.polygon, longitudes, latitudes)
        lon, lat, km = self.circle
        x, y = numpy.radians(numpy.asarray(longitudes, float)), numpy.radians(numpy.asarray(latitudes, float))
        half = (
            numpy.sin((y - math.radians(lat)) / 2) ** 2
            + numpy.cos(y) * math.cos(math.radians(lat)) * numpy.sin((x - math.radians(lon)) / 2) ** 2
        )
        return 2 * EARTH * numpy.arcsin(numpy.sqrt(half)) <= km


def read(value: Any, where: Where | None = None) -> tuple[Shape, list[Problem]]:
    """A shape from data: a GeoJSON Polygon or MultiPolygon, a Feature that holds one, or a circle
    `{"type": "Circle", "coordinates": [lon, lat], "km": 5}`. With notes about what was mended.

    Raises NewsletterError: bad-shape, coordinates-swapped, coordinates-outside, shape-crosses-itself.
    """
    if isinstance(value, Mapping) and value.get("type") == "Feature":
        value = value.get("geometry")
    if isinstance(value, Mapping) and str(value.get("type", "")).casefold() == "circle":
        return circle(value.get("coordinates"), value.get("km"), where), []
    import shapely

    polygon, notes = geometry(value, where)
    shapely.prepare(polygon)
    return Shape(tuple(map(float, polygon.bounds)), polygon), notes  # type: ignore[arg-type]


def read_file(path: Path) -> tuple[Shape, list[Problem]]:
    """The one shape of a GeoJSON file, or all its features together. Raises NewsletterError as `read`."""
    where = Where(str(path))
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error.strerror}", where) from None
    except (ValueError, RecursionError) as error:
        where = Where(str(path), getattr(error, "lineno", None), getattr(error, "colno", None))
        raise _bad(f"{path} is not GeoJSON: {getattr(error, 'msg', '') or error}"[:300], where) from None
    if isinstance(value, Mapping) and value.get("type") == "FeatureCollection":
        features = value.get("features")
        parts = [one.get("geometry") for one in features if isinstance(one, Mapping)] if features else []
        value = parts[0] if len(parts) == 1 else {"type": "GeometryCollection", "geometries": parts}
    return read(value, where)


def circle(centre: Any, km: Any, where: Where | None = None) -> Shape:
    """Everything within `km` of a point. Raises NewsletterError as `read`."""
    if not isinstance(centre, list | tuple) or len(centre) < 2 or not all(map(_number, (*centre[:2], km))):
        raise _bad("A circle needs a longitude, a latitude and kilometres", where)
    lon, lat, far = float(centre[0]), float(centre[1]), float(km)
    if not 0 < far <= MOST_KM:
        raise _bad(f"A circle of {far:g} km cannot be: more than 0 and at most {MOST_KM:,.0f}", where)
    _placed([(lon, lat)], where)
    high = math.degrees(far / EARTH)
    wide = min(180.0, high / max(0.01, math.cos(math.radians(min(89.0, abs(lat) + high)))))
    return Shape((lon - wide, lat - high, lon + wide, lat + high), circle=(lon, lat, far))


def geometry(value: Any, where: Where | None = None) -> tuple[Any, list[Problem]]:
    """A shapely Polygon or MultiPolygon that is valid, from a GeoJSON geometry; and notes. Raises as `read`."""
    import shapely

    if isinstance(value, Mapping) and value.get("type") == "GeometryCollection" and value.get("geometries"):
        several = [geometry(one, where) for one in value["geometries"]]
        return shapely.union_all([shape for shape, _ in several]), [note for _, notes in several for note in notes]
    parts = list(_polygons(value, where))
    corners = [point for rings in parts for ring in rings for point in ring]
    if len(corners) > MOST_POINTS:
        raise _bad(f"The shape has {len(corners):,} corners; at most {MOST_POINTS:,} are taken", where)
    _placed(corners, where)
    try:
        polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in parts]
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise _bad(f"The shape cannot be built: {error}", where) from None
    shape = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    return _mended(shape, where)


def as_geojson(shape: Any) -> dict[str, Any]:
    """A shapely geometry as plain data, rounded to 6 decimals (0.1 m)."""
    import shapely

    found: dict[str, Any] = shapely.geometry.mapping(shapely.transform(shape, lambda points: points.round(6)))
    return {"type": found["type"], "coordinates": _listed(found["coordinates"])}


def _mended(shape: Any, where: Where | None) -> tuple[Any, list[Problem]]:
    """The shape itself where it is sound; else as its outlines mean it, with a note of the place."""
    import shapely

    if shapely.is_valid(shape):
        return shape, []
    reason = shapely.is_valid_reason(shape)
    found = _VALIDITY.match(reason)
    place = f" at longitude {float(found[2]):.5f}, latitude {float(found[3]):.5f}" if found else f": {reason}"
    mended = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    parts = [part for part in shapely.get_parts(mended) if part.geom_type in ("Polygon", "MultiPolygon")]
    mended = shapely.union_all(parts) if parts else None
    if mended is None or mended.area <= 0:
        hint = "Draw it again: its outline encloses nothing."
        raise NewsletterError(Problem("shape-crosses-itself", f"The outline crosses itself{place}", hint, where))
    note = Problem(
        "shape-mended",
        f"The outline crosses itself{place}; it was mended",
        "Look at it on a map; if it is not what was meant, draw it again.",
        where,
        Severity.WARNING,
    )
    return mended, [note]


def _polygons(value: Any, where: Where | None) -> Iterator[list[list[tuple[float, float]]]]:
    """The rings of each polygon, as pairs of numbers."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind not in ("Polygon", "MultiPolygon"):
        said = f"it is a {kind}" if isinstance(kind, str) else "it has no type"
        raise _bad(f"A shape must be a Polygon or a MultiPolygon of GeoJSON; {said[:60]}", where)
    found = value.get("coordinates")
    parts = [found] if kind == "Polygon" else found
    if not isinstance(parts, list | tuple) or not parts:
        raise _bad("The shape has no coordinates", where)
    for rings in parts:
        if not isinstance(rings, list | tuple) or not rings:
            raise _bad("The shape has a polygon without an outline", where)
        yield [_ring(ring, where) for ring in rings]


def _ring(ring: Any, where: Where | None) -> list[tuple[float, float]]:
    if not isinstance(ring, list | tuple) or len(ring) < 3:
        raise _bad("An outline needs at least three corners", where)
    points = []
    for point in ring:
        if not isinstance(point, list | tuple) or len(point) < 2 or not (_number(point[0]) and _number(point[1])):
            raise _bad(f"‘{str(point)[:40]}’ is no corner: two numbers, longitude and latitude", where)
        points.append((float(point[0]), float(point[1])))
    return points


def _placed(points: list[tuple[float, float]], where: Where | None) -> None:
    """Refuses what is not in degrees, not in this world, or latitude first."""
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    first = f"{points[0][0]:g}, {points[0][1]:g}"
    home_west, home_south, home_east, home_north = _HOME
    if home_south <= west and east <= home_north and home_west <= south and north <= home_east:
        hint = f"GeoJSON has the longitude first: [{points[0][1]:g}, {points[0][0]:g}]."
        raise NewsletterError(
            Problem("coordinates-swapped", f"The coordinates are the wrong way round: {first} …", hint, where)
        )
    if west < -180 or east > 180 or south < -90 or north > 90:
        grid = max(east, north) > 1000
        hint = "Longitude lies between -180 and 180, latitude between -90 and 90."
        if grid:
            hint = "They look like eastings and northings: save the file as GeoJSON in degrees (WGS 84, EPSG:4326)."
        raise NewsletterError(
            Problem("coordinates-outside", f"The coordinates lie outside the world: {first} …", hint, where)
        )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value


def _bad(message: str, where: Where | None) -> NewsletterError:
    hint = "Take the file as it comes from an official source, or draw it with a program that saves GeoJSON."
    return NewsletterError(Problem("bad-shape", message, hint, where))
