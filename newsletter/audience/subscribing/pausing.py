"""Taking a break: still on the list, and nothing is sent before a day that they chose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from newsletter.audience.models import Subscription
from newsletter.audience.subscribing import proof
from newsletter.audience.subscribing.proof import CONFIRMED, Change


def pause(
    canonical: str,
    lists: Sequence[str],
    until: datetime,
    channel: str,
    wording: str = "",
    *,
    why: str = "",
    by: str = "",
) -> Change:
    """Nothing through these lists (empty: all that they are on) before `until`, a moment with a time zone."""
    if until.tzinfo is None:
        raise ValueError("until has no time zone")
    said = f"until {until:%Y-%m-%d %H:%M %Z}"
    return _until(canonical, lists, until, "paused", channel, wording, f"{why}, {said}" if why else said, by)


def resume(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """The pause ends now, for these lists (empty: all)."""
    return _until(canonical, lists, None, "resumed", channel, wording, why, by)


def _until(
    canonical: str,
    lists: Sequence[str],
    until: datetime | None,
    event: str,
    channel: str,
    wording: str,
    why: str,
    by: str,
) -> Change:
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        rows = Subscription.objects.filter(subscriber=person, state=CONFIRMED).select_related("list")
        rows = rows.filter(list__key__in=lists) if lists else rows
        changed = []
        for row in rows.exclude(paused_until=until).order_by("list__key"):
            row.paused_until = until
            row.save()
            changed.append(row.list.key)
        proof.write_each(person.canonical, [(key, event) for key in changed], channel, wording, why, by)
        return Change(bool(changed), tuple(changed))
