"""Counts segments among a million people on both databases, beside the statement that one would write first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bench import both

# Runs in a process of its own, so that it has a database and a memory of its own. Prints one JSON object.
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from newsletter import config
from newsletter.audience import database
found = config.load(Path(sys.argv[1]))
database.ready(found)
from django.db import connection, transaction
from newsletter.audience import dialect, segments, selecting, traits
from newsletter.audience.models import MailingList, Subscriber, Trait

many = int(sys.argv[2])
wards = [f"Ward {n}" for n in range(41)]
Trait.objects.bulk_create([Trait(key="ward", value=ward) for ward in wards])
Trait.objects.bulk_create([Trait(key="postcode", value=f"ZZ{n // 1000} {n % 1000}") for n in range(30_000)])
first = {key: min(Trait.objects.filter(key=key).values_list("pk", flat=True)) for key in ("ward", "postcode")}
one = {key: Trait.objects.create(key=key, value=value).pk for key, value in (("tags", "staff"), ("language", "cy"))}
residents, monthly = (MailingList.objects.create(key=key) for key in ("all-residents", "monthly"))
# What is true of every so many has no divisor in common, else all who left would read Welsh and be suppressed, too.
numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < %s) " % many
held, many_of = ("json_object", "json_array") if dialect.is_sqlite() else ("jsonb_build_object", "jsonb_build_array")
facts = (f"CASE WHEN n % 97 = 0 THEN {held}('ward', 'Ward ' || (n % 41), 'tags', {many_of}('staff'))"
    f" ELSE {held}('ward', 'Ward ' || (n % 41)) END")
now = "CURRENT_TIMESTAMP"
holding = f"INSERT INTO audience_holding (trait_id, subscriber_id) {numbers} SELECT "
with connection.cursor() as cursor:
    for sql in (
        "INSERT INTO audience_subscriber (id, address, canonical, name, first_name, last_name, language, attributes,"
        f" created) {numbers} SELECT n, 'p' || n || '@example.org', 'p' || n || '@example.org', '', '', '',"
        f" CASE WHEN n % 5 = 0 THEN 'cy' ELSE '' END, {facts}, {now} FROM n",
        "INSERT INTO audience_subscription (list_id, subscriber_id, state, changed)"
        f" {numbers} SELECT {residents.pk}, n, CASE WHEN n % 29 = 0 THEN 'left' ELSE 'confirmed' END, {now} FROM n",
        "INSERT INTO audience_subscription (list_id, subscriber_id, state, changed)"
        f" {numbers} SELECT {monthly.pk}, n, 'confirmed', {now} FROM n WHERE n % 3 = 0",
        f"INSERT INTO audience_suppression (canonical, scope, reason, at) {numbers} SELECT 'p' || n || '@example.org',"
        f" 'bulk', 'gone', {now} FROM n WHERE n % 47 = 0",
        f"{holding}{first['ward']} + n % 41, n FROM n ORDER BY 1, 2",
        f"{holding}{first['postcode']} + n % 30000, n FROM n ORDER BY 1, 2",
        f"{holding}{one['tags']}, n FROM n WHERE n % 97 = 0",
        f"{holding}{one['language']}, n FROM n WHERE n % 5 = 0",
    ):
        cursor.execute(sql)
    if not dialect.is_sqlite():
        cursor.execute("VACUUM ANALYZE")  # as autovacuum does; on SQLite nobody runs ANALYZE

def timed(work, times=5):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[len(took) // 2], result

def kept(key, **parts):
    segments.save(found, key, key, parts)
    return lambda: selecting.explain(found, [key]).will_get

on_list, staff, welsh = {"list": "all-residents"}, {"tag": "staff"}, {"language": "cy"}
either_list, ward = {"list": ["all-residents", "monthly"]}, {"field": "ward", "is": wards[:2]}
half, others = {"field": "ward", "is": wards[:20]}, {"field": "ward", "is_not": wards[:2]}
SHAPES = {
    "list, two wards of 41, not staff": dict(include=[on_list], must=[ward], exclude=[staff]),
    "list, two wards, Welsh, not staff": dict(include=[on_list], must=[ward, welsh], exclude=[staff]),
    "list, two wards, not Welsh": dict(include=[on_list], must=[ward], exclude=[welsh]),
    "one of two lists, two wards, not staff": dict(include=[either_list], must=[ward], exclude=[staff]),
    "staff of two wards, on any list": dict(include=[staff], must=[ward]),
    "list, Welsh (a fifth), not staff": dict(include=[on_list], must=[welsh], exclude=[staff]),
    "list, half of the wards, Welsh": dict(include=[on_list], must=[half, welsh]),
    "list or two wards, Welsh, not staff": dict(include=[on_list, ward], must=[welsh], exclude=[staff]),
    "list, not in two wards, not staff": dict(include=[on_list], must=[others], exclude=[staff]),
}

def plain():  # what one would write first: the facts as they stand on each person
    value = dialect.fact_text("person.attributes")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audience_subscriber AS person JOIN audience_subscription AS chosen"
            f" ON chosen.subscriber_id = person.id WHERE chosen.list_id = %s AND chosen.state = 'confirmed' AND {value}"
            " IN (%s, %s) AND CAST(person.attributes AS text) NOT LIKE %s AND NOT EXISTS (SELECT 1 FROM"
            " audience_suppression AS never WHERE never.canonical = person.canonical)",
            [residents.pk, dialect.key("ward"), *wards[:2], '%%"staff"%%'.replace("%%", "%")])
        return cursor.fetchone()[0]

said = {what: timed(kept(f"s{number}", **parts)) for number, (what, parts) in enumerate(SHAPES.items())}
said["a list of everybody"] = timed(lambda: selecting.explain(found, ["all-residents"]).will_get)
said["memory"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0)
said["other"] = timed(plain, 3)

def changed():
    with transaction.atomic():
        traits.keep(7)

said["traits of one person anew, of 30,000 values"] = timed(changed)
began = time.perf_counter()
traits.rebuild()
said["rebuild"] = (time.perf_counter() - began, many)
print(json.dumps(said))
"""
SHAPE = 300.0  # ms, of every segment among a million
AIMS = {"traits of one person anew, of 30,000 values": 50.0}


