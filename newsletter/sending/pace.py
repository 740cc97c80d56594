"""How fast one relay may go: its own limits, its warm-up, and what each mailbox provider asks of us.

Pure: the time is handed in (monotonic seconds), nothing is written or asked. One object per relay, used from one
thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import inf

from newsletter.config import Relay
from newsletter.sending.providers import DEFAULT, Provider, Signal, Table, kind

DAY = 86_400.0
HOUR = 3_600.0
# Mails to one provider on the first, second … day of a new sending address, then at most twice as many every day:
# the steps that mail service vendors ask for (about 45 days to a million).
WARM_UP = (50, 100, 500, 1_000, 5_000, 10_000, 20_000, 40_000, 70_000, 100_000)
SOON = 0.05  # seconds: when to ask again where only an answer in flight can make room
# Seconds that a late start may be made up for. Half a step keeps every window within one mail of the limit; a fast
# relay gets 20 ms, because a loop that wakes a millisecond late would lose a third of 1,000 a second.
LATE = 0.02


@dataclass(frozen=True)
class GroupState:
    """One provider, for a line in words: `seconds` until it changes (None = no change to come)."""

    key: str
    name: str
    words: str
    seconds: float | None
    in_flight: int
    sent: int


class Metronome:
    """Lets one through every `1 / rate` seconds, within one of the limit in any window. rate 0 = no limit."""

    def __init__(self, rate: float) -> None:
        self.step = 1.0 / rate if rate else 0.0
        self.late = max(self.step / 2, LATE if self.step < 2 * LATE else 0.0)
        self.next = -inf

    def wait(self, now: float) -> float:
        return self.next - now if self.next > now else 0.0

    def tick(self, now: float) -> None:
        if self.step:
            self.next = (self.next if self.next >= now - self.late else now) + self.step


@dataclass
class Group:
    """What is going on with one provider (or one small provider)."""

    key: str
    rules: Provider
    kind: str
    pace: Metronome
    connections: int  # 0 = no limit
    free: bool  # nothing to watch at all: the common case costs one look
    in_flight: int = 0
    slowed: Metronome | None = None
    slowed_until: float = -inf
    one_until: float = -inf
    suspended_until: float = -inf
    heard: dict[int, deque[float]] = field(default_factory=dict)  # signal's number → when, within the last hour


class Pace:
    """What one relay may do now. Ask `may`, say `took`, then `done`; tell `heard` every answer that is not 2xx."""

    def __init__(
        self,
        relay: Relay,
        table: Table,
        *,
        day_used: Mapping[str, int] | None = None,
        warm_up_day: int | None = None,
        day_ends: float = inf,
        share: int = 1,
    ) -> None:
        """`day_used` as of relay_days; `warm_up_day` 1 = the first; `day_ends`: the next UTC midnight on the same clock
        as `now`; `share`: so many processes use this relay, each takes its part of every limit."""
        used = dict(day_used or {})
        in_all = used.pop("", None)
        self.relay, self.table, self.share = relay, table, max(1, share)
        self.careful = relay.providers
        self.pace = Metronome(relay.rate / self.share)
        self.groups: dict[str, Group] = {}
        self.warm_up_day, self.day_ends = warm_up_day, day_ends
        self.before = used  # by every process, before this one began
        self.before_in_all = sum(used.values()) if in_all is None else in_all
        self.sent: dict[str, int] = {}  # by this process since the day began
        self.sent_in_all = 0
        self._fresh: dict[str, int] = {}
        self.has_day = bool(relay.day or (warm_up_day and self.careful))
        self.free = not (relay.rate or self.has_day)

    # --- asking and telling ------------------------------------------------------------------------------------

    def may(self, group: str, now: float) -> float:
        """0.0 = a mail to this group may start now, else the seconds to wait; inf = not today."""
        if now >= self.day_ends:
            self._next_day(now)
        here = self.groups.get(group) or self._group(group)
        if self.free and here.free:
            return 0.0
        if self._today(here) <= 0:
            return inf
        return max(self.pace.wait(now), 0.0 if here.free else self._wait(here, now))

    def took(self, group: str, now: float) -> None:
        """A mail to this group starts now."""
        if now >= self.day_ends:
            self._next_day(now)
        here = self.groups.get(group) or self._group(group)
        here.in_flight += 1
        self._count(here.kind, 1)
        self.pace.tick(now)
        here.pace.tick(now)
        if here.slowed:
            here.slowed.tick(now)

    def done(self, group: str, now: float, sent: bool = True) -> None:
        """Its answer came; `sent=False`: it never left, so the day gets it back."""
        here = self.groups.get(group) or self._group(group)
        here.in_flight = max(0, here.in_flight - 1)
        if not sent and self.sent.get(here.kind, 0) > 0:  # not across midnight
            self._count(here.kind, -1)

    def heard(self, group: str, code: int | None, enhanced: str, text: str, now: float) -> str:
        """Look for a signal in an answer. Words for a person when it changes our pace, else "".

        Where the provider is not known (`default`) nothing follows: one small server's hurry is not everybody's.
        """
        if not self.careful or group == DEFAULT:
            return ""
        here = self.groups.get(group) or self._group(group)
        said = " ".join(filter(None, (str(code or ""), "" if text.startswith(enhanced) else enhanced, text)))
        common = self.table.groups[DEFAULT].signals if here.rules.key != DEFAULT else ()
        own = here.rules.signals
        hits = [number for number, signal in enumerate(own) if signal.pattern.search(said)]
        if not hits:  # the provider's own words say more than the common ones
            hits = [n + len(own) for n, signal in enumerate(common) if signal.pattern.search(said)][:1]
        words = [self._follow(here, number, (own + common)[number], now) for number in hits]
        return next(filter(None, reversed(words)), "")

    def fresh(self) -> dict[str, int]:
        """How many mails to each kind of group were started since this was last asked: for relay_days.add. More given
        back than taken (`done(sent=False)`) is kept, and taken off the next ones."""
        fresh = {key: people for key, people in self._fresh.items() if people > 0}
        self._fresh = {key: people for key, people in self._fresh.items() if people < 0}
        return fresh

    def day_left(self, now: float) -> float:
        """How many mails the relay still takes today, for this process; inf = no limit."""
        if now >= self.day_ends:
            self._next_day(now)
        if not self.relay.day:
            return inf
        return max(0, _part(self.relay.day - self.before_in_all, self.share) - self.sent_in_all)

    def messages(self, group: str) -> int:
        """Mails over one connection before a new one is opened; 0 = no limit."""
        limited = self.careful and group != DEFAULT  # as in _group
        limits = [self.relay.messages, self.table.provider(group).messages if limited else 0]
        return min((limit for limit in limits if limit), default=0)

    def state(self, now: float) -> list[GroupState]:
        """The groups that were used or have something to say, in words."""
        states = []
        for here in self.groups.values():
            words, seconds = self._words(here, now)
            sent = self.sent.get(here.kind, 0)
            if words or here.in_flight or (sent and here.key == here.kind):
                name = self.table.name(here.key)
                states.append(GroupState(here.key, name, words, seconds, here.in_flight, sent))
        return states

    # --- inside ------------------------------------------------------------------------------------------------

    def _group(self, key: str) -> Group:
        rules = self.table.provider(key)
        # `default` itself is whoever DNS has not told yet: not one provider, so it has no limit of its own.
        limited = self.careful and key != DEFAULT
        connections = max(1, rules.connections // self.share) if limited and rules.connections else 0
        pace = Metronome(rules.rate / self.share if limited else 0.0)
        group = Group(key, rules, kind(key), pace, connections, free=not (connections or pace.step))
        self.groups[key] = group
        return group

    def _wait(self, here: Group, now: float) -> float:
        if now < here.suspended_until:
            return here.suspended_until - now
        wait = here.pace.wait(now)
        if here.slowed:
            if now < here.slowed_until:
                wait = max(wait, min(here.slowed.wait(now), here.slowed_until - now))
            else:
                here.slowed = None
        most = 1 if now < here.one_until else here.connections
        return max(wait, SOON) if most and here.in_flight >= most else wait

    def _today(self, here: Group) -> float:
        left = self.day_left(-inf)
        if self.warm_up_day and self.careful:
            cap = _part(warm_up_cap(self.warm_up_day) - self.before.get(here.kind, 0), self.share)
            left = min(left, cap - self.sent.get(here.kind, 0))
        return left

    def _count(self, key: str, people: int) -> None:
        self.sent[key] = self.sent.get(key, 0) + people
        self._fresh[key] = self._fresh.get(key, 0) + people
        self.sent_in_all += people

    def _next_day(self, now: float) -> None:
        days = int((now - self.day_ends) // DAY) + 1
        self.day_ends += days * DAY
        if self.warm_up_day:
            self.warm_up_day += days
        self.before, self.before_in_all, self.sent, self.sent_in_all = {}, 0, {}, 0

    def _follow(self, here: Group, number: int, signal: Signal, now: float) -> str:
        """Count a signal; when it has come often enough, do what it asks. Repeats only make it last longer."""
        times = here.heard.setdefault(number, deque(maxlen=signal.times))
        times.append(now)
        if len(times) < signal.times or now - times[0] > HOUR:
            return ""
        until, name, new = now + signal.seconds, self.table.name(here.key), False
        lasts = _minutes(signal.seconds)
        words = ""
        if signal.one:
            new, words = now >= here.one_until, f"{name} takes one mail at a time for {lasts}"
            here.one_until = max(here.one_until, until)
        if signal.slow:
            rate = signal.slow / 60.0 / self.share
            running = here.slowed is not None and now < here.slowed_until
            if not running or here.slowed is None or here.slowed.step < 1.0 / rate:
                new, here.slowed = True, Metronome(rate)
                here.slowed.next = now + here.slowed.step  # the mail that was answered was the first
            here.slowed_until = max(here.slowed_until if running else now, until)
            words = f"{name} slowed us to {signal.slow:g} a minute for {lasts}"
        if signal.suspend:
            new = new or now >= here.suspended_until
            here.suspended_until = max(here.suspended_until, until)
            words = f"{name} asks us to stop; nothing goes there for {lasts}"
        here.free = False
        return words if new else ""

    def _words(self, here: Group, now: float) -> tuple[str, float | None]:
        if self._today(here) <= 0:
            return "not today any more", self.day_ends - now if self.day_ends < inf else None
        if now < here.suspended_until:
            return "stopped for now", here.suspended_until - now
        if here.slowed and now < here.slowed_until:
            return f"slowed to {60 / here.slowed.step * self.share:.3g} a minute", here.slowed_until - now
        if now < here.one_until:
            return "one mail at a time", here.one_until - now
        return "", None


def warm_up_cap(day: int) -> int:
    """Mails to one provider on the `day`-th day (1 = the first) of a new sending address."""
    return WARM_UP[day - 1] if day <= len(WARM_UP) else WARM_UP[-1] << min(day - len(WARM_UP), 20)


def warm_up_day(relay: Relay, today: date) -> int | None:
    """The number of today in the relay's warm-up; None = none is set, or the day cannot be read."""
    try:
        return max(1, (today - date.fromisoformat(relay.warm_up)).days + 1) if relay.warm_up else None
    except ValueError:
        return None


def _part(people: int, share: int) -> int:
    """This process's part of what is left; rounded down, so that together they stay within it."""
    return people // share


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
