"""Asks a web server for pages, as a proxy does that keeps its connections: as fast as it answers, or at a given rate.

At a given rate requests come when readers want them, whether or not the last was answered, and the time counts from
that moment: a server that falls behind cannot hide it by being asked less. A light client: both share the two cores.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CONNECTIONS, MOST = 8, 64  # open from the start: one for each of the server's threads; and when they do not suffice
PATIENCE = 30.0  # seconds for all answers of one measurement


@dataclass
class Measured:
    """What came of it. `times` in seconds, in the order of the answers."""

    times: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    @property
    def slow(self) -> float:
        """The time in ms within which 95 of 100 were answered."""
        return 1000 * statistics.quantiles(self.times, n=20)[-1]


def request(method: str, path: str, body: str) -> bytes:
    """The bytes of one request."""
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{form}\r\n{body}".encode()


def as_fast_as_it_answers(port: int, requests: Iterator[bytes], status: int, most: int, seconds: float) -> Measured:
    """Eight readers, each of whom asks again as soon as they have got their answer."""

    async def ask(load: _Load) -> None:
        end = time.perf_counter() + seconds
        left = most - CONNECTIONS

        def again() -> None:
            nonlocal left
            if left > 0 and time.perf_counter() < end:
                left -= 1
                load.ask(next(requests), time.perf_counter())

        load.answered = again
        for _ in range(min(CONNECTIONS, most)):
            load.ask(next(requests), time.perf_counter())
        await load.all_answered()

    return asyncio.run(_measured(port, status, ask))


def at_rate(port: int, requests: Iterator[bytes], status: int, rate: float, seconds: float) -> Measured:
    """So many a second, at moments drawn by lot as people come; always the same ones."""

    async def ask(load: _Load) -> None:
        drawn = random.Random(1)
        due = time.perf_counter()
        for _ in range(int(rate * seconds)):
            due += drawn.expovariate(rate)
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            load.ask(next(requests), due)
        await load.all_answered()

    return asyncio.run(_measured(port, status, ask))


async def _measured(port: int, status: int, ask: Callable[[_Load], object]) -> Measured:
    load = _Load(port, status)
    await load.open()
    began = time.perf_counter()
    try:
        await asyncio.wait_for(ask(load), PATIENCE)  # type: ignore[arg-type]
    finally:
        for connection in list(load.all):
            connection.transport.close()
        await asyncio.sleep(0)  # they are closed in the loop's next turn
    if load.wrong:
        raise RuntimeError(load.wrong)
    return Measured(load.times, time.perf_counter() - began)


class _Load:
    """The connections, those that are free, and the requests that wait for one."""

    def __init__(self, port: int, status: int) -> None:
        self.port, self.status = port, status
        self.all: set[_Connection] = set()
        self.free: deque[_Connection] = deque()
        self.waiting: deque[tuple[bytes, float]] = deque()
        self.times: list[float] = []
        self.wrong = ""
        self.opened = self.open_requests = 0
        self.answered: Callable[[], None] = lambda: None
        self.tasks: set[asyncio.Task[None]] = set()
        self.over = asyncio.Event()

    async def open(self) -> None:
        await asyncio.gather(*(self._connect() for _ in range(CONNECTIONS)))

    async def _connect(self) -> None:
        self.opened += 1
        await asyncio.get_running_loop().create_connection(lambda: _Connection(self), "127.0.0.1", self.port)

    def ask(self, data: bytes, due: float) -> None:
        self.open_requests += 1
        if self.free:
            self.free.popleft().ask(data, due)
            return
        self.waiting.append((data, due))
        if self.opened < MOST:
            task = asyncio.get_running_loop().create_task(self._connect())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def is_free(self, connection: _Connection) -> None:
        if self.waiting:
            connection.ask(*self.waiting.popleft())
        else:
            self.free.append(connection)

    def done(self, due: float, status: int, body: bytes) -> None:
        self.times.append(time.perf_counter() - due)
        self.open_requests -= 1
        if status != self.status:
            self.wrong = f"answered {status}: {body[:300]!r}"
            self.over.set()
        self.answered()
        if not self.open_requests:
            self.over.set()

    async def all_answered(self) -> None:
        while self.open_requests and not self.wrong:
            self.over.clear()
            await self.over.wait()


class _Connection(asyncio.Protocol):
    """One request at a time; every answer of ours says its length."""

    transport: asyncio.Transport

    def __init__(self, load: _Load) -> None:
        self.load, self.got, self.whole, self.due, self.asked = load, b"", -1, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.load.all.add(self)
        self.load.is_free(self)

    def ask(self, data: bytes, due: float) -> None:
        self.got, self.whole, self.due, self.asked = b"", -1, due, data
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.whole < 0 and (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end].lower()
            at = head.index(b"content-length:") + len("content-length:")
            self.whole = end + 4 + int(head[at : at + 12].split(b"\r\n")[0])
        if 0 <= self.whole <= len(self.got):
            due, status, body, self.asked = self.due, int(self.got[9:12]), self.got, b""
            self.load.is_free(self)  # first: who asks again at once takes this connection
            self.load.done(due, status, body)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.load.free:
            self.load.free.remove(self)
        self.load.all.discard(self)
        self.load.opened -= 1
        if self.asked:
            self.load.wrong = self.load.wrong or "the server hung up"
            self.load.over.set()
