"""The servers that bench/send talks to, on free ports of loopback: smtp-sink, our null sink, our own PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


def program(name: str) -> str:
    """Where a program is, also in the folders that only root's PATH has; empty where it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec") or ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def used(pid: int) -> float:
    """User and system seconds of a process that runs."""
    facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


class Sink(NamedTuple):
    """Postfix's sink."""

    port: int
    pid: int

    def cpu(self) -> float:
        """User and system seconds so far."""
        return used(self.pid)


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    """Postfix's sink, for as long as the block runs."""
    port = free_port()
    command = [program("smtp-sink"), "-4", "-m", "100", f"127.0.0.1:{port}", "1000"]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with ended(process):
        answers(port)
        yield Sink(port, process.pid)


class NullSink:
    """Our own sink in a process of its own: see null_sink.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def cpu(self) -> float:
        """User and system seconds so far."""
        return used(self.process.pid)

    def mails(self, word: str = "?") -> tuple[int, int]:
        """How many it has taken, and how many were sealed; with the word `write` it has then written its file."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        mails, signed = self.line().split()
        return int(mails), int(signed)


@contextmanager
def null_sink(*, delay: float = 0.0, counts: Path | None = None) -> Iterator[NullSink]:
    command = [sys.executable, "-m", "bench.null_sink", "--delay", str(delay)]
    command += ["--counts", str(counts)] if counts else []
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with ended(process):
        yield NullSink(process)


@contextmanager
def postgres() -> Iterator[str]:
    """A database cluster in a temporary folder; gives its url. Raises FileNotFoundError where there is none."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(tools[-1]) if tools else program("initdb")
    if not initdb:
        raise FileNotFoundError("PostgreSQL is not installed here")
    owner = []
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-pg-") as name:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            owner = ["runuser", "-u", "postgres", "--"]
            os.chown(name, *pwd.getpwnam("postgres")[2:4])
        data, port = Path(name) / "data", free_port()
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run([*owner, initdb, "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"], **quiet)
        binary = str(Path(initdb).resolve().with_name("postgres"))
        command = [*owner, binary, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", name]
        with (
            (Path(name) / "log").open("w") as log,
            ended(subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)),
        ):
            url = f"postgresql://bench@127.0.0.1:{port}"
            try:
                answers(port)
                yield f"{url}/postgres"
            finally:
                pid = int((data / "postmaster.pid").read_text().split()[0])
                os.kill(pid, 2)  # SIGINT: hang up on everybody and end


def another(url: str) -> str:
    """Make one more database beside `url` (the server may still be starting); returns its url."""
    psql = program("psql") or str(sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1])
    name, server = f"bench{time.monotonic_ns()}", url.rpartition("/")[0]
    for _ in range(50):
        command = [psql, f"{server}/postgres", "-qc", f"CREATE DATABASE {name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return f"{server}/{name}"
        time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL does not take the database: {done.stderr}")


def answers(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextmanager
def ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """The process ends with the block, whatever happens."""
    try:
        yield
    finally:
        if process.stdin:
            process.stdin.close()
        else:
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
