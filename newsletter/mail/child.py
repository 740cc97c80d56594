"""The process that reads strangers' mail: it works through orders on its standard input, within limits, and may die.

Started by replies.reader, never imported there but for `TASKS`. It holds no database, no key and no secret: a message
that took it over could reach nothing but its own bytes.

An order is two lengths (8 bytes each, big-endian), a pickle (what, arguments) from our own parent, and the raw
message. The answer is one byte (`+` result, `-` it raised, `m` out of memory), the memory held now (bytes), a
length, and a pickle that the parent opens for plain values and the dataclasses of newsletter.mail only.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import signal
import struct
from contextlib import suppress
from typing import Any, BinaryIO

# What can be asked for → module:function(raw, **arguments). The functions are pure ones of newsletter.mail: they take
# bytes and plain values, and give back plain values, tuples or frozen dataclasses of newsletter.mail.
TASKS: dict[str, str] = {
    "read": "newsletter.mail.incoming:read",
    "sort": "newsletter.mail.sorting:sort",
    "files": "newsletter.mail.attachments:extract",
}

ORDER = struct.Struct(">QQ")
ANSWER = struct.Struct(">cQQ")
READY = b"!"
# The largest message we take needs 340 MB here (50 MB of base64, or of one line); 512 leave room for a hungrier Python.
MEMORY = 512 * 1024 * 1024  # bytes of address space
CPU = 10  # seconds of processor for one message; 50 MB of base64 need 1.3
WALL = 20  # seconds in all: twice CPU, because another process may want the processor as well


def main() -> None:
    """Answer orders until the pipe ends."""
    orders, answers = _private_pipes()
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    for place in TASKS.values():
        _function(place)  # before the first message, so that none pays for it
    _limit(resource.RLIMIT_FSIZE, 0)  # nothing here writes a file
    answers.write(READY)
    answers.flush()
    while len(head := orders.read(ORDER.size)) == ORDER.size:
        _one(orders, answers, *ORDER.unpack(head))


def _one(orders: BinaryIO, answers: BinaryIO, order_size: int, raw_size: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU + 1, soft_only=True)
    signal.alarm(WALL + 5)  # the parent ends us at WALL; this is for the case that there is no parent any more
    try:
        what, arguments = pickle.loads(orders.read(order_size))  # noqa: S301 (it comes from our parent)
        said, value = b"+", _function(TASKS[what])(orders.read(raw_size), **arguments)
        back = pickle.dumps(value, protocol=5)
    except MemoryError:
        said, back = b"m", pickle.dumps("")
    except Exception as error:
        said, back = b"-", pickle.dumps(type(error).__name__)
    signal.alarm(0)
    answers.write(ANSWER.pack(said, _held(), len(back)))
    answers.write(back)
    answers.flush()


def _held() -> int:
    """Bytes of memory that we hold now; 0 where the system does not say. Not ru_maxrss: it begins at our parent's."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (five times quicker than a Path)
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our two pipes under numbers of their own, so that a stray print cannot spoil an answer."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    return os.fdopen(orders, "rb"), os.fdopen(answers, "wb")


def _limit(what: int, value: int, soft_only: bool = False) -> None:
    """Lower a limit; where the system knows it not, or a lower one holds already, that is as well."""
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (value, hard if soft_only else value))
