"""What the worker does for replies between mailings, each at its own pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.replies import canary, clock, desk, fetching, intake, returns
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


def unread(config: Config) -> str:
    """Sort what came in and could not be sorted then: the key was away, or whoever took it in was killed."""
    return f"{left} messages came in and cannot be sorted yet" if (left := intake.finish_unread()) else ""


def desk_in_order(config: Config) -> str:
    """Bring back what was put off until now and what our answers did not reach; reckon what is due."""
    back = returns.look()
    woken = desk.wake()
    clock.catch_up()
    words = [f"{back} answers did not arrive: back at the desk"] * bool(back) + [f"{woken} woken"] * bool(woken)
    return "; ".join(words)


CHORES: tuple[Chore, ...] = (
    Chore("notices", 2.0, deliver),
    Chore("desk", 5.0, desk_in_order),
    Chore("mailboxes", 15.0, fetching.in_the_worker),
    Chore("unread", 60.0, unread),
    Chore("canary", 30.0, canary.look),  # it is due every 15 minutes; a look costs one question to the database
)
