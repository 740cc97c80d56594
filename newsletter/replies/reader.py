"""The process that reads strangers' mail for us, seen from our side: started when needed, kept warm, ended when over.

One process reads many messages (starting it takes 0.1 s, reading a usual message 1 ms). It is replaced after every
failure, and after a message that made it large, so that no message meets what another has left behind.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import io
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from newsletter.files import PACKAGE
from newsletter.mail import child
from newsletter.problems import Exit, NewsletterError, Problem

LARGE = 128 * 1024 * 1024  # bytes; a process that still holds more after a message is replaced (it starts with 25 MB)
MOST_BACK = 128 * 1024 * 1024  # bytes of one answer: what 50 MB of message can hold, twice over
START_WAIT = 20.0  # seconds for the process to be ready; 0.1 on an idle machine
# -I: neither the folder we run in nor PYTHON* may bring in other modules; so the package's place is said.
START = "import sys; sys.path.insert(0, sys.argv[1]); from newsletter.mail.child import main; main()"


class Unreadable(Exception):
    """A message that could not be read within the limits. The text says why, to follow "reading it"."""


class Reader:
    """At most one reading process of this process; threads wait for each other."""

    def __init__(self, wall: float = child.WALL) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._wall = wall

    def run(self, what: str, raw: bytes, arguments: dict[str, Any]) -> Any:
        """What the task gives back. Raises Unreadable, and NewsletterError(no-reader) when it cannot be started."""
        with self._lock:
            process = self._process if self._process and self._process.poll() is None else self._start()
            order = pickle.dumps((what, arguments), protocol=5)
            try:
                said, held, back = self._exchange(process, order, raw)
            except (EOFError, BrokenPipeError, TimeoutError) as error:
                raise Unreadable(self._why(process, error)) from None
            except BaseException:
                self.end()  # Ctrl-C in the middle: what it says next would be the answer to another question
                raise
            if said != b"+" or held > LARGE:
                self.end()
            if said == b"m":
                raise Unreadable(f"took more than {child.MEMORY // 1024**2} MB of memory")
            try:
                value = Plain(io.BytesIO(back)).load()
            except Exception as error:
                self.end()
                raise Unreadable(f"gave back what it must not ({type(error).__name__})") from error
            if said == b"-":
                raise Unreadable(f"failed ({str(value)[:60]})")
            return value

    def end(self) -> None:
        """End the process, if there is one; the next message gets a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def let_go(self) -> None:
        """In a forked process: close the pipes, and leave the process to those who started it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.returncode = 0  # so that it is not waited for: it is no child of ours
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self.end()
        command = [sys.executable, "-I", "-c", START, str(PACKAGE.parent)]
        try:
            process = self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},  # no password of ours goes along
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us to hear
            )
            assert process.stdin and process.stdout
            for pipe in (process.stdin, process.stdout):
                os.set_blocking(pipe.fileno(), False)
            ready = _get(process, 1, time.monotonic() + START_WAIT)
            if ready != child.READY:
                raise EOFError
        except (OSError, EOFError) as error:
            self.end()
            said = getattr(error, "strerror", None) or type(error).__name__
            hint = "Is there enough memory, and may this user start another process? The mail is kept meanwhile."
            problem = Problem("no-reader", f"The process that reads mail cannot be started ({said})", hint)
            raise NewsletterError(problem, exit=Exit.TRY_AGAIN) from error
        return process

    def _exchange(self, process: subprocess.Popen[bytes], order: bytes, raw: bytes) -> tuple[bytes, int, bytes]:
        deadline = time.monotonic() + self._wall
        _put(process, child.ORDER.pack(len(order), len(raw)) + order, deadline)
        _put(process, raw, deadline)
        said, held, size = child.ANSWER.unpack(_get(process, child.ANSWER.size, deadline))
        if size > MOST_BACK:
            raise EOFError
        return said, held, _get(process, size, deadline)

    def _why(self, process: subprocess.Popen[bytes], error: Exception) -> str:
        """How the process came to its end, in words; it is gone afterwards."""
        if isinstance(error, TimeoutError):
            self.end()
            return f"took more than {self._wall:.0f} seconds"
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.returncode
        self.end()
        if code == -signal.SIGXCPU:
            return f"took more than {child.CPU} seconds of the processor"
        if code is not None and code < 0:
            return f"ended the reading process (signal {-code})"
        return "ended the reading process"


class Plain(pickle.Unpickler):
    """Opens an answer: plain values, and the dataclasses, tuples and enums of newsletter.mail. Nothing else.

    So a message that took over the reading process could still not make us run anything: calling one of these types
    only makes a value.
    """

    def find_class(self, module: str, name: str) -> Any:
        """The type of that name. Raises pickle.UnpicklingError for any other."""
        if module.startswith("newsletter.mail.") and name.isidentifier():
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, tuple | enum.Enum)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is nothing that an answer may hold")


def _put(process: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
    assert process.stdin
    left = memoryview(data)
    while left:
        _wait(process.stdin.fileno(), select.POLLOUT, deadline)
        with suppress(BlockingIOError):
            left = left[os.write(process.stdin.fileno(), left) :]


def _get(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert process.stdout
    found = bytearray()
    while len(found) < size:
        _wait(process.stdout.fileno(), select.POLLIN, deadline)
        piece = os.read(process.stdout.fileno(), min(size - len(found), 1 << 20))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _wait(handle: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(handle, event)
    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        raise TimeoutError
