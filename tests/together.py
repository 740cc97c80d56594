"""Several people at the same moment: threads with a database connection each, begun together."""

from __future__ import annotations

import threading
from collections.abc import Callable


def together(act: Callable[[], object], times: int = 2) -> None:
    """Run `act` so many times at once; whatever one of them raises fails the test."""
    from django.db import connections

    start = threading.Barrier(times)
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            start.wait(10)
            act()
        except BaseException as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert not wrong and not any(one.is_alive() for one in threads), wrong
