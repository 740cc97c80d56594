"""What was kept long enough is erased: closed conversations that nothing holds, and mail that nobody needs to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from newsletter.config import Config
from newsletter.replies import erasing, journal
from newsletter.replies.models import Conversation, Kind, Raw

AT_ONCE = 200  # conversations in one transaction: others write in between
KEPT = (Kind.UNREAD, Kind.PERSON, Kind.QUARANTINE)  # never by age alone: nobody has dealt with them yet


@dataclass
class Tidied:
    """What was erased, or would be."""

    before: datetime
    conversations: int = 0
    messages: int = 0
    raw: int = 0
    files: int = 0
    held: int = 0

    @property
    def words(self) -> str:
        many = "conversation was" if self.conversations == 1 else "conversations were"
        return f"{self.conversations} {many} kept long enough: erased" if self.conversations else ""


def tidy(config: Config, *, dry_run: bool = False, now: datetime | None = None, by: str = journal.OURSELVES) -> Tidied:
    """Erase what has been closed, untouched, for [replies] keep_months; 0 months = nothing is ever erased by age.

    Automatic mail, bounces, complaints, wishes to leave and duplicates lose their text at the same age; what they
    changed (a bounce on a delivery, a person who left) stays.
    """
    before = months_before(now or timezone.now(), config.replies.keep_months)
    found = Tidied(before)
    if config.replies.keep_months <= 0:
        return found
    old = closed_before(before)
    found.held = old.filter(held=True).count()
    mail = Raw.objects.filter(received__lt=before, erased=None, message=None).exclude(kind__in=KEPT)
    # A second copy of a message goes with that message's conversation, not before it.
    mail = mail.exclude(duplicate_of__message__isnull=False)
    if dry_run:
        plan = erasing.plan_conversations(old.filter(held=False).values_list("pk", flat=True))
        found.conversations, found.messages, found.files = len(plan.conversations), plan.messages, len(plan.hashes)
        found.raw = len(plan.raw) + mail.count()
        return found
    while True:
        numbers = list(old.filter(held=False).values_list("pk", flat=True)[:AT_ONCE])
        rows = list(mail.values_list("pk", flat=True)[:AT_ONCE])
        if not numbers and not rows:
            return found
        done = erasing.erase_conversations(numbers, rows, by)
        found.conversations += len(done.conversations)
        found.messages += done.messages
        found.raw += len(done.raw)
        found.files += len(done.hashes)
        if not done.conversations and not done.raw:
            return found  # all of them were held meanwhile


def closed_before(moment: datetime) -> QuerySet[Conversation]:
    """Conversations that are over and were not touched since; what was merged goes with what it was merged into."""
    over = Conversation.objects.filter(state__in=("closed", "spam"), changed__lt=moment)
    alive = Conversation.objects.exclude(state__in=("closed", "spam")).values("pk")
    return over.exclude(merged_into__in=alive).exclude(merged_into__held=True).order_by("id")


def months_before(moment: datetime, months: int) -> datetime:
    """The same day `months` earlier, or the last day of that month."""
    number = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(number, 12)
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month + 1, day=min(moment.day, 28))
