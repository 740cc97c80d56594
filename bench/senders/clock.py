"""The stop-watch of a sender: wall and processor seconds of a block, its child processes included; printed as JSON."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def cpu() -> float:
    """User and system seconds of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def measured(messages: int) -> Iterator[dict[str, Any]]:
    """Whatever the block puts into the dictionary is printed too."""
    said: dict[str, Any] = {"messages": messages}
    began, used = time.perf_counter(), cpu()
    yield said
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": cpu() - used, **said}), flush=True)
