"""docs/benchmarks.md, written by the runs themselves: the machine, what was measured, and whether it holds."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import time
from importlib import metadata
from pathlib import Path

from bench import servers

FILE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEAD = """\
# How quick it is

Written by the runs themselves (`make bench`, or `python -m bench send`; `python -m bench soak`); do not edit. Every row
is a ratio of things that ran in turn, minutes apart at most, on one machine. Trust the ratios, not the rates: another
machine has other rates, and a busy one is slower for everybody.
"""
PARTS = ("send", "soak")


def write(part: str, text: str) -> None:
    """Replace one part of the page and leave the others."""
    old = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    kept = {}
    for name in PARTS:
        found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->\n", old, re.DOTALL)
        kept[name] = found[1] if found else ""
    kept[part] = text.strip() + "\n"
    body = "".join(f"\n<!-- {name} -->\n{kept[name]}<!-- end of {name} -->\n" for name in PARTS if kept[name])
    FILE.write_text(HEAD + body, encoding="utf-8")


def machine() -> str:
    """The machine and the programs, as a paragraph."""
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    parts = [
        f"{os.cpu_count()} × {model[1] if model else platform.machine()}",
        f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "",
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        _version("Postfix", servers.program("postconf"), "-dh", "mail_version"),
        _version("node", shutil.which("node") or "", "--version"),
        *(f"{name} {metadata.version(name)}" for name in ("Django", "aiosmtplib", "cryptography") if _has(name)),
    ]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    day = time.strftime("%-d %B %Y, %H:%M UTC", time.gmtime())
    return f"{day}. {', '.join(part for part in parts if part)}. Load before the end of the run: {load}."


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, tuple("---" for _ in head), *rows)]
    return "\n".join(lines) + "\n"


def _version(name: str, *command: str) -> str:
    if not command[0]:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{name} {done.stdout.strip().lstrip('v')}" if done.returncode == 0 else ""


def _has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
