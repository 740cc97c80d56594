"""Catchers in a process of their own: for every folder named on stdin one is started, and its port is printed."""

from __future__ import annotations

import sys
from pathlib import Path

from newsletter.sending.transports.catcher import Catcher

if __name__ == "__main__":
    running = []
    for line in sys.stdin:
        running.append(Catcher(Path(line.strip()), port=0).start())
        print(running[-1].port, flush=True)
    for catcher in running:
        catcher.stop()
