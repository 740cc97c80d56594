"""Measures the public pages behind gunicorn on two cores: requests a second and the 95th percentile, both databases."""

from __future__ import annotations

import http.client
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench import servers

AIM, SLOWEST = 300, 50  # requests a second; milliseconds at the 95th percentile
SECONDS, CLIENTS, WORKERS = 5.0, 4, 2
PAGES = {"subscribe": "/subscribe", "preferences": "/p/{token}", "unsubscribe": "/u/{token}"}

# Makes a workspace with 10,000 people and prints a link's token.
_CHILD = """
import sys
from pathlib import Path
from newsletter import config
from newsletter.audience import database
database.ready(config.load(Path(sys.argv[1]), dict(__import__("os").environ)))
from newsletter.audience.models import MailingList, Subscriber, Subscription
from newsletter.mail.tokens import Purpose, new_id
from newsletter.sending import keys
from newsletter.sending.models import UnsubscribeKey
from newsletter import settings
ring = keys.keyring(settings.current())
key, _ = MailingList.objects.get_or_create(key="all-residents")
people = [Subscriber(address=f"p{n}@example.net", canonical=f"p{n}@example.net") for n in range(10_000)]
Subscriber.objects.bulk_create(people, batch_size=500)
Subscription.objects.bulk_create([Subscription(subscriber=one, list=key) for one in Subscriber.objects.all()], 500)
row = UnsubscribeKey.objects.create(
    canonical="p5000@example.net", lists=["all-residents"], lists_key="all-residents", token=new_id())
print(ring.make(Purpose.UNSUBSCRIBE, bytes(row.token)))
"""


def run(quick: bool = False) -> list[dict[str, Any]]:
    """A row for each page and database."""
    if importlib.util.find_spec("gunicorn") is None:
        return [_skipped("gunicorn is not installed (pip install gunicorn)")]
    rows = _measured("SQLite", "", 1.0 if quick else SECONDS)
    try:
        with servers.postgres() as url:
            rows += _measured("PostgreSQL", servers.another(url), 1.0 if quick else SECONDS)
    except FileNotFoundError as error:
        rows.append(_skipped(str(error)))
    return rows


def _measured(database: str, url: str, seconds: float) -> list[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(servers.ROOT)}
    if url:
        environment["NEWSLETTER_DATABASE__URL"] = url
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-pages-") as name:
        (Path(name) / "newsletter.toml").write_text((servers.ROOT / "newsletter.toml").read_text())
        command = [sys.executable, "-c", _CHILD, name]
        token = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        port = servers.free_port()
        command = [sys.executable, "-m", "gunicorn", "newsletter.web.wsgi:application", "-b", f"127.0.0.1:{port}"]
        command += ["-w", str(WORKERS), "-k", "gthread", "--threads", "4", "--log-level", "error"]
        with servers.ended(subprocess.Popen(command, cwd=name, env=environment, stderr=subprocess.DEVNULL)):
            servers.answers(port)
            return [_page(database, what, port, path.format(token=token), seconds) for what, path in PAGES.items()]


def _page(database: str, what: str, port: int, path: str, seconds: float) -> dict[str, Any]:
    _ask(port, path, 0.5)  # the workers start, and templates are compiled
    began = time.perf_counter()
    took = _ask(port, path, seconds)
    rate = len(took) / (time.perf_counter() - began)
    slow = statistics.quantiles(took, n=20)[-1] * 1000
    return {
        "what": f"GET {what}, {database}: requests/s; 95 % within",
        "ours": f"{rate:.0f}/s",
        "other": f"{slow:.1f} ms",
        "ratio": "",
        "aim": f"≥ {AIM}/s, ≤ {SLOWEST} ms",
        "ok": rate >= AIM and slow <= SLOWEST,
    }


def _ask(port: int, path: str, seconds: float) -> list[float]:
    """So many clients, one connection each, as fast as they get answers; seconds of every request."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while time.perf_counter() < end:
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def _skipped(why: str) -> dict[str, Any]:
    row = {"what": f"public pages: skipped, {why}", "ours": "–", "other": "–", "ratio": "–", "aim": "–"}
    return {**row, "ok": True, "skipped": why}
