"""Postfix's smtp-sink, told to fail, and what it wrote down of each mail: an oracle that none of us has written."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class SmtpSink:
    port: int
    folder: Path

    def copies(self) -> Counter[str]:
        """How many copies each address has got, by the RCPT lines that smtp-sink wrote down."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("*"):
            head = path.read_text(encoding="utf-8", errors="replace").partition("\nReceived:")[0]
            found.update(re.findall(r"^X-Rcpt-Args: <([^>]*)>", head, re.MULTILINE))
        return found


def a_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def smtp_sink(folder: Path, port: int, *options: str) -> Iterator[SmtpSink]:
    """smtp-sink on loopback, each mail in a file of its own in `folder`; a skip with the reason where there is none."""
    if not PROGRAM:
        pytest.skip("no smtp-sink on this machine: it comes with the system's package postfix")
    folder.mkdir(parents=True, exist_ok=True)
    as_root = ("-u", "root") if os.geteuid() == 0 else ()
    command = [PROGRAM, *as_root, *options, "-d", f"{folder}/%H%M%S.", f"127.0.0.1:{port}", "100"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _until_it_listens(port, process)
            yield SmtpSink(port, folder)
        finally:
            process.kill()


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(process.stderr.read().decode() if process.stderr else "smtp-sink ended")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("smtp-sink does not listen")
