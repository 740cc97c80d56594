"""Reading a stored message: in another process, within limits, one at a time, so that none can harm the next."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from newsletter.mail import child
from newsletter.mail.incoming import Incoming
from newsletter.replies.reader import Reader, Unreadable

__all__ = ["LOCK", "PATIENCE", "Unreadable", "read", "run", "turn"]

PATIENCE = 2 * child.WALL + 20.0  # seconds to wait for one's turn: somebody's worst message, tried twice, and a bit
LOCK = "replies.lock"
_reader = Reader()


def read(raw: bytes) -> Incoming:
    """The message as values. The caps on parts, depth and headers are those of mail.incoming. Raises as `run`."""
    found = run("read", raw)
    if not isinstance(found, Incoming):
        raise Unreadable("gave back something else")
    return found


def run(what: str, raw: bytes, **arguments: Any) -> Any:
    """Let the reading process do one of mail.child.TASKS: `raw` and `arguments` go in, what it returns comes back.

    10 s of processor, 20 s in all, 512 MB; the process is ended when it is over. Raises Unreadable, whose words follow
    "reading it", and NewsletterError(no-reader) when the process cannot be started: that is no fault of the message.
    """
    return _reader.run(what, raw, arguments)


def end() -> None:
    """End the reading process; the next message starts another."""
    _reader.end()


def _forget() -> None:
    """A forked process must not speak through its parent's pipes."""
    global _reader
    _reader.let_go()
    _reader = Reader()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def turn(var: Path, seconds: float) -> Iterator[bool]:
    """Be the only one in this workspace who reads; False when somebody else was for longer than `seconds`.

    The operating system frees the lock when its holder dies, also by kill -9. So a message that was tried and is
    still unread was really given up, not merely begun by somebody else.
    """
    limit = time.monotonic() + seconds
    with (var / LOCK).open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= limit:
                    yield False
                    return
            time.sleep(0.01)
        yield True
