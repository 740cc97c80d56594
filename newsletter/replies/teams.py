"""Which team a conversation comes to, and who stands in for a colleague who is away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from newsletter.audience.areas import names
from newsletter.config import Config
from newsletter.replies.models import Absence, Conversation


def of(conversation: Conversation, config: Config) -> str:
    """The key of the team for a new conversation: by the person's area first, else by the list; "" = nobody's.

    Only the person's own area counts: who answered from somebody else's copy lives we know not where.
    """
    areas = names(_areas(conversation.subscriber.attributes)) if conversation.subscriber else set()
    lists = set(conversation.delivery.lists) if conversation.delivery else set()
    for key, team in config.teams.items():
        if areas & {area.casefold() for area in team.areas}:
            return key
    return next((key for key, team in config.teams.items() if lists & set(team.lists)), "")


def _areas(attributes: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for name in ("areas", "area", "ward"):
        value = attributes.get(name) or []
        found |= {str(one).casefold() for one in (value if isinstance(value, list) else [value])}
    return found


def absence(key: str, now: datetime | None = None) -> Absence | None:
    """The absence of a colleague that holds now."""
    now = now or timezone.now()
    found = Absence.objects.filter(staff=key, since__lte=now)
    return found.filter(Q(until=None) | Q(until__gt=now)).order_by("-id").first()


def present(key: str, now: datetime | None = None) -> str:
    """The colleague, or who stands in for them, or for those; the colleague where everybody in the ring is away."""
    seen = [key]
    while away := absence(seen[-1], now):
        if away.stand_in in seen:
            return key
        seen.append(away.stand_in)
    return seen[-1]
