"""What the benches of the database share: a workspace of its own for each run, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import servers

ROOT = Path(__file__).resolve().parents[1]
Rows = list[dict[str, Any]]


def child(script: str, url: str, many: int, *, code: Path = ROOT, longest: int = 600) -> Any:
    """What a script prints last, as JSON; it runs in a process of its own, so that its database and its memory are its
    own too, and gets a workspace's folder and `many`. `url` is the database, "" = a file; `longest` in seconds."""
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name:
        root = Path(name)
        more = f'\n[database]\nurl = "{url}"\n' if url else ""
        text = (ROOT / "newsletter.toml").read_text(encoding="utf-8")
        (root / "newsletter.toml").write_text(text + more, encoding="utf-8")
        command = [sys.executable, "-c", script, str(root), str(many)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=longest, cwd=code, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-400:])
        return json.loads(done.stdout)


def databases(measured: Callable[[str, str], Rows]) -> Rows:
    """`measured("SQLite", "")`, then the same on a PostgreSQL of our own; a row says so where there is none.

    With PostgreSQL's own settings, not those of the tests: with half of its memory and commits that are not waited for,
    a VACUUM directly after loading marks no page, and every count looked at the rows behind its index.
    """
    table = measured("SQLite", "")
    try:
        with servers.postgres() as url:
            return [*table, *measured("PostgreSQL", servers.another(url))]
    except FileNotFoundError:
        skipped = {"ours": "–", "other": "–", "ratio": "–", "aim": "`make system` installs PostgreSQL", "ok": True}
        return [*table, {"what": "PostgreSQL: not on this machine", "skipped": True, **skipped}]
