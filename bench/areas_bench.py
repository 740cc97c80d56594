"""Counts the people of an outline among a million with 30,000 postcodes, on both databases, beside the plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import both

ROOT = Path(__file__).resolve().parents[1]
AIM = 1000.0  # ms

# Runs in a process of its own, so that it has a database of its own. Prints one JSON object.
_CHILD = """
import json, random, resource, sys, time
from pathlib import Path
from newsletter import config
from newsletter.audience import database
found = config.load(Path(sys.argv[1]))
database.ready(found)
from django.db import connection
from newsletter.audience import areas, dialect, segments, selecting
from newsletter.audience.areas import counting
from newsletter.audience.models import Area, MailingList, Postcode, Trait

many, codes, wards, chance = int(sys.argv[2]), 30_000, 100, random.Random(7)
county = Area.objects.create(key="county", title="County")
every = [Area.objects.create(key=f"ward-{n}", title=f"Ward {n}", parent=county) for n in range(wards)]
rows = [(f"ZZ{n // 1000} {n // 100 % 10}{'ABDEFGHJLN'[n // 10 % 10]}{'PQRSTUWXYZ'[n % 10]}", chance.uniform(2, 3),
    chance.uniform(54, 55)) for n in range(codes)]
Postcode.objects.bulk_create([Postcode(code=code, longitude=x, latitude=y, area=every[int((x - 2) * 10) % 10 * 10 +
    int((y - 54) * 10) % 10]) for code, x, y in rows])
Trait.objects.bulk_create([Trait(key="postcode", value=code) for code, _, _ in rows])
Trait.objects.bulk_create([Trait(key="areas", value=area.key) for area in every])
first = {kind: min(Trait.objects.filter(key=kind).values_list("pk", flat=True)) for kind in ("postcode", "areas")}
topic = MailingList.objects.create(key="all-residents")
numbers = ("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < %s) " % many)
facts = ("json_object('postcode', n % 30000)" if dialect.is_sqlite() else
    "jsonb_build_object('postcode', CAST(n % 30000 AS text))")
now = "CURRENT_TIMESTAMP"
with connection.cursor() as cursor:
    for sql in (
        "INSERT INTO audience_subscriber (id, address, canonical, name, first_name, last_name, language, attributes,"
        f" created) {numbers} SELECT n, 'p' || n || '@example.org', 'p' || n || '@example.org', '', '', '', '',"
        f" {facts}, {now} FROM n",
        "INSERT INTO audience_subscription (list_id, subscriber_id, state, changed)"
        f" {numbers} SELECT {topic.pk}, n, 'confirmed', {now} FROM n",
        f"INSERT INTO audience_suppression (canonical, scope, reason, at) {numbers} SELECT 'p' || n || '@example.org',"
        f" 'bulk', 'gone', {now} FROM n WHERE n % 50 = 0",
        f"INSERT INTO audience_holding (trait_id, subscriber_id) {numbers} SELECT {first['postcode']} + n % 30000, n"
        " FROM n ORDER BY 1, 2",
        f"INSERT INTO audience_holding (trait_id, subscriber_id) {numbers} SELECT {first['areas']} + n % 100, n"
        " FROM n ORDER BY 1, 2",
    ):
        cursor.execute(sql)
    if not dialect.is_sqlite():
        cursor.execute("VACUUM ANALYZE")  # as autovacuum does; on SQLite nobody runs ANALYZE

def timed(work, times):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[len(took) // 2], result

ring = [[2.2, 54.1], [2.7, 54.2], [2.9, 54.6], [2.5, 54.8], [2.1, 54.7], [2.2, 54.1]]
third = {"type": "Polygon", "coordinates": [ring]}
circle = {"type": "Circle", "coordinates": [2.5, 54.5], "km": 15}

def live(shape):
    sql, parameters = areas.holders(shape)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS person", parameters)
        return cursor.fetchone()[0]

def plain():  # what one would write first: each person's own point, asked one by one
    import shapely
    outline, seen = shapely.geometry.shape(third), 0
    places = {code: (x, y) for code, x, y in rows}
    names = [code for code, _, _ in rows]
    with connection.cursor() as cursor:
        cursor.execute("SELECT attributes FROM audience_subscriber LIMIT 20000" if dialect.is_sqlite() else
            "SELECT attributes #>> '{}' FROM audience_subscriber LIMIT 20000")
        for (facts,) in cursor.fetchall():
            seen += outline.intersects(shapely.Point(places[names[int(json.loads(facts)["postcode"])]]))
    return seen

tree = areas.known()
segments.save(found, "third", "Third", dict(include=[{"list": "all-residents"}], must=[{"shape": third}]))
said = {
    "postcodes in an outline": timed(lambda: len(areas.inside(third)), 5),
    "everybody in an outline": timed(lambda: live(third), 5),
    "who of them would get mail": timed(lambda: counting.in_shape(found, ["all-residents"], third)[0], 5),
    "the same as a segment": timed(lambda: selecting.explain(found, ["third"]).will_get, 5),
    "who would in a circle": timed(lambda: counting.in_shape(found, ["all-residents"], circle)[0], 5),
    "the whole tree with its people": timed(lambda: counting.per_area(found, ["all-residents"], tree)["county"], 3),
}
said["memory"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0)
took, _ = timed(plain, 1)
said["other"] = (took * many / 20_000, 0)
print(json.dumps(said))
"""
OTHER_AIMS = {"the whole tree with its people": 5000.0}  # ms: a list of all areas, not one


def measured(url: str, many: int) -> dict[str, tuple[float, int]]:
    """Milliseconds (median) and the number found; `memory` in MiB. `url` is the database, "" = a file."""
    answer: dict[str, tuple[float, int]] = both.child(_CHILD, url, many)
    return answer


def rows(database: str, found: dict[str, tuple[float, int]]) -> list[dict[str, Any]]:
    other, _ = found.pop("other")
    memory, _ = found.pop("memory")
    table = []
    for what, (took, number) in found.items():
        aim = OTHER_AIMS.get(what, AIM)
        beside = what == "everybody in an outline"
        table.append(
            {
                "what": f"{database}: {what} ({number:,})",
                "ours": f"{took:,.0f} ms",
                "other": f"{other:,.0f} ms" if beside else "–",
                "ratio": f"{other / took:,.0f} ×" if beside else "–",
                "aim": f"≤ {aim:,.0f} ms",
                "ok": took <= aim,
            }
        )
    alone = {"other": "–", "ratio": "–", "aim": "≤ 150 MiB", "ok": memory <= 150}
    return [*table, {"what": f"{database}: memory while counting", "ours": f"{memory:,.0f} MiB", **alone}]


def run(many: int = 1_000_000, *, quick: bool = False) -> list[dict[str, Any]]:
    """Rows for `python -m bench areas`."""
    many = 100_000 if quick else many
    return both.databases(lambda database, url: rows(database, measured(url, many)))
