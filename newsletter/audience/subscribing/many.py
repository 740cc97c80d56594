"""Many addresses that must never be mailed, at once: from the list of a program that was used before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from newsletter.audience import never
from newsletter.audience.models import ConsentEvent, FormerAddress, Suppression
from newsletter.audience.subscribing import leaving


@dataclass(frozen=True)
class Stop:
    """One address of such a list; `at`: when it happened, where the list says it."""

    canonical: str
    scope: str
    reason: str
    at: datetime | None = None


def suppress_all(stops: Sequence[Stop], channel: str, *, why: str = "", by: str = "") -> tuple[int, int]:
    """As `suppress` for each, in one transaction and in a few statements where they are new.

    Returns how many were suppressed now, and how many were so already. The record says when we learned it, for who was
    mailed until then was not mailed against our knowledge; the proof says when it happened.
    """
    wanted = {stop.canonical: stop for stop in stops}
    with transaction.atomic():
        known = set(Suppression.objects.filter(canonical__in=wanted).values_list("canonical", flat=True))
        known |= set(never.Erased().among(wanted))
        known |= set(FormerAddress.objects.filter(canonical__in=wanted).values_list("canonical", flat=True))
        new = [stop for stop in wanted.values() if stop.canonical not in known]
        before = Suppression.objects.count()
        Suppression.objects.bulk_create(
            [Suppression(canonical=stop.canonical, scope=stop.scope, reason=stop.reason) for stop in new],
            ignore_conflicts=True,  # somebody else was quicker with one of them
        )
        made = Suppression.objects.count() - before
        now = timezone.now()
        ConsentEvent.objects.bulk_create(
            ConsentEvent(
                canonical=stop.canonical,
                event="suppressed",
                channel=channel,
                why=f"{why}, {stop.scope}: {stop.reason}" if why else f"{stop.scope}: {stop.reason}",
                by=by[:100],
                at=stop.at or now,
                recorded=now,
            )
            for stop in new
        )
        wider = 0
        for name in sorted(known):
            stop = wanted[name]
            wider += leaving.suppress(name, stop.scope, stop.reason, channel, why=why, by=by).changed
        return made + wider, len(wanted) - made - wider
