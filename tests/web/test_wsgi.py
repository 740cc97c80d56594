"""The public pages behind gunicorn: several processes, one workspace."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def gunicorn(root: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--pythonpath", str(ROOT), *options]
    quiet = {key: value for key, value in os.environ.items() if key != "NEWSLETTER_ROOT"}
    return subprocess.Popen(
        [*command, "newsletter.web.wsgi"],
        cwd=root,
        env=quiet,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.timeout(60)
def test_two_gunicorn_processes_serve_the_pages_of_the_folder_they_start_in(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    server = gunicorn(workspace.root, "-b", f"127.0.0.1:{port}")
    try:
        assert server.stdout
        for line in server.stdout:
            if "Booting worker" in line:
                break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/u/nonsense")
        answer = connection.getresponse()
        assert answer.status == 404
        assert "Set-Cookie" not in answer.headers
        assert "This link does not work" in answer.read().decode()
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)


@pytest.mark.timeout(60)
def test_outside_of_a_workspace_gunicorn_says_what_is_missing_and_ends(tmp_path: Path) -> None:
    server = gunicorn(tmp_path, "-b", "127.0.0.1:0")
    out, _ = server.communicate(timeout=40)
    assert server.returncode
    assert "There is no newsletter.toml here" in out
