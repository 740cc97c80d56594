"""The promise and what became of it: how many were answered in time, how soon, and who waits longest. It adds up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.utils import timezone

from newsletter.config import Config
from newsletter.replies import clock
from newsletter.replies.models import Conversation
from newsletter.sending.models import Mailing

State = Conversation.State
Row = tuple[Any, ...]


@dataclass
class Figures:
    """Conversations counted once each: conversations = in time + late + in hand + overdue + closed without answer.

    Overdue: they wait, and the promised time is over. Junk and what was merged away are not in it.
    """

    conversations: int = 0
    in_time: int = 0
    late: int = 0
    in_hand: int = 0
    overdue: int = 0
    unanswered: int = 0  # closed without an answer, such as a thank-you
    hours: list[float] = field(default_factory=list)
    oldest: datetime | None = None

    @property
    def percent(self) -> float | None:
        """Of those whose time is decided (answered, or over), how many were answered in it; None: nobody's is."""
        decided = self.in_time + self.late + self.overdue
        return round(100 * self.in_time / decided, 1) if decided else None

    @property
    def adds_up(self) -> bool:
        parts = self.in_time + self.late + self.in_hand + self.overdue + self.unanswered
        return self.conversations == parts

    def as_json(self) -> dict[str, Any]:
        return {
            "conversations": self.conversations,
            "in_time": self.in_time,
            "late": self.late,
            "in_hand": self.in_hand,
            "overdue": self.overdue,
            "closed_without_answer": self.unanswered,
            "percent_in_time": self.percent,
            "median_hours": round(median(self.hours), 1) if self.hours else None,
            "oldest_open": self.oldest,
        }


@dataclass
class Report:
    """The whole, and the same for each team and each issue; each of these sums to the whole."""

    all: Figures
    teams: dict[str, Figures]
    issues: dict[str, Figures]

    @property
    def adds_up(self) -> bool:
        parts = (self.teams, self.issues)
        whole = all(sum(one.conversations for one in part.values()) == self.all.conversations for part in parts)
        return whole and all(one.adds_up for one in (self.all, *self.teams.values(), *self.issues.values()))


def report(
    config: Config, since: datetime | None = None, until: datetime | None = None, now: datetime | None = None
) -> Report:
    """The figures of the conversations that began between two moments. Times are those that count: with a working
    calendar the nights and weekends are left out of the median, as they are of the promise."""
    now = now or timezone.now()
    found = Conversation.objects.filter(merged_into=None).exclude(state=State.SPAM)
    if since:
        found = found.filter(created__gte=since)
    if until:
        found = found.filter(created__lt=until)
    columns = ("team", "mailing", "state", "created", "answered_at", "answered_in_target", "waiting_since", "due")
    calendar = clock.Calendar.of(config)
    slugs = dict(Mailing.objects.values_list("pk", "slug"))
    whole = Figures()
    teams: dict[str, Figures] = defaultdict(Figures)
    issues: dict[str, Figures] = defaultdict(Figures)
    for team, mailing, *facts in found.values_list(*columns).iterator(chunk_size=5000):
        created, answered_at = facts[1:3]
        hours = calendar.between(created, answered_at) / timedelta(hours=1) if answered_at else None
        for part in (whole, teams[team], issues[slugs.get(mailing, "")]):
            _add(part, facts, now, hours)
    return Report(whole, dict(teams), dict(issues))


def _add(part: Figures, facts: list[Any], now: datetime, hours: float | None) -> None:
    """One conversation: what its first answer was, or what is becoming of it without one."""
    _, _, _, in_target, waiting_since, due = facts
    part.conversations += 1
    if waiting_since is not None and (part.oldest is None or waiting_since < part.oldest):
        part.oldest = waiting_since
    if hours is not None:
        part.in_time += bool(in_target)
        part.late += not in_target
        part.hours.append(hours)
    elif waiting_since is None:
        part.unanswered += 1
    elif due is not None and now > due:
        part.overdue += 1
    else:
        part.in_hand += 1
