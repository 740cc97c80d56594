"""The ways that mail can take in one run: each relay with its connections, its pace, and how it is reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from newsletter.config import Config, Relay
from newsletter.sending import pace, providers, relay_days
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.wire import Wire


class Transport(Protocol):
    """The way to a relay; `open` may take as long as the network does, and raises opening.Unready."""

    def open(self) -> Wire[Any]: ...


@dataclass(frozen=True)
class Way:
    """One relay. Without a pace it is used as fast as it takes mail (the catcher)."""

    key: str
    factory: Callable[[], Transport]
    connections: int
    pace: pace.Pace | None = None

    def day_left(self, now: float) -> bool:
        """False when the relay has taken all that it takes in a day."""
        return self.pace is None or self.pace.day_left(now) > 0

    def day_ends(self) -> float:
        """The next UTC midnight, monotonic."""
        return self.pace.day_ends if self.pace else float("inf")


def plain(factory: Callable[[], Transport], connections: int, key: str = "relay") -> list[Way]:
    """One way without any limit."""
    return [Way(key, factory, max(1, connections))]


def configured(config: Config, *, share: int = 1) -> list[Way]:
    """The relays of newsletter.toml in their order; the database must be ready. `share`: so many processes send."""
    today = relay_days.today()
    midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)
    ends = time.monotonic() + (midnight - datetime.now(UTC)).total_seconds()
    table = providers.table()
    return [_way(key, relay, table, ends, share) for key, relay in config.relays.items()]


def _way(key: str, relay: Relay, table: providers.Table, ends: float, share: int) -> Way:
    limits = pace.Pace(
        relay,
        table,
        day_used=relay_days.day_used(key),
        warm_up_day=pace.warm_up_day(relay, relay_days.today()),
        day_ends=ends,
        share=share,
    )
    return Way(key, lambda: Connection(relay), max(1, relay.connections // share), limits)
