"""A process that starts senders to be killed: imports everything once, then forks a fresh sender for every order.

Run as `python -m tests.chaos.sender ROOT`. Orders come as JSON lines: root, environment, port,
connections, point, after.
Answers: the sender's pid; then, after the line `reap`, its wait status when it has ended. Until then its pid stays
its own, so that a kill can hit nobody else.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter import config as configuration
from newsletter.audience import database
from newsletter.config import Relay


def main(root: str) -> None:
    database.ready(configuration.load(Path(root)))
    import newsletter.sending.drain  # noqa: F401 (so that every fork has it)

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _send(order)
        print(pid, flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


def _send(order: dict[str, Any]) -> None:
    """What `newsletter send` does when it goes on with a mailing; never returns."""
    code = 70
    try:
        from newsletter.sending import mailings
        from newsletter.sending.drain import How, drain
        from newsletter.sending.models import Mailing
        from newsletter.sending.transports.connection import Connection

        config = configuration.load(Path(order["root"]), MappingProxyType(order["environment"]))
        database.ready(config)
        if order["point"]:
            _die_at(order["point"], order["after"])
        mailing = Mailing.objects.get()
        mailings.start(mailing)
        relay = Relay(host="127.0.0.1", port=order["port"])
        ended = drain(config, mailing, lambda: Connection(relay), connections=order["connections"])
        code = 0 if ended.how is How.DONE else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_at(point: str, after: int) -> None:
    """kill -9 ourselves when `point` is passed for the `after`-th time: `before lease`, `after begin`, …"""
    from newsletter.sending.at_once import AtOnce
    from newsletter.sending.outbox import Outbox
    from newsletter.sending.row_by_row import RowByRow

    when, name = point.split()
    counter = itertools.count(1)

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            mine = next(counter)  # several threads pass here
            if when == "before" and mine == after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*args, **named)
            if when == "after" and mine == after:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    for owner in (Outbox, RowByRow, AtOnce):
        if name in vars(owner):
            setattr(owner, name, dying(vars(owner)[name]))


if __name__ == "__main__":
    main(sys.argv[1])
