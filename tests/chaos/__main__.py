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

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/chaos/test_kill.py"


def main(arguments: list[str]) -> int:
    runs = int(arguments[0]) if arguments else 200
    databases = arguments[1:] or ["sqlite", "postgresql"]
    print(f"kill -9 at random moments, {runs} runs on {' and '.join(databases)}; the server counts the copies.\n")
    return max(one(database, runs) for database in databases)


def one(database: str, runs: int) -> int:
    """All runs on one database; prints its line and returns 0 when everything balances."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.touch()
        environment = {**os.environ, "NEWSLETTER_CHAOS": str(runs), "NEWSLETTER_CHAOS_NOTES": str(notes)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", TESTS, "-k", "at_random_moments"]
        if database != "sqlite":
            command += ["--database", database]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        lines = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    print(summary(database, lines, time.monotonic() - began))
    balanced = done.returncode == 0 and len(lines) >= runs and not any(map(wrong, lines))
    if not balanced:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n")
    return 0 if balanced else 1


def wrong(line: dict[str, object]) -> bool:
    """True for a run that does not balance."""
    return bool(line["lost"] or line["twice"] or line["laws"] or line["uncertain"] > line["most uncertain"])  # type: ignore[operator]


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
