"""Reading a stored message, one at a time, so that a hostile one cannot harm the next."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.mail import incoming
from newsletter.mail.incoming import Incoming

PATIENCE = 60.0  # seconds to wait for one's turn; the worst message known takes 2 to read
LOCK = "replies.lock"


def read(raw: bytes) -> Incoming:
    """The message as values. The caps on parts, depth and headers are those of mail.incoming."""
    return incoming.read(raw)


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
