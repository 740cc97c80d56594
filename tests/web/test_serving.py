"""`newsletter web`: what it prints, a port that is taken, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from newsletter.cli import web
from newsletter.problems import NewsletterError
from newsletter.web.server import place
from tests.web.conftest import Site
from tests.workspace import Workspace


def start(folder: Workspace, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "newsletter", "-C", str(folder.root), "web", *more]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_serves_and_ends_cleanly(folder: Workspace, end: signal.Signals) -> None:
    process = start(folder, "--listen", "127.0.0.1:0")
    try:
        assert process.stdout is not None
        first, said = process.stdout.readline(), ""
        while "Ctrl-C ends it" not in said:  # line by line, for what a reader has taken communicate() does not give
            said += process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert url, first
        with urllib.request.urlopen(f"{url[0]}/healthz", timeout=20) as answer:
            assert answer.read() == b"ok\n"
        process.send_signal(end)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and out.rstrip().endswith("Stopped.")
    assert err == ""
    assert "[no-worker]" in said and "Answers and mailings wait until a worker runs (none is running)" in said


def test_what_visitors_can_open_is_listed() -> None:
    said = " ".join(f"{address} {words}" for address, words in web.ADDRESSES)
    for address in ("/subscribe", "/p/…", "/archive", "/feed.xml", "/preview/…", "/rate/…"):
        assert address in said


def test_a_port_that_is_taken_is_a_problem_with_a_way_out(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = workspace.run("web", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ran.exit == 3 and "port-taken" in ran.err and "--listen" in ran.err


@pytest.mark.parametrize("listen", ["8000", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", ":", "127.0.0.1:²"])
def test_an_address_that_is_none_is_a_wrong_use(workspace: Workspace, listen: str) -> None:
    ran = workspace.run("web", "--listen", listen)
    assert ran.exit == 2 and "bad-listen" in ran.err


def test_an_address_of_another_computer_is_a_problem(workspace: Workspace) -> None:
    ran = workspace.run("web", "--listen", "192.0.2.1:8000")
    assert ran.exit == 3 and "bad-listen" in ran.err


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert place("[::1]:8000") == ("::1", 8000)
    with pytest.raises(NewsletterError):
        place("::1")


def test_a_hundred_and_fifty_slow_connections_keep_nobody_out(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            slow = stack.enter_context(socket.create_connection((site.host, site.port), 10))
            slow.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le")
        assert site.get("/healthz").status == 200
