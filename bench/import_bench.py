"""Measures the import of people: rows per CPU second and memory, beside reading the same file with csv alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import servers

ROOT = Path(__file__).resolve().parents[1]

# Runs in a process of its own, so that the memory is its own. Prints one JSON object.
_CHILD = """
import csv, json, resource, sys, time
from pathlib import Path

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

def peak():  # MiB; Linux counts in KiB, macOS in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)

root, path, said = Path(sys.argv[1]), Path(sys.argv[2]), {}
start = cpu()
with path.open(newline="", encoding="utf-8") as file:
    for row in csv.reader(file):
        pass
said["csv"] = cpu() - start

def plain():  # the floor: what anyone would write first, into the same three tables and indexes
    import re, sqlite3
    from itertools import islice
    good = re.compile(r"[\\w.+'-]{1,64}@[a-z0-9-]+([.][a-z0-9-]+)+").fullmatch
    db = sqlite3.connect(root / "floor.db")
    db.executescript(SCHEMA)
    with path.open(newline="", encoding="utf-8") as file, db:
        rows = csv.reader(file)
        next(rows)
        while batch := list(islice(rows, 5000)):
            people, choices = [], []
            for address, first, last, language, ward, lists in batch:
                canonical = address.strip().lower()
                if good(canonical):
                    people.append((address, canonical, first, last, language, json.dumps({"ward": ward})))
                    choices += [(canonical, key) for key in lists.split(";")]
            db.executemany(
                "INSERT INTO person VALUES (NULL, ?, ?, ?, ?, ?, ?, '2026-11-22') "
                "ON CONFLICT (canonical) DO UPDATE SET first = excluded.first, last = excluded.last, "
                "language = excluded.language, facts = excluded.facts", people)
            db.executemany("INSERT INTO proof VALUES (NULL, ?, ?, 'joined', 'import', 'p.csv', '2026-11-22')", choices)
            db.executemany(
                "INSERT INTO choice SELECT NULL, person.id, list.id, 'confirmed', '2026-11-22' FROM person, list "
                "WHERE canonical = ? AND key = ? ON CONFLICT DO NOTHING", choices)
    db.close()

SCHEMA = '''
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-32000;
CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, canonical TEXT NOT NULL UNIQUE,
    first TEXT, last TEXT, language TEXT, facts TEXT CHECK (json_valid(facts)), created TEXT);
CREATE TABLE list (id INTEGER PRIMARY KEY, key TEXT UNIQUE);
INSERT INTO list (key) VALUES ('all-residents'), ('monthly');
CREATE TABLE choice (id INTEGER PRIMARY KEY AUTOINCREMENT, person REFERENCES person, list REFERENCES list, state TEXT,
    changed TEXT, UNIQUE (list, person));
CREATE INDEX choice_person ON choice (person);
CREATE TABLE proof (id INTEGER PRIMARY KEY AUTOINCREMENT, canonical TEXT, key TEXT, event TEXT, channel TEXT,
    wording TEXT, at TEXT);
CREATE INDEX proof_canonical ON proof (canonical);
'''
start = cpu()
plain()
said["floor"] = cpu() - start

said["before"] = peak()
from newsletter.audience import database, importing
from newsletter.config import load
config = load(root)
database.ready(config)
for name in ("first", "again"):
    start, wall = cpu(), time.monotonic()
    plan = importing.plan(path, config)
    planned = cpu()
    done = importing.run(plan)
    said[name] = {"cpu": cpu() - start, "plan": planned - start, "wall": time.monotonic() - wall,
                  "rows": done.counts.rows, "new": done.counts.new, "unchanged": done.counts.unchanged}
