"""How many public pages a second two gunicorn processes give out, and how long the slowest twentieth waits.

Each page is asked for by sixteen readers at once, each with a connection of its own, as a mailing's first minute
brings them. On SQLite and on PostgreSQL. Beside it a page that says "ok" and does nothing else.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import servers
from newsletter.mail.tokens import Keyring
from tests.workspace import TOML

ROOT = Path(__file__).resolve().parents[1]
READERS, EACH = 16, 150  # connections at once, requests of each
AIM, SLOWEST = 300, 50.0  # requests a second; ms for nineteen of twenty


def run(quick: bool = False) -> list[dict[str, object]]:
    """Every page on each database; one that is not installed is a row that says so."""
    each = 30 if quick else EACH
    rows = _rows("SQLite", "", each)
    try:
        with servers.postgres() as url:
            rows += _rows("PostgreSQL", servers.another(url), each)
    except FileNotFoundError as error:
        rows.append(
            {"what": f"PostgreSQL: {error}", "ours": "", "other": "", "ratio": "", "aim": "", "ok": True, "skipped": 1}
        )
    return rows


def _rows(name: str, url: str, each: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder:
        root = Path(folder)
        database = f'[database]\nurl = "{url}"\n' if url else ""
        (root / "newsletter.toml").write_text(TOML + database, encoding="utf-8")
        (root / "var").mkdir()
        Keyring.create(root / "var" / "secret.key")
        pages = _made(root)
        rows: list[dict[str, object]] = []
        with _gunicorn(root) as port:
            _asked(port, "/healthz", 20)  # both processes have opened what they need
            floor, _ = _asked(port, "/robots.txt", each)
            for title, path in pages:
                rate, slow = _asked(port, path, each)
                rows.append(
                    {
                        "what": f"{name}: {title}, 95 of 100 within {slow:.0f} ms",
                        "ours": f"{rate:.0f}/s",
                        "other": f"{floor:.0f}/s",
                        "ratio": f"{rate / floor:.2f}",
                        "aim": f"≥ {AIM}/s, ≤ {SLOWEST:.0f} ms",
                        "ok": rate >= AIM and slow <= SLOWEST,
                    }
                )
        return rows


def _made(root: Path) -> list[tuple[str, str]]:
    """A workspace with people and a sent issue; the pages to ask for, by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.pages_made", str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [(title, path) for title, path in json.loads(done.stdout.splitlines()[-1])]


@contextmanager
def _gunicorn(root: Path) -> Iterator[int]:
    port = servers.free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}"]
    command += ["--pythonpath", str(ROOT), "--log-level", "warning", "newsletter.web.wsgi"]
    with servers.ended(subprocess.Popen(command, cwd=root)):
        servers.answers(port)
        yield port


def _asked(port: int, path: str, each: int) -> tuple[float, float]:
    """Requests a second, and the time in ms within which 95 of 100 were answered."""
    times: list[float] = []
    wrong: list[str] = []

    def reader() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(each):
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            times.append(1000 * (time.perf_counter() - began))
            if answer.status != 200:
                wrong.append(f"{path} answered {answer.status}: {body[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=reader) for _ in range(READERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if wrong:
        raise RuntimeError(wrong[0])
    return len(times) / seconds, statistics.quantiles(times, n=20)[-1]
