"""What a screen shows of a mailing under way, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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
