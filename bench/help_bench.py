"""How long `newsletter --help` takes, against importing Click alone: paired, interleaved, medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 25
AIM = 2.5


def wall(*command: str) -> float:
    """Seconds from start to end of a process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def run() -> list[dict[str, object]]:
    """Each round times both, one after the other, so that a busy machine slows both alike."""
    command = str(Path(sys.executable).with_name("newsletter"))
    wall(command, "--help")  # the first run compiles and fills the disk's cache
    pairs = [(wall(command, "--help"), wall(sys.executable, "-c", "import click")) for _ in range(ROUNDS)]
    ours, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return [
        {
            "what": "newsletter --help, against python -c 'import click'",
            "ours": f"{ours * 1000:.0f} ms",
            "other": f"{other * 1000:.0f} ms",
            "ratio": f"{ratio:.2f} ×",
            "aim": f"≤ {AIM} ×",
            "ok": ratio <= AIM,
        }
    ]
