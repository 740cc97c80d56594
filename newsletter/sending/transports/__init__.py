"""How a mail leaves: over SMTP to a relay, or into the catcher on this computer."""

from __future__ import annotations

from collections.abc import Callable

from newsletter.config import Config, Relay
from newsletter.sending.transports.connection import Connection


def factory(config: Config) -> Callable[[], Connection]:
    """What makes a connection to where `[mail] transport` says; call it once per thread."""
    if config.mail.transport == "smtp":
        return lambda: Connection(config.relay())
    host, _, port = config.catch.smtp.rpartition(":")
    relay = Relay(host=host.strip("[]"), port=int(port))
    return lambda: Connection(relay)
