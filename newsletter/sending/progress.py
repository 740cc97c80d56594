"""What a screen shows of a mailing under way, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from newsletter.sending import providers

if TYPE_CHECKING:
    from newsletter.sending.ways import Way


class How(StrEnum):
    """How draining ended."""

    DONE = "done"  # nobody waits
    LATER = "later"  # some people are to be tried again, later than we stay
    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class ProviderLine:
    """How one mailbox provider takes the mail in this run; `words` say what is unusual."""

    name: str
    accepted: int
    again: int
    failed: int
    words: str = ""


@dataclass(frozen=True)
class Progress:
    """Where we are, some ten times a second. `counts` are of this moment; their sum is the mailing's `frozen`."""

    counts: dict[str, int]
    sent: int  # accepted in this run
    seconds: float
    note: str = ""  # what a person should know now: "mail.example.org does not answer; trying again in 4 s"
    held: bool = False
    providers: tuple[ProviderLine, ...] = ()

    @property
    def rate(self) -> float:
        return self.sent / self.seconds if self.seconds > 0.2 else 0.0


@dataclass
class Ended:
    """The end of draining: why, the exact counts of the ledger, and words where something is to be done."""

    how: How
    counts: dict[str, int]
    sent: int
    seconds: float
    words: str = ""
    next_due: datetime | None = None
    recovered: tuple[int, int] = field(default=(0, 0))
    dead: int = 0  # addresses that get no more mail from now on: see dead_addresses


class Lines:
    """The answers of this run by provider, for the lines on the screen."""

    def __init__(self) -> None:
        self._found: dict[str, Counter[str]] = {}

    def add(self, provider: str, state: str) -> None:
        """One answer."""
        found = self._found.get(provider)
        if found is None:
            found = self._found[provider] = Counter()
        found[state] += 1

    def shown(self, ways: Iterable[Way], now: float) -> tuple[ProviderLine, ...]:
        """A line for each provider, the one with most answers first; none where no relay looks at providers."""
        words: dict[str, str] = {}
        names: dict[str, str] = {}
        for way in ways:
            if way.pace is None:
                continue
            for state in way.pace.state(now):
                key = providers.kind(state.key)
                names[key] = providers.table().name(key)
                words[key] = state.words or words.get(key, "")
        lines = [self._line(key, names[key], words[key]) for key in names]
        return tuple(sorted(lines, key=lambda line: -(line.accepted + line.again + line.failed)))

    def _line(self, key: str, name: str, words: str) -> ProviderLine:
        found = self._found.get(key, Counter[str]())
        return ProviderLine(name, found["accepted"], found["deferred"] + found["pending"], found["failed"], words)
