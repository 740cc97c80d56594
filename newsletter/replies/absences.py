"""A colleague goes away and comes back: what waits for them goes to their stand-in, and what is new does, too."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import who
from newsletter.replies.desk import changing, hand_to
from newsletter.replies.models import Absence, Conversation


def away(config: Config, staff: str, stand_in: str, until: datetime | None) -> list[int]:
    """Somebody goes away: what waits for them goes to their stand-in now; gives back those conversations."""
    now = timezone.now()
    for key in (staff, stand_in):
        who.named(config, key)
    if staff == stand_in:
        problem = Problem("bad-stand-in", "Nobody stands in for themselves", "Name another colleague.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    if until is not None and until <= now:
        problem = Problem("not-in-the-future", "That day is over already", "Say a day to come.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    back(staff)
    Absence.objects.create(staff=staff, stand_in=stand_in, since=now, until=until)
    mine = Conversation.objects.filter(assignee=staff, waiting_since__isnull=False, merged_into=None)
    numbers = list(mine.exclude(state="spam").order_by("id").values_list("pk", flat=True))
    for number in numbers:
        with changing(number, None) as found:
            hand_to(found, staff, None)
    return numbers


def back(staff: str) -> int:
    """Somebody is back: what is new comes to them again; what their stand-in has stays there."""
    now = timezone.now()
    return Absence.objects.filter(staff=staff).exclude(until__lte=now).update(until=now)


def now_away() -> list[Absence]:
    """Who is away now, and who will not be back by themselves."""
    from django.db.models import Q

    found = Absence.objects.filter(Q(until=None) | Q(until__gt=timezone.now()))
    return list(found.order_by("staff", "id"))
