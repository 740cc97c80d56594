"""Writes recipients/areas/: the demo's county, its outlines and postcodes, the same every time
(`python -m tests.audience.make_areas`).

The map is made up: the county lies in the middle of the North Sea, and no postcode of Royal Mail begins with ZZ.
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "recipients" / "areas"
WEST, SOUTH, STEP = 2.0, 54.5, 0.1  # degrees: the county's corner, and a square of its map
CODES = 24  # postcodes of a ward
COUNTY = "staffordshire"
# title, kind, parent, the squares of the map it is made of: (column, row)
TREE = [
    ("Staffordshire", "county", "", []),
    ("Stafford Borough", "district", COUNTY, []),
    ("Stafford North", "ward", "stafford-borough", [(1, 1)]),
    ("Stafford South", "ward", "stafford-borough", [(1, 0)]),
    ("Baswich", "ward", "stafford-borough", [(2, 0)]),
    ("Cannock Chase", "district", COUNTY, []),
    ("Cannock East", "ward", "cannock-chase", [(0, 0)]),
    ("Staffordshire Moorlands", "district", COUNTY, []),
    ("Leek West", "ward", "staffordshire-moorlands", [(2, 1), (3, 1)]),
]


def key(title: str) -> str:
    return title.casefold().replace(" ", "-")


def squares(area: str) -> list[tuple[int, int]]:
    """The squares of an area and of all within it."""
    own = [square for title, _, _, these in TREE if key(title) == area for square in these]
    return own + [square for title, _, parent, _ in TREE if parent == area for square in squares(key(title))]


def tree() -> str:
    return _csv(["key", "title", "kind", "parent"], [[key(title), title, kind, up] for title, kind, up, _ in TREE])


def outlines() -> str:
    """One feature a line, so that a person can read it."""
    features = [json.dumps(_feature(key(title), title)) for title, *_ in TREE]
    return '{"type": "FeatureCollection", "features": [\n' + ",\n".join(features) + "\n]}\n"


def _feature(area: str, title: str) -> dict[str, object]:
    rings = [[_ring(*square)] for square in squares(area)]
    geometry = (
        {"type": "Polygon", "coordinates": rings[0]}
        if len(rings) == 1
        else {"type": "MultiPolygon", "coordinates": rings}
    )
    return {"type": "Feature", "properties": {"key": area, "name": title}, "geometry": geometry}


def _ring(column: int, row: int) -> list[list[float]]:
    """A square, a hair inside its cell: outlines of one shape may touch nowhere along a line (RFC 7946 3.1.6)."""
    hair = 0.0005
    west, south = WEST + column * STEP + hair, SOUTH + row * STEP + hair
    east, north = west + STEP - 2 * hair, south + STEP - 2 * hair
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return [[round(x, 4), round(y, 4)] for x, y in corners]


def places() -> list[tuple[str, float, float, str]]:
    """(postcode, latitude, longitude, ward key), each ward's in a district of its own: ZZ1, ZZ2 …"""
    chance = random.Random(2026)
    found = []
    wards = [key(title) for title, kind, *_ in TREE if kind == "ward"]
    for number, ward in enumerate(wards, 1):
        for code in range(CODES):
            column, row = chance.choice(squares(ward))
            x, y = (WEST + (column + chance.uniform(0.1, 0.9)) * STEP, SOUTH + (row + chance.uniform(0.1, 0.9)) * STEP)
            found.append((f"ZZ{number} {code // 20 + 1}{'ABDEFGHJLN'[code % 10]}{'PQRSTUWXYZ'[code % 7]}", y, x, ward))
    return found


def by_ward() -> dict[str, list[str]]:
    codes: dict[str, list[str]] = {}
    for code, _, _, ward in places():
        codes.setdefault(ward, []).append(code)
    return codes


def postcodes() -> str:
    """With the columns of the ONS Postcode Directory; only outlines say which area they lie in."""
    rows = [[code, f"{y:.6f}", f"{x:.6f}"] for code, y, x, _ in places()]
    return _csv(["pcds", "lat", "long"], rows)


def _csv(head: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


FILES = {"areas.csv": tree, "outlines.geojson": outlines, "postcodes.csv": postcodes}

if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, made in FILES.items():
        (TARGET / name).write_bytes(made().encode())