def measured(url: str, many: int) -> dict[str, tuple[float, int]]:
    """Milliseconds (median) and the number found; `memory` in MiB, `rebuild` in seconds. `url`: "" = a file."""
    answer: dict[str, tuple[float, int]] = both.child(_CHILD, url, many, code=_code(), longest=900)
    return answer


def _code() -> Path:
    """Where the code that is measured stands; another working copy can be put beside ours."""
    return Path(os.environ.get("BENCH_CODE", both.ROOT))


def rows(database: str, found: dict[str, tuple[float, int]], many: int) -> list[dict[str, Any]]:
    other, counted = found.pop("other")
    memory, _ = found.pop("memory")
    seconds, _ = found.pop("rebuild")
    first = next(iter(found))
    if counted != found[first][1]:
        raise RuntimeError(f"{database}: the plain statement finds {counted:,} people, not {found[first][1]:,}")
    table = [
        {
            "what": f"{database}: {what}" + (f" ({number:,})" if number else ""),
            "ours": f"{took:,.0f} ms",
            "other": f"{other:,.0f} ms" if what == first else "–",
            "ratio": f"{other / took:,.1f} ×" if what == first else "–",
            "aim": f"≤ {AIMS.get(what, SHAPE) * max(1, many / 1_000_000):,.0f} ms",
            "ok": took <= AIMS.get(what, SHAPE) * max(1, many / 1_000_000),
        }
        for what, (took, number) in found.items()
    ]
    plain = {"other": "–", "ratio": "–", "aim": "–", "ok": True}
    table.append({"what": f"{database}: all traits anew", "ours": f"{many / seconds / 1000:,.0f} k/s", **plain})
    table.append({"what": f"{database}: memory while counting", "ours": f"{memory:,.0f} MiB", **plain})
    table[-1].update(aim="≤ 150 MiB", ok=memory <= 150)
    return table


def run(many: int = 1_000_000, *, quick: bool = False) -> list[dict[str, Any]]:
    """Rows for `python -m bench segments`; the polygon has its own: `python -m bench areas`."""
    many = 100_000 if quick else many
    return both.databases(lambda database, url: rows(database, measured(url, many), many))
