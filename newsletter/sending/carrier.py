"""Where the mail of this workspace goes: a relay, a catcher that is up, or one that we run ourselves meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from newsletter.config import Config, Relay
from newsletter.sending.transports import factory as configured
from newsletter.sending.transports.catcher import Catcher, OnMail, is_ours
from newsletter.sending.transports.connection import Connection
from newsletter.sending.ways import Way, plain
from newsletter.sending.ways import configured as configured_ways


@dataclass(frozen=True)
class Carrier:
    """How mail leaves now. `words` end the sentence "Mail goes …"."""

    factory: Callable[[], Connection]
    connections: int
    ways: Sequence[Way]
    words: str
    leaves: bool  # True: it leaves this computer


@contextmanager
def opened(config: Config, on_mail: OnMail | None = None) -> Iterator[Carrier]:
    """The way out for as long as the block runs.

    With the catcher: the one of `newsletter catch` where it is up; else one of our own, on a free port, so that
    whatever else sits on the configured port is not in the way. `on_mail` is told of every mail that our own takes.
    Raises NewsletterError: cannot-write (var/mail).
    """
    if config.mail.transport == "smtp":
        relay = config.relay()
        ways = configured_ways(config)
        yield Carrier(configured(config), relay.connections, ways, f"through {relay.host}:{relay.port}", True)
        return
    host, _, port = config.catch.smtp.rpartition(":")
    host = host.strip("[]")
    mail = config.var / "mail"
    if is_ours(host, int(port), mail):
        words = f"to the catcher at {config.catch.smtp}; it stays on this computer"
        yield Carrier(configured(config), 4, plain(configured(config), 4, "catcher"), words, False)
        return
    with Catcher(mail, "127.0.0.1", 0, on_mail) as catcher:
        here = Relay(host="127.0.0.1", port=catcher.port)
        # 2 connections: the catcher is Python on the same computer; more only wait for each other.
        ways = plain(lambda: Connection(here), 2, "catcher")
        yield Carrier(lambda: Connection(here), 2, ways, "into var/mail; it stays on this computer", False)
