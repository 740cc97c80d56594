"""The open connections of a sender: opened beside the loop, watched together, never waited for one by one."""

from __future__ import annotations

import contextlib
import queue
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from newsletter.sending.transports.opening import Unready
from newsletter.sending.transports.outcome import Deferred
from newsletter.sending.transports.wire import Wire


class Opens(Protocol):
    def open(self) -> Wire[Any]: ...


class Doorway:
    """Opening takes a greeting, TLS and a login, up to minutes; so threads do that and hand the connection over."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._ready: queue.SimpleQueue[tuple[Any, Wire[Any] | Deferred | BaseException]] = queue.SimpleQueue()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._masks: dict[Wire[Any], int] = {}
        self._closed = False
        self._troubles: list[tuple[Any, Deferred]] = []
        self.opening: Counter[str] = Counter()  # by way: one that does not answer must not keep another from opening

    @property
    def wires(self) -> dict[Wire[Any], int]:
        """The connections that are open."""
        return self._masks

    def open(self, number: int, factory: Callable[[], Opens], tag: Any) -> None:
        """Open so many more, in time; each carries `tag`, its way."""
        for _ in range(number):
            self.opening[tag.key] += 1
            threading.Thread(target=self._open, args=(factory, tag), daemon=True, name="opening").start()

    def select(self, seconds: float) -> list[tuple[Wire[Any], int]]:
        """The connections on which something can be read or written, and which (selectors.EVENT_*)."""
        found: list[tuple[Wire[Any], int]] = []
        for key, mask in self._selector.select(seconds):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._bell.recv(4096)
                self._welcome()
            else:
                found.append((key.data, mask))
        return found

    def troubles(self) -> Iterator[tuple[Any, Deferred]]:
        """Why connections could not be opened since the last asking, each with its tag."""
        while self._troubles:
            yield self._troubles.pop(0)

    def mind(self, wire: Wire[Any]) -> None:
        """Watch this connection for what it now needs; forget it when it is gone or used up."""
        if wire.alive and wire.left == 0 and wire.idle:
            wire.close()
        if not wire.alive:
            if self._masks.pop(wire, None) is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._forget(wire)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.wants_to_write else 0)
        if self._masks.get(wire) != wanted:
            self._selector.modify(wire.socket, wanted, wire)
            self._masks[wire] = wanted

    def close(self) -> None:
        """Say goodbye on every connection."""
        self._closed = True
        for wire in list(self._masks):
            wire.close()
        self._masks.clear()
        self._turn_away()
        self._selector.close()
        self._bell.close()
        self._ring.close()

    def _turn_away(self) -> None:
        """Connections that were opened too late."""
        with contextlib.suppress(queue.Empty):
            while True:
                _, come = self._ready.get_nowait()
                if isinstance(come, Wire):
                    come.close()

    def _forget(self, wire: Wire[Any]) -> None:
        for key in list(self._selector.get_map().values()):
            if key.data is wire:
                self._selector.unregister(key.fileobj)

    def _welcome(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                tag, come = self._ready.get_nowait()
                self.opening[tag.key] -= 1
                if isinstance(come, Wire):
                    come.tag = tag
                    self._masks[come] = selectors.EVENT_READ
                    self._selector.register(come.socket, selectors.EVENT_READ, come)
                elif isinstance(come, Deferred):
                    self._troubles.append((tag, come))
                else:
                    raise come

    def _open(self, factory: Callable[[], Opens], tag: Any) -> None:
        come: Wire[Any] | Deferred | BaseException
        try:
            come = factory().open()
        except Unready as error:
            come = error.outcome
        except BaseException as error:  # a bug of ours is raised where a person sees it
            come = error
        self._ready.put((tag, come))
        if self._closed:
            self._turn_away()
        with contextlib.suppress(OSError):
            self._ring.send(b".")
