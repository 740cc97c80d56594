"""Which relay carries next: the first of `[relays]` that answers and whose day is not used up.

Pure: the time is handed in (monotonic seconds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

# Seconds that an unreachable relay rests after its first, second … failure in a row. A restarting server is back
# within seconds; five minutes is how often it is looked at while another relay carries.
RESTS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True)
class RelayState:
    """One relay, for a line in words: `seconds` until it is tried again (0 = it may carry, inf = unknown)."""

    key: str
    words: str
    seconds: float


@dataclass
class _One:
    key: str
    failures: int = 0  # in a row
    rests_until: float = -inf
    why: str = ""
    used_until: float = -inf
    used_why: str = ""

    def wait(self, now: float) -> float:
        until = max(self.rests_until, self.used_until)
        return until - now if until > now else 0.0


class Relays:
    """The relays in the order of `[relays]`; the first one that may carry does."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._relays = {key: _One(key) for key in keys}

    def next(self, now: float) -> str:
        """The key of the relay that carries now; "" = none, see `wait`."""
        for key, relay in self._relays.items():
            if relay.rests_until <= now and relay.used_until <= now:
                return key
        return ""

    def wait(self, now: float) -> float:
        """Seconds until a relay may be tried; 0 = now, inf = not today."""
        return min((relay.wait(now) for relay in self._relays.values()), default=inf)

    def failed(self, key: str, why: str, now: float) -> str:
        """It cannot be reached, or takes no mail at all. Words for a person, "" when that is known already."""
        relay = self._relays[key]
        if now < relay.rests_until:
            return ""  # other connections met the same trouble
        rest = RESTS[min(relay.failures, len(RESTS) - 1)]
        relay.failures += 1
        relay.rests_until, relay.why = now + rest, why
        other = self.next(now)
        then = f"{other} carries meanwhile" if other else f"trying again in {self.wait(now):.0f} s"
        return f"{key} does not take mail ({why}); {then}"

    def worked(self, key: str) -> None:
        """It answers: its next failure is a first one again."""
        relay = self._relays[key]
        relay.failures, relay.rests_until, relay.why = 0, -inf, ""

    def used_up(self, key: str, until: float, why: str = "") -> str:
        """Its day is used up until `until`. Words for a person, "" when that is known already."""
        relay = self._relays[key]
        known = relay.used_until >= until
        relay.used_until, relay.used_why = max(relay.used_until, until), why
        return "" if known else f"{key} takes no more mail today{f' ({why})' if why else ''}"

    def hopeless(self, now: float, times: int = 5) -> str:
        """Words when every relay whose day is not used up has failed `times` times in a row, else ""."""
        alive = [relay for relay in self._relays.values() if relay.used_until <= now]
        if not alive or any(relay.failures < times for relay in alive):
            return ""
        return "; ".join(f"{relay.key} does not take mail: {relay.why}" for relay in alive)

    def state(self, now: float) -> list[RelayState]:
        """Every relay in words."""
        states = []
        for relay in self._relays.values():
            words = "ready"
            if now < relay.used_until:
                words = f"its day is used up{f' ({relay.used_why})' if relay.used_why else ''}"
            elif now < relay.rests_until:
                words = f"rests: {relay.why}"
            states.append(RelayState(relay.key, words, relay.wait(now)))
        return states
