"""The LMTP servers of newsletter.toml, kept listening by whoever runs for long: the worker, or `replies serve`."""

from __future__ import annotations

import time
from collections.abc import Callable

from newsletter.config import Config
from newsletter.problems import NewsletterError
from newsletter.replies.lmtp_server import Server

EVERY = 10.0  # seconds between tries to listen where another program still does


class Listening:
    """Starts what is configured and not started yet, and says only what is new."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._servers: dict[str, Server] = {}
        self._said: dict[str, str] = {}
        self._again = 0.0

    def ensure(self) -> tuple[list[str], list[str]]:
        """(what was begun, what is in the way), each in words; both empty when nothing has changed."""
        begun: list[str] = []
        trouble: list[str] = []
        if self._clock() < self._again:
            return begun, trouble
        self._again = self._clock() + EVERY
        for key, mailbox in self._config.mailboxes.items():
            if mailbox.kind != "lmtp" or key in self._servers:
                continue
            try:
                self._servers[key] = Server(self._config, mailbox.listen).start()
            except NewsletterError as error:
                words = f"{key}: {error}"
                if self._said.get(key) != words:
                    trouble.append(words)
                self._said[key] = words
                continue
            self._said.pop(key, None)
            begun.append(f"{key}: taking in mail by LMTP at {self._servers[key].place}")
        return begun, trouble

    def close(self) -> None:
        """Stop listening; what was answered 250 is on the disk."""
        for server in self._servers.values():
            server.stop()
        self._servers.clear()
