"""The time in which an answer is promised: 72 hours, or working hours with holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.utils import timezone

from newsletter import settings
from newsletter.config import Config, working_hours
from newsletter.replies.models import Conversation, Message

FAR = 3700  # days that are looked at before we give up: a calendar of holidays only has no end
HALF, SOON = 0.5, 0.8


class Stage(StrEnum):
    """How far the time has gone; said in words beside every colour."""

    NONE = ""  # nobody waits
    CALM = "calm"
    HALF = "half"  # half of it is over
    SOON = "soon"  # four fifths are over
    LATE = "late"


@dataclass(frozen=True)
class Calendar:
    """Which hours count. `week` is empty: all of them."""

    zone: ZoneInfo
    week: tuple[tuple[working_hours.Window, ...], ...] = ()
    holidays: frozenset[date] = frozenset()

    @classmethod
    def of(cls, config: Config) -> Calendar:
        replies = config.replies
        week = working_hours.parse(replies.calendar) if replies.calendar else ()
        holidays = frozenset(map(date.fromisoformat, replies.holidays))
        if holidays and not week:
            week = (((0, 24 * 60),),) * 7
        return cls(ZoneInfo(config.site.time_zone), week, holidays)

    def add(self, start: datetime, hours: float) -> datetime:
        """The moment when `hours` that count have gone by since `start`."""
        left = timedelta(hours=hours)
        if not self.week:
            return start + left
        for begin, end in self._windows(start):
            if begin + left <= end:
                return begin + left
            left -= end - begin
        return start + timedelta(days=FAR)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much time that counts lies between two moments."""
        if not self.week or end <= start:
            return max(end - start, timedelta())
        total = timedelta()
        for begin, finish in self._windows(start):
            if begin >= end:
                break
            total += min(finish, end) - begin
        return total

    def _windows(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The stretches of time that count from `start` on, in UTC: a day on which the clocks change is 23 or 25
        hours long, and its windows are where the wall clock says."""
        first = start.astimezone(self.zone).date()
        for number in range(FAR):
            day = first + timedelta(days=number)
            if day in self.holidays:
                continue
            for begin, finish in self.week[day.weekday()]:
                opens, closes = self._at(day, begin), self._at(day, finish)
                if closes > start:
                    yield max(opens, start), closes

    def _at(self, day: date, minutes: int) -> datetime:
        midnight = datetime.combine(day + timedelta(days=minutes // 1440), time(), self.zone)
        return (midnight + timedelta(minutes=minutes % 1440)).astimezone(UTC)


def begins(now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when and until when, for a conversation that begins: known before its row is written, it costs no
    second one. (None, None) where it cannot be reckoned; then `start` says so in the log of the conversation."""
    config = settings.current()
    try:
        return now, Calendar.of(config).add(now, config.replies.hours)
    except Exception:
        return None, None


def start(conversation: Conversation, message: Message) -> None:
    """A person has written: the clock runs from their oldest message without an answer."""
    if runs(conversation) or conversation.state == Conversation.State.SPAM:
        return
    config = settings.current()
    since = conversation.waiting_since or message.at
    conversation.waiting_since = since
    conversation.due = Calendar.of(config).add(since, config.replies.hours)
    conversation.save(update_fields=["waiting_since", "due"])


def runs(conversation: Conversation) -> bool:
    """True while somebody waits and it is known until when."""
    return conversation.waiting_since is not None and conversation.due is not None


def stop(conversation: Conversation) -> None:
    """Nobody waits any more; the caller saves."""
    conversation.waiting_since = conversation.due = None


def answered(conversation: Conversation, now: datetime) -> None:
    """Our first answer counts for the report; every answer ends the waiting. The caller saves."""
    if conversation.answered_at is None:
        conversation.answered_at = now
        conversation.answered_in_target = conversation.due is None or now <= conversation.due
    stop(conversation)


def again(conversation: Conversation) -> None:
    """Somebody must act once more: the clock runs from their oldest message that no arrived answer follows, else from
    now. An answer that came back was none. The caller saves."""
    config = settings.current()
    messages = Message.objects.filter(conversation=conversation).order_by("at", "id")
    arrived = list(messages.filter(kind=Message.Kind.ANSWER, trouble="").values_list("at", flat=True))
    theirs = messages.filter(kind=Message.Kind.PERSON)
    if arrived:
        theirs = theirs.filter(at__gt=arrived[-1])
    else:
        conversation.answered_at = conversation.answered_in_target = None
    since = theirs.values_list("at", flat=True).first() or timezone.now()
    conversation.waiting_since = since
    conversation.due = Calendar.of(config).add(since, config.replies.hours)


def stage(waiting_since: datetime | None, due: datetime | None, now: datetime, config: Config) -> Stage:
    """How urgent it is: half and four fifths of the hours that count are the warnings."""
    if waiting_since is None or due is None:
        return Stage.NONE
    if now > due:
        return Stage.LATE
    gone = Calendar.of(config).between(waiting_since, now) / timedelta(hours=config.replies.hours)
    return Stage.SOON if gone >= SOON else Stage.HALF if gone >= HALF else Stage.CALM


def words(due: datetime | None, stage: Stage, now: datetime) -> str:
    """`due in 9 hours, soon` · `2 hours late`: what the colour says, for everybody."""
    if due is None or stage is Stage.NONE:
        return ""
    if stage is Stage.LATE:
        return f"{span(now - due)} late"
    more = {Stage.HALF: ", half the time is gone", Stage.SOON: ", answer soon"}.get(stage, "")
    return f"due in {left(due - now)}{more}"


def left(time: timedelta) -> str:
    """`72 hours` right after 72 were promised: while there is more than a day the hour that has begun counts. On the
    last day it does not, so that nobody believes to have more time than there is."""
    return span(time + timedelta(minutes=59, seconds=59) if time > timedelta(days=1) else time)


def span(time: timedelta) -> str:
    """`20 minutes`, `9 hours`, `3 days`: rounded down, so that nobody believes to have more time than there is."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 60:
        return _many(max(minutes, 1), "minute")
    return _many(minutes // 60, "hour") if minutes < 73 * 60 else _many(minutes // 1440, "day")


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def catch_up() -> int:
    """Reckon by when an answer is due where it is not known yet (from before there was a clock)."""
    config = settings.current()
    calendar = Calendar.of(config)
    rows = Conversation.objects.filter(due=None, waiting_since__isnull=False, state__in=("new", "open"))
    number = 0
    for pk, since in rows.values_list("pk", "waiting_since")[:1000]:
        assert since is not None
        due = calendar.add(since, config.replies.hours)
        number += Conversation.objects.filter(pk=pk, due=None).update(due=due, changed=timezone.now())
    return number
