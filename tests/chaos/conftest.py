"""Senders that can be killed, and a catcher in another process that counts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.balanced import balanced  # noqa: F401 (a fixture for every test)
from tests.workspace import TOML, Workspace

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Senders:
    """Starts one sender at a time, in a process of its own."""

    process: subprocess.Popen[str]

    def start(self, where: Workspace, port: int, *, connections: int = 3, point: str = "", after: int = 1) -> int:
        """The pid of a sender that goes on with the only mailing of this workspace."""
        order = {"root": str(where.root), "environment": dict(where.environment), "port": port}
        order |= {"connections": connections, "point": point, "after": after}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self) -> int:
        """The exit code of the sender that was started: negative = killed by that signal."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("reap\n")
        self.process.stdin.flush()
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))

    def over(self, pid: int, seconds: float = 20) -> bool:
        """True when it ends by itself in so many seconds; else it is killed. Nobody is to call `wait` then."""
        end = time.monotonic() + seconds
        while (alive := _is_running(pid)) and time.monotonic() < end:
            time.sleep(0.01)
        self.kill(pid)
        return not alive

    def kill(self, pid: int) -> int:
        """kill -9; the exit code, which is not -9 when it had ended by itself."""
        os.kill(pid, signal.SIGKILL)
        return self.wait()


def _is_running(pid: int) -> bool:
    """False for one that has ended and waits to be asked how (a zombie)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="session")
def senders(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Senders]:
    root = tmp_path_factory.mktemp("senders")
    (root / "newsletter.toml").write_text(TOML, encoding="utf-8")
    with _python("tests.chaos.sender", str(root)) as process:
        yield Senders(process)


@dataclass
class CatcherElsewhere:
    """The real catcher in another process, and what it has on disk."""

    folder: Path
    port: int

    def number(self) -> int:
        return sum(1 for _ in self.folder.glob("*.eml"))

    def copies(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for path in self.folder.glob("*.eml"):
            with path.open("rb") as mail:
                head = mail.read(600).decode()
            found.update(re.findall(r"^X-Envelope-To: <([^>]*)>", head, re.MULTILINE))
        return found


@pytest.fixture(scope="session")
def catchers() -> Iterator[subprocess.Popen[str]]:
    with _python("tests.chaos.catching") as process:
        yield process


@pytest.fixture
def catcher(catchers: subprocess.Popen[str], tmp_path: Path) -> CatcherElsewhere:
    folder = tmp_path / "var" / "mail"  # where `send` in the workspace of tmp_path looks for its catcher's mail
    assert catchers.stdin and catchers.stdout
    catchers.stdin.write(f"{folder}\n")
    catchers.stdin.flush()
    return CatcherElsewhere(folder, int(catchers.stdout.readline()))


@contextmanager
def _python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m …` that ends when its stdin does."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        process.wait(30)
