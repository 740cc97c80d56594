"""Runs one sender in a process of its own, and says how quick it was and what it used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 180  # seconds; a sender that hangs is ended, and the run goes on


class Failed(Exception):
    """A sender that could not be measured; its last words say why."""


@dataclass(frozen=True)
class Measured:
    """One run of one sender. `cpu` is user + system seconds, `rss` the largest memory in MiB."""

    messages: int
    seconds: float
    cpu: float
    rss: float
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_each_thousand(self) -> float:
        return 1000 * self.cpu / self.messages


def run(command: Sequence[str], messages: int, environment: dict[str, str] | None = None) -> Measured:
    """Run a command to its end. A last line of JSON with seconds and cpu counts for what it sent alone, without the
    start of its interpreter; a command that says nothing (smtp-source) is measured as a whole."""
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(environment or {})}
        )
        ender = subprocess.Popen(  # os.wait4 knows no patience of its own
            [sys.executable, "-c", f"import os, time\ntime.sleep({LONGEST})\nos.kill({process.pid}, 9)"]
        )
        assert process.stdout is not None
        try:
            out = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        finally:
            ender.kill()
            ender.wait()
            process.stdout.close()
        errors.seek(0)
        err = errors.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = (err or out).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Failed(f"{last[-1]} (ended with {process.returncode})")
    lines = out.decode().strip().splitlines()
    said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Measured(
        said.get("messages", messages),
        said.get("seconds", seconds),
        said.get("cpu", used.ru_utime + used.ru_stime),
        used.ru_maxrss / 1024,
        said,
    )


def python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *(str(argument) for argument in arguments)]


def newsletter(root: Path, *arguments: str) -> str:
    """Run a command of ours in a workspace; empty when it went well, else its last words."""
    command = [sys.executable, "-m", "newsletter", "-C", str(root), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
