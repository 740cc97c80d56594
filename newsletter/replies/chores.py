"""What the worker does for replies between mailings, each at its own pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.replies import canary, fetching
from newsletter.sending import notices


@dataclass(frozen=True)
class Chore:
    """One piece of regular work. `run` returns words when there is something to tell, else ""."""

    name: str
    every: float  # seconds
    run: Callable[[Config], str]


def deliver(config: Config) -> str:
    """Carry queued answers, acknowledgements and notices."""
    sent = notices.deliver(config)
    return f"{sent} single mails sent" if sent else ""


CHORES: tuple[Chore, ...] = (
    Chore("notices", 2.0, deliver),
    Chore("mailboxes", 15.0, fetching.in_the_worker),
    Chore("canary", 30.0, canary.look),  # it is due every 15 minutes; a look costs one question to the database
)
