"""How many answers a second we take in, to the end: kept, read in the child process, sorted.

Beside a bare insert of the same bytes with the disk waited for. On SQLite and on PostgreSQL, by the door itself and by
LMTP. The aim is in messages a second, because a storm of absence notices comes at the speed of others.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import servers
from newsletter.mail.tokens import Keyring
from tests.workspace import TOML

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, COUNT = 3, 300
AIM = 50  # messages a second


def run(quick: bool = False) -> list[dict[str, object]]:
    """Three rounds each, medians; a database that is not installed is a row that says so."""
    rounds = 1 if quick else ROUNDS
    rows = _rows("SQLite", [_round("") for _ in range(rounds)])
    try:
        with servers.postgres() as url:
            rows += _rows("PostgreSQL", [_round(servers.another(url)) for _ in range(rounds)])
    except FileNotFoundError as error:
        rows.append(
            {"what": f"PostgreSQL: {error}", "ours": "", "other": "", "ratio": "", "aim": "", "ok": True, "skipped": 1}
        )
    return rows


def _rows(name: str, found: list[dict[str, Any]]) -> list[dict[str, object]]:
    size = f"{found[0]['bytes'] / 1000:.0f} KB"
    median: Callable[[str], float] = lambda key: statistics.median(one[key] for one in found)  # noqa: E731
    rows: list[dict[str, object]] = []
    for key, what in (("accept", "the door, reading and sorting"), ("lmtp", "by LMTP, until sorted")):
        ratio = statistics.median(one["floor"] / one[key] for one in found)
        rows.append(
            {
                "what": f"{name}: {what} ({size}), beside a bare insert",
                "ours": f"{median(key):.0f}/s",
                "other": f"{median('floor'):.0f}/s",
                "ratio": f"1/{ratio:.1f}",
                "aim": f"≥ {AIM}/s",
                "ok": median(key) >= AIM,
            }
        )
    return rows


def _round(url: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder:
        root = Path(folder)
        database = f'[database]\nurl = "{url}"\n' if url else ""
        (root / "newsletter.toml").write_text(TOML + database, encoding="utf-8")
        (root / "var").mkdir()
        Keyring.create(root / "var" / "secret.key")
        command = [sys.executable, "-m", "bench.intake_run", str(root), str(COUNT)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said
