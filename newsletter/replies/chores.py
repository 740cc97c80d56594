"""What the worker does for replies between mailings, each at its own pace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.audience import requests
from newsletter.config import Config
from newsletter.replies import canary, climbing, clock, compacting, desk, fetching, intake, returns, tidying, warning
from newsletter.sending import epoch, notices, own_asking


@dataclass(frozen=True)
class Chore:
    """One piece of regular work. `run` returns words when there is something to tell, else ""."""

    name: str
    every: float  # seconds
    run: Callable[[Config], str]


def deliver(config: Config) -> str:
    """Carry queued answers, acknowledgements and notices."""
    sent = notices.deliver(config)
    return f"{sent} single mail{'s' * (sent != 1)} sent" if sent else ""


def restored(config: Config) -> str:
    """Say that single mails are held back, because this database is an older copy of the one that sent last."""
    last = epoch.last_mark(config)
    held = notices.held_back(last.at).count() if last and epoch.difference(config) else 0
    if not held:
        return ""
    mails = f"{held} single mail{'s' * (held != 1)} wait{'s' * (held == 1)}"
    return f"{mails}: the database was restored from a copy, and may have sent them; newsletter recover decides"


def unread(config: Config) -> str:
    """Sort what came in and could not be sorted then: the key was away, or whoever took it in was killed."""
    left = intake.finish_unread()
    return f"{left} message{'s' * (left != 1)} came in and cannot be sorted yet" if left else ""


def desk_in_order(config: Config) -> str:
    """Bring back what was put off until now and what our answers did not reach; reckon what is due."""
    back = returns.look()
    woken = desk.wake()
    clock.catch_up()
    words = [f"{back} answer{'s' * (back != 1)} did not arrive: back at the desk"] * bool(back)
    words += [f"{woken} woken"] * bool(woken)
    return "; ".join(words)


def look_first(config: Config) -> str:
    """Tell colleagues of what should be looked at first, until somebody claims it."""
    told = climbing.climb(config)
    return f"{told} to be looked at first: colleagues were told" if told else ""


def time_runs_out(config: Config) -> str:
    """Tell colleagues when half and four fifths of the promised time are gone."""
    told = warning.warn(config)
    return f"{told} to be answered soon: colleagues were told" if told else ""


def tidy(config: Config) -> str:
    """Erase what is older than [replies] keep_months, where that is switched on."""
    return tidying.tidy(config).words if config.replies.tidy else ""


def tidy_requests(config: Config) -> str:
    """Empty what strangers typed on our pages and never confirmed."""
    return f"{done} old request{'s' * (done != 1)} of the pages emptied" if (done := requests.tidy()) else ""


CHORES: tuple[Chore, ...] = (
    Chore("look first", 5.0, look_first),
    Chore("time runs out", 600.0, time_runs_out),
    Chore("asked on a page", 1.0, own_asking.work),
    Chore("notices", 2.0, deliver),
    Chore("restored", 300.0, restored),
    Chore("desk", 5.0, desk_in_order),
    Chore("mailboxes", 15.0, fetching.in_the_worker),
    Chore("unread", 60.0, unread),
    Chore("erased", 5.0, compacting.turn),
    Chore("tidy", 24 * 3600.0, tidy),
    Chore("old requests", 3600.0, tidy_requests),
    Chore("canary", 30.0, canary.look),  # it is due every 15 minutes; a look costs one question to the database
)
