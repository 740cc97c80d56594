"""`make chaos`: senders are killed at random moments, on every database, and what became of everybody is summed up.

`python -m tests.chaos [RUNS] [DATABASE …]`; 200 runs on SQLite and PostgreSQL unless told otherwise. Exit 1 when
anything does not balance.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import postfix

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/chaos/test_kill.py"
POSTFIX = "tests/chaos/test_postfix.py"
SUMS = ("kills", "uncertain", "left", "twice")


def main(arguments: list[str]) -> int:
    runs = int(arguments[0]) if arguments else 200
    databases = arguments[1:] or ["sqlite", "postgresql"]
    print(f"kill -9 at random moments, {runs} runs on {' and '.join(databases)}; the server counts the copies.\n")
    return max([one(database, runs) for database in databases] + [with_postfix(database) for database in databases])


def one(database: str, runs: int) -> int:
    """All runs on one database; prints its line and returns 0 when everything balances."""
    began = time.monotonic()
    done, lines = tested(database, runs, TESTS, "-n", "2", "-k", "at_random_moments")
    print(summary(database, lines, time.monotonic() - began))
    balanced = done.returncode == 0 and len(lines) >= runs and not any(map(wrong, lines))
    if not balanced:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n")
    return 0 if balanced else 1


def with_postfix(database: str) -> int:
    """Some of them with a real Postfix as next hop, whose log settles whoever is in doubt."""
    if why := postfix.missing():
        print(f"{database:12} with Postfix: left out, {why}")
        return 0
    done, lines = tested(database, 1, POSTFIX, "--everything", "-k", "settled_by_the_log")
    kills, uncertain, left, twice = (sum(line[name] for line in lines) for name in SUMS)
    print(
        f"{database:12} with Postfix: {len(lines)} runs, {kills} kills: uncertain {uncertain},"
        f" left after its log {left}, silent duplicates {twice}"
    )
    balanced = done.returncode == 0 and bool(lines) and not left and not twice
    if not balanced:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n")
    return 0 if balanced else 1


def tested(database: str, runs: int, *what: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, int]]]:
    """Run these tests; how they ended, and the line that each run left."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.touch()
        environment = {**os.environ, "NEWSLETTER_CHAOS": str(runs), "NEWSLETTER_CHAOS_NOTES": str(notes)}
        command = [sys.executable, "-m", "pytest", "-q", *what]
        if database != "sqlite":
            command += ["--database", database]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        return done, [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]


def wrong(line: dict[str, int]) -> bool:
    """True for a run that does not balance."""
    return bool(line["lost"] or line["twice"] or line["laws"] or line["uncertain"] > line["most uncertain"])


def summary(database: str, lines: list[dict[str, int]], seconds: float) -> str:
    """The numbers of one database, for a person."""

    def total(name: str) -> int:
        return sum(line[name] for line in lines)

    broken = sum(1 for line in lines if line["laws"])
    return (
        f"{database:12} {len(lines)} runs, {total('kills')} kills, {total('people')} people in {seconds:.0f} s:"
        f" lost {total('lost')}, silent duplicates {total('twice')},"
        f" uncertain {total('uncertain')} (at most {total('most uncertain')} could be),"
        f" laws {'hold' if not broken else f'BROKEN in {broken} runs'}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