said["memory"] = peak()
print(json.dumps(said))
"""


def people(path: Path, rows: int) -> None:
    """A file of made-up people: 1 % malformed addresses, 2 % repeated ones, names beyond ASCII, 30 % on two lists."""
    chance = random.Random(7)
    firsts = ["Sam", "Ada", "Zofia", "Siân", "عائشہ", "O'Brien", "Jo", ""]
    wards = ["Stafford North", "Baswich", "Cannock East", "Tamworth Castle", "Leek West"]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("email,first_name,last_name,language,ward,lists\r\n")
        for number in range(rows):
            dice = chance.random()
            local = f"{chance.choice(['anna', 'ben', 'cara', 'dev', 'ewa'])}{number * 7919 % rows}"
            if dice < 0.01:
                address = f"broken.{number}@"
            elif dice < 0.03:
                address = "anna0@example.org" if number % 2 else "Ben7919@example.org"
            else:
                address = f"{local}@{chance.choice(['example.org', 'mail.example', 'Post.Example'])}"
            lists = "all-residents;monthly" if dice > 0.7 else "all-residents"
            file.write(
                f"{address},{chance.choice(firsts)},Surname{number % 977},{chance.choice(['en-GB', 'cy', ''])},"
                f"{chance.choice(wards)},{lists}\r\n"
            )


def measured(rows: int, url: str = "") -> dict[str, Any]:
    """One import and a second, identical one, in a scratch workspace; `url` of a PostgreSQL, else SQLite."""
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name:
        root = Path(name)
        words = (ROOT / "newsletter.toml").read_text(encoding="utf-8")
        words += f'\n[database]\nurl = "{url}"\n' if url else ""
        (root / "newsletter.toml").write_text(words, encoding="utf-8")
        people(root / "people.csv", rows)
        command = [sys.executable, "-c", _CHILD, str(root), str(root / "people.csv")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900, cwd=ROOT)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def run(sizes: tuple[int, ...] = (100_000, 1_000_000)) -> list[dict[str, Any]]:
    """Rows for `python -m bench import`.

    The floor validates by one regular expression and knows no suppression, preview, repeated rows or refused file.
    """
    table = _rows("SQLite", sizes, lambda: "")
    if servers.program("pg_ctl") or list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")):
        with servers.postgres() as url:
            table += _rows("PostgreSQL", sizes, lambda: servers.another(url))
    return table


def _rows(database: str, sizes: tuple[int, ...], url: Callable[[], str]) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = []
    memory: dict[int, float] = {}
    for rows in sizes:
        found = measured(rows, url())
        memory[rows] = found["memory"]
        for title, part, floor, aim in (
            ("import", found["first"], found["floor"], 1.5),
            ("the same again", found["again"], found["first"]["cpu"], 1.0),
        ):
            ratio, rate = part["cpu"] / floor, rows / part["cpu"]
            table.append(
                {
                    "what": f"{database}: {title}, {rows:,} rows "
                    f"({rate:,.0f}/CPU s, {part['cpu'] / found['csv']:.0f} × csv)",
                    "ours": f"{part['cpu']:.1f} CPU s",
                    "other": f"{floor:.1f} CPU s",
                    "ratio": f"{ratio:.2f} ×",
                    "aim": f"≤ {aim} × {'a plain loop' if title == 'import' else 'the first time'}",
                    "ok": ratio <= aim,
                }
            )
        rate = rows / found["first"]["wall"]
        table.append(
            {
                "what": f"{database}: rows a second by the clock, {rows:,} rows",
                "ours": f"{rate:,.0f}/s",
                "other": f"{rows / found['again']['wall']:,.0f}/s again",
                "ratio": f"{rate / 25_000:.2f} ×",
                "aim": "≥ 25,000/s",
                "ok": rate >= 25_000,
            }
        )
        table.append(
            {
                "what": f"{database}: memory of both imports, {rows:,} rows",
                "ours": f"{memory[rows]:.0f} MiB",
                "other": f"{memory[sizes[0]]:.0f} MiB",
                "ratio": f"{memory[rows] / memory[sizes[0]]:.2f} ×",
                "aim": f"≤ 150 MiB, ≤ 1.2 × of {sizes[0]:,} rows",
                "ok": memory[rows] <= 150 and memory[rows] <= 1.2 * memory[sizes[0]],
            }
        )
    return table
