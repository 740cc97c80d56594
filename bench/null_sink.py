"""A mail server that takes everything and keeps nothing: quick, late on wish, and with a count of who got how many.

`python -m bench.null_sink [--delay SECONDS] [--counts FILE]` prints its port, then runs until its stdin is closed.
A counting sink is the oracle of the soak: it alone knows what arrived. A line on stdin is answered by how many mails
it has taken and how many of them began with a DKIM seal; at the line `write` it writes FILE first: one line per
address, "copies address".
"""

from __future__ import annotations

import argparse
import heapq
import os
import select
import socket
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path

HELLO = b"250-null.sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
GRASP = 1 << 18  # bytes of one read: six mails of 40 KB
# One for all reads: a new one of this size each time is given to us by the kernel page by page.
HAND = memoryview(bytearray(GRASP))
END, SEAL = b"\r\n.\r\n", b"DKIM-Signature:"


class Talk:
    """One connection: what came in goes to `feed`, which says what to answer."""

    def __init__(self, line: socket.socket, counts: Counter[bytes] | None) -> None:
        self.line, self.counts = line, counts
        self.rest, self.text, self.new, self.to = b"", False, False, b""  # new: a text of which nothing was looked at
        self.mails, self.signed, self.over = 0, 0, False

    def feed(self, data: bytes) -> bytes:
        """Take bytes; returns the answers to whatever is now complete."""
        data, at, answers = self.rest + data if self.rest else data, 0, []
        while True:
            if self.text:
                if self.new and len(data) - at >= len(SEAL):
                    self.new = False
                    self.signed += data.startswith(SEAL, at)
                end = data.find(END, at)
                if end < 0:
                    keep = at if self.new else max(at, len(data) - len(END) + 1)
                    self.rest = data[keep:]  # the dot may come in two halves
                    break
                at, self.text = end + len(END), False
                self.mails += 1
                if self.counts is not None:
                    self.counts[self.to] += 1
                answers.append(b"250 2.0.0 Ok\r\n")
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self.rest = data[at:]
                break
            answers.append(self.command(data[at:end]))
            at = end + 1
        return b"".join(answers)

    def command(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word == b"RCPT":
            self.to = line.partition(b"<")[2].partition(b">")[0]
            return b"250 2.1.5 Ok\r\n"
        if word == b"DATA":
            self.text = self.new = True
            return b"354 go on\r\n"
        if word == b"EHLO":
            return HELLO
        if word == b"QUIT":
            self.over = True
            return b"221 2.0.0 Bye\r\n"
        return b"250 2.0.0 Ok\r\n"


def serve(delay: float, counts: Counter[bytes] | None, file: Path | None) -> None:
    """One loop for all connections; returns when stdin is closed."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    watch, talks = select.epoll(), {}
    total = Counter(mails=0, signed=0)
    waiting: list[tuple[float, int, int, bytes]] = []  # answers on their way: when, order, connection, bytes
    order = count()
    for file_number in (listening.fileno(), sys.stdin.fileno()):
        watch.register(file_number, select.EPOLLIN)
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else -1
        for number, _ in watch.poll(patience):
            if number == listening.fileno():
                line, _ = listening.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talks[line.fileno()] = Talk(line, counts)
                watch.register(line.fileno(), select.EPOLLIN)
                answer = b"220 null.sink ESMTP\r\n"
                number = line.fileno()
            elif number == sys.stdin.fileno():
                asked = os.read(number, 100)
                if file and counts is not None and asked.startswith(b"write"):
                    write(file, counts)
                if not asked:
                    return
                print(total["mails"], total["signed"], flush=True)
                continue
            else:
                answer = heard(talks[number], total)
            if answer and delay:
                heapq.heappush(waiting, (time.monotonic() + delay, next(order), number, answer))
            elif answer is None or not said(talks[number], answer):
                hang_up(watch, talks, number)
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, number, answer = heapq.heappop(waiting)
            if number in talks and not said(talks[number], answer):
                hang_up(watch, talks, number)


def heard(talk: Talk, total: Counter[str]) -> bytes | None:
    """Read once: the answers, or None when the other side is gone. `total` is of all connections."""
    mails, signed = talk.mails, talk.signed
    try:
        size = talk.line.recv_into(HAND)
    except OSError:
        return None
    answer = talk.feed(HAND[:size].tobytes()) if size else None
    total["mails"] += talk.mails - mails
    total["signed"] += talk.signed - signed
    return answer


def said(talk: Talk, answer: bytes) -> bool:
    try:
        talk.line.sendall(answer)
    except OSError:
        return False
    return not talk.over


def hang_up(watch: select.epoll, talks: dict[int, Talk], number: int) -> None:
    watch.unregister(number)
    talks.pop(number).line.close()


def write(file: Path, counts: Counter[bytes]) -> None:
    """The counts so far; whole or not at all."""
    draft = file.with_suffix(".part")
    draft.write_bytes(b"".join(b"%d %s\n" % (copies, to) for to, copies in counts.items()))
    draft.replace(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--counts", type=Path)
    given = parser.parse_args()
    serve(given.delay, Counter() if given.counts else None, given.counts)
