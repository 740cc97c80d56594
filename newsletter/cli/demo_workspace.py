"""The demo's scratch folder, its two servers, and the commands it types there as a person would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter import files
from newsletter.problems import Exit, NewsletterError, Problem, Where

MARK = ".made-by-newsletter-demo"
ISSUE = "2026-11-24-asb-and-mental-health"
LIST = "all-residents"
PORTS = """
# Free ports, found when the demo was made.
[catch]
smtp = "127.0.0.1:{0}"
web = "127.0.0.1:{1}"

[web]
listen = "127.0.0.1:{2}"
"""
DESK = """
# In the demo the built-in words are on: read them (`newsletter replies rules`) before you switch them on yourself.
[replies]
look_first = true
duty = "duty@staffordshire.example"
"""
STARTING = 20.0  # seconds for a server to answer; it takes one on a slow laptop
# One command. 500 mails take 3 s; a machine that needs ten times as long should say so rather than hang.
COMMAND = 45.0


@dataclass
class Workspace:
    """The folder and its three ports on this computer."""

    root: Path
    smtp: int
    mail_page: int
    web: int

    def run(self, *words: str, endings: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Type `newsletter -C root …words --json`; the object it printed. Raises NewsletterError(demo-stopped)."""
        shown = f"newsletter -C {self.root} {' '.join(words)}"
        try:
            done = subprocess.run(
                [*_program(self.root), *words, "--json"],
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=COMMAND,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise stopped(f"`{shown}` took longer than {COMMAND:.0f} seconds") from error
        if done.returncode not in endings:
            raise stopped(f"`{shown}` ended with {done.returncode}", _said(done))
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @contextmanager
    def servers(self) -> Iterator[None]:
        """`newsletter catch` and `newsletter web`, running for as long as the block does."""
        with ExitStack() as stack:
            for word, port in (("catch", self.smtp), ("web", self.web)):
                stack.enter_context(_serving(self.root, word, port))
            yield


def stopped(message: str, hint: str = "") -> NewsletterError:
    """The demo's own failure, with the last words of what it ran."""
    return NewsletterError(Problem("demo-stopped", message, hint=hint), exit=Exit.FAILURES)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """The last words of a command: the messages of its --json, or what it printed."""
    try:
        problems = json.loads(done.stdout)["problems"]
        said = [f"{one['message']} ({one['hint']})" for one in problems if one["severity"] == "error"]
        return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")
    except (ValueError, KeyError):
        return (done.stderr.strip() or done.stdout.strip())[-2000:]


def make(root: Path) -> tuple[Workspace, bool]:
    """Copy the example into `root`; True when a former demo was replaced. A folder of somebody else is refused."""
    replaced = (root / MARK).is_file()
    if root.exists() and not replaced and (not root.is_dir() or any(root.iterdir())):
        hint = "Name a folder that does not exist yet, such as `newsletter demo demo2`."
        problem = Problem(
            "foreign-folder", f"{root.name} is not a demo: its files stay as they are", hint, Where(str(root))
        )
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if replaced:
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARK).write_text(
        "`newsletter demo` made this folder and replaces it when it runs here again.\n", encoding="utf-8"
    )
    for name in ("issues", "templates", "recipients"):
        shutil.copytree(files.example(name), root / name)
    (root / "var").mkdir(mode=0o700)
    from newsletter.mail.tokens import Keyring

    Keyring.create(root / "var" / "secret.key")
    smtp, mail_page, web = _free_ports(3)
    toml = files.example("newsletter.toml").read_text(encoding="utf-8")
    files.write_atomically(root / "newsletter.toml", toml.rstrip() + "\n" + DESK + PORTS.format(smtp, mail_page, web))
    return Workspace(root, smtp, mail_page, web), replaced


def _free_ports(wanted: int) -> list[int]:
    with ExitStack() as stack:  # held together, so that they differ
        sockets = [stack.enter_context(socket.socket()) for _ in range(wanted)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _program(root: Path) -> list[str]:
    return [sys.executable, "-m", "newsletter", "--plain", "-C", str(root)]


@contextmanager
def _serving(root: Path, word: str, port: int) -> Iterator[None]:
    log = root / "var" / f"demo-{word}.log"
    process: subprocess.Popen[bytes] | None = None
    try:
        with _held_back(), log.open("wb") as out:
            process = subprocess.Popen(
                [*_program(root), word],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its servers itself
                env=os.environ,
            )
        _wait_for(process, port, word, log)
        yield
    finally:
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _held_back() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block is through: between a server's start and our knowing it, they would
    leave it behind."""
    came: list[int] = []
    former = {one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)
        if came:
            raise KeyboardInterrupt


def _wait_for(process: subprocess.Popen[bytes], port: int, word: str, log: Path) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        if process.poll() is not None:
            raise stopped(f"`newsletter {word}` ended by itself", log.read_text(errors="replace")[-2000:])
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise stopped(f"`newsletter {word}` did not answer on port {port} within {STARTING:.0f} seconds")
