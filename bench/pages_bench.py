"""How many public pages a second two gunicorn processes give out, and how long readers wait at 300 a second.

Two measurements of each kind of page, on SQLite and on PostgreSQL: as fast as it answers, and 300 a second at moments
drawn by lot, with each time counted from the moment at which the page was wanted (see pages_load). Beside it a page
that says "ok" and does nothing else. And whether the processes need more memory after 20,000 requests than before.

`python -m bench pages --part "postgresql: unsubscribe"`: only the kinds of this name, on one database. `--part sqlite`:
all of them.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import servers
from bench.pages_load import as_fast_as_it_answers, at_rate, request
from newsletter.mail.tokens import Keyring

ROOT = Path(__file__).resolve().parents[1]
AIM, SLOWEST = 300, 50.0  # requests a second; ms for nineteen of twenty
FASTEST, STEADY = 0.8, 1.5  # seconds of each measurement
FEW = 350  # at most so many forms as fast as they are taken: pages_made has 900 of each kind
WARM = 60  # requests of each kind before anything is measured
REQUESTS, MORE = 20_000, 1.1  # after so many requests a process may need a tenth more memory


def run(quick: bool = False, part: str = "") -> list[dict[str, object]]:
    """Every page on each database; one that is not installed is a row that says so. `part`: only these."""
    share = 0.3 if quick else 1.0
    database, _, wanted = (word.strip().lower() for word in part.partition(":"))
    rows = _rows("SQLite", "", share, wanted) if "sqlite".startswith(database) else []
    if not "postgresql".startswith(database):
        return rows
    try:
        with servers.postgres() as url:
            rows += _rows("PostgreSQL", servers.another(url), share, wanted)
    except FileNotFoundError as error:
        rows.append(
            {"what": f"PostgreSQL: {error}", "ours": "", "other": "", "ratio": "", "aim": "", "ok": True, "skipped": 1}
        )
    return rows


def _rows(name: str, url: str, share: float, wanted: str) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder:
        root = Path(folder)
        database = f'\n[database]\nurl = "{url}"\n' if url else ""
        text = (ROOT / "newsletter.toml").read_text(encoding="utf-8")
        (root / "newsletter.toml").write_text(text + database, encoding="utf-8")
        (root / "var").mkdir()
        Keyring.create(root / "var" / "secret.key")
        kinds = [kind for kind in _made(root) if wanted in kind[0]]
        if not kinds:
            raise SystemExit(f"No kind of page is called {wanted!r}.")
        with _gunicorn(root) as (port, process):
            for _, asks, status, _ in kinds:
                as_fast_as_it_answers(port, asks, status, WARM, 10)
            before, asked = _memory(process), WARM * len(kinds)
            nothing = itertools.repeat(request("GET", "/robots.txt", ""))
            floor = as_fast_as_it_answers(port, nothing, 200, sys.maxsize, FASTEST * share).rate
            rows = []
            for title, asks, status, most in kinds:
                fast = as_fast_as_it_answers(port, asks, status, most, FASTEST * share)
                steady = at_rate(port, asks, status, AIM, STEADY * share)
                asked += len(fast.times) + len(steady.times)
                rows.append(_row(f"{name}: {title}", fast.rate, steady.slow, floor))
            first = kinds[0]
            left = int(REQUESTS * share) - asked
            if left > 0:
                as_fast_as_it_answers(port, first[1], first[2], left, 25)
            if before:
                rows.append(_memory_row(name, before, _memory(process), max(asked, asked + left)))
        return rows


def _row(what: str, rate: float, slow: float, floor: float) -> dict[str, object]:
    return {
        "what": f"{what}; 95 of 100 in {slow:.0f} ms",
        "ours": f"{rate:.0f}/s",
        "other": f"{floor:.0f}/s",
        "ratio": f"{rate / floor:.2f}",
        "aim": f"≥ {AIM}/s, and at {AIM}/s ≤ {SLOWEST:.0f} ms",
        "ok": rate >= AIM and slow <= SLOWEST,
    }


def _memory_row(name: str, before: int, after: int, asked: int) -> dict[str, object]:
    return {
        "what": f"{name}: memory of the larger process, {asked:,} requests",
        "ours": f"{after / 1024:.1f} MB",
        "other": f"{before / 1024:.1f} MB",
        "ratio": f"{after / before:.2f}",
        "aim": f"≤ {MORE}",
        "ok": after <= before * MORE,
    }


def _made(root: Path) -> list[tuple[str, Iterator[bytes], int, int]]:
    """A workspace with people and an archive, by a process of its own. Of each kind of page: what it is, its requests,
    how they are answered, and how many of them may be asked as fast as they are answered."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.pages_made", str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    kinds = []
    for title, asks, status in json.loads(done.stdout.splitlines()[-1]):
        form = asks[0][0] == "POST"
        made = [request(*one) for one in asks]
        kinds.append((title, iter(made) if form else itertools.cycle(made), status, FEW if form else sys.maxsize))
    return kinds


@contextmanager
def _gunicorn(root: Path) -> Iterator[tuple[int, int]]:
    """Its port and the number of its first process."""
    port = servers.free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}"]
    command += ["--pythonpath", str(ROOT), "--log-level", "warning", "newsletter.web.wsgi"]
    process = subprocess.Popen(command, cwd=root)
    with servers.ended(process):
        servers.answers(port)
        yield port, process.pid


def _memory(process: int) -> int:
    """KiB of the largest of its children; 0 where the system does not say."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        status = [Path(f"/proc/{one}/status").read_text(encoding="ascii") for one in children]
    except OSError:
        return 0
    return max((int(one.partition("VmRSS:")[2].split()[0]) for one in status), default=0)
