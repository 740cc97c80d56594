"""A process that takes in mail and can be killed: imports everything once, then forks a fresh one for every order.

Run as `python -m tests.replies.receiver ROOT`. Orders come as JSON lines: root, file, recipient, point. The answer is
the wait status: 0 = acknowledged, 75 = the mail server keeps the message, 9 = killed at `point`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from newsletter import config as configuration
from newsletter.audience import database


def main(root: str) -> None:
    database.ready(configuration.load(Path(root)))
    import newsletter.replies.intake  # noqa: F401 (so that every fork has it)

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _receive(order)
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


def _receive(order: dict[str, Any]) -> None:
    """What `newsletter replies receive` does; never returns."""
    code = 75
    try:
        from newsletter.replies import intake

        database.ready(configuration.load(Path(order["root"])))
        if order["point"]:
            _die_at(order["point"])
        intake.accept(Path(order["file"]).read_bytes(), order["recipient"])
        intake.finish_unread()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_at(point: str) -> None:
    """kill -9 ourselves before or after one of the steps: `before store`, `after read` …"""
    from newsletter.replies import conversations, intake, reading, sorting

    when, name = point.split()
    places: dict[str, Any] = {"store": intake, "read": reading, "sort": sorting, "attach": conversations}
    original = getattr(places[name], name)

    def wrapped(*args: Any, **named: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(places[name], name, wrapped)


if __name__ == "__main__":
    main(sys.argv[1])
