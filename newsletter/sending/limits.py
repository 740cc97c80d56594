"""How many days a mailing takes, said beforehand: the relays' daily limits, warm-up and rates against the people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from newsletter.config import Config, Relay
from newsletter.sending.pace import warm_up_cap, warm_up_day
from newsletter.sending.providers import DEFAULT, Table

LONGEST = 400  # days looked ahead; beyond a year the number is no help
LONG = 3600.0  # seconds on one day from which the time is worth saying


@dataclass(frozen=True)
class Needed:
    """How long a mailing takes at the relays' limits. `words` is empty when it goes within an hour today."""

    days: int  # 1 = today is enough
    seconds: float  # the least time on the days it is sent, by the relays' rates; 0 = no rate is set
    words: str = ""
    relay: str = ""  # key of the relay whose limit decides; "" = none


def days_needed(
    config: Config,
    people: int | Mapping[str, int],
    *,
    used: Mapping[str, Mapping[str, int]] | None = None,
    today: date | None = None,
) -> Needed:
    """How long so many people take over all relays in their order. `people` may be told for each provider (its key →
    people), which only a warm-up needs; `used`: relay → what relay_days.day_used says of today."""
    left = dict(people) if isinstance(people, Mapping) else {DEFAULT: people}
    in_all = sum(left.values())
    if config.mail.transport != "smtp" or not config.relays or not in_all:
        return Needed(1, 0.0)
    if today is None:
        from newsletter.sending.relay_days import today as utc_today

        today = utc_today()
    days, deciding = 0, ""
    while sum(left.values()) and days < LONGEST:
        for key, relay in config.relays.items():
            before = (used or {}).get(key, {}) if days == 0 else {}
            _one_day(relay, today + timedelta(days=days), left, before)
            if sum(left.values()) and not deciding:
                deciding = key
        days += 1
    rates = [relay.rate for relay in config.relays.values()]
    seconds = in_all / sum(rates) if all(rates) else 0.0
    days = max(days, ceil(seconds / 86_400))
    return Needed(days, seconds, _words(config, in_all, days, seconds, deciding, today), deciding)


def by_provider(domains: Mapping[str, int], table: Table) -> dict[str, int]:
    """Domain → people, as provider → people, by the well-known domains alone: nobody is asked."""
    sums: dict[str, int] = {}
    for domain, people in domains.items():
        group = table.of_domain(domain.lower())
        sums[group] = sums.get(group, 0) + people
    return sums


def _one_day(relay: Relay, day: date, left: dict[str, int], before: Mapping[str, int]) -> None:
    """Take from `left` what the relay takes on one day."""
    number = warm_up_day(relay, day) if relay.providers else None
    room = max(0, relay.day - before.get("", 0)) if relay.day else sum(left.values())
    taken = 0
    for group, people in left.items():
        most = min(people, room - taken)
        if number:
            most = min(most, max(0, warm_up_cap(number) - before.get(group, 0)))
        left[group] -= most
        taken += most


def _words(config: Config, people: int, days: int, seconds: float, deciding: str, today: date) -> str:
    who = f"{people:,} people"
    if deciding and days > 1:
        relay = config.relays[deciding]
        why = []
        if relay.day:
            why.append(f"{deciding} takes {relay.day:,} a day")
        if number := warm_up_day(relay, today) if relay.providers else None:
            cap = warm_up_cap(number)
            why.append(f"{deciding} is on day {number} of its warm-up, {cap:,} to each provider today")
        long = f"more than {LONGEST}" if days >= LONGEST else f"{days:,}"
        return f"{who}; {' and '.join(why)}: it will take {long} days"
    if seconds >= LONG:
        rates = [f"{key} takes {_rate(relay.rate)}" for key, relay in config.relays.items()]
        return f"{who}; {' and '.join(rates)}: it will take {_time(seconds)}"
    return ""


def _rate(rate: float) -> str:
    return f"{rate:g} a second" if rate >= 1 else f"{rate * 60:.3g} a minute"


def _time(seconds: float) -> str:
    hours = round(seconds / 3600)
    if hours >= 48:
        return f"{ceil(seconds / 86_400)} days"
    return f"{hours} hours" if hours != 1 else "1 hour"
