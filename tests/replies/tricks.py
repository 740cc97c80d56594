"""What a message might make the reading process do; run there by test_reading.py, in place of real tasks."""

from __future__ import annotations

import os
import pickle
import signal
import time
from typing import Any

from newsletter.mail import incoming
from newsletter.mail.incoming import Incoming


class Evil:
    """A pickle that would run a command where it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/should-never-be-there",)


def play(raw: bytes, **arguments: Any) -> Any:
    """Do what the last word of `raw` says; anything else is read as a message."""
    what = raw.split()[-1] if raw.split() else b""
    if what == b"SPIN":
        while True:
            pass
    if what == b"SLEEP":
        time.sleep(1000)
    if what == b"HOARD":
        return len(bytearray(600 * 1024 * 1024))
    if what == b"DIE":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == b"FAIL":
        raise RecursionError("too deep")
    if what == b"EVIL":
        return Evil()
    if what == b"STRANGER":
        return pickle.PickleError
    if what == b"PRINT":
        os.write(1, b"+" * 100)
        print("stray words", flush=True)
        return "printed"
    if what == b"PID":
        return os.getpid()
    if what == b"SECRETS":
        return sorted(os.environ)
    if what == b"WRITE":
        with open(arguments["path"], "wb") as file:  # noqa: PTH123
            file.write(b"x")
    return arguments or Incoming(text="read")


def read(raw: bytes) -> Incoming:
    """The real reading, but for messages that end in one of the words above."""
    if raw.split()[-1:] != [raw.split()[-1].lower()]:
        play(raw)
    return incoming.read(raw)
