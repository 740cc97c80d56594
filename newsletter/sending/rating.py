"""Useful or not: one answer for each copy, and the counts of a mailing."""

from __future__ import annotations

from django.db.models import Count

from newsletter.audience import quickly
from newsletter.sending.models import Delivery, Mailing, Rating
from newsletter.sending.store import whole


def keep(delivery: Delivery, useful: bool) -> None:
    """Count it, or change what was counted. Nothing of the person is kept but the token of the copy."""
    with whole():
        Rating.objects.update_or_create(
            token=bytes(delivery.token), defaults={"mailing_id": delivery.mailing_id, "useful": useful}
        )


def of(delivery: Delivery) -> bool | None:
    """What was said about this copy; None when nothing was."""
    found = quickly.first(Rating, "token = %s", [bytes(delivery.token)])
    return found.useful if found else None


def counts(mailing: Mailing) -> dict[str, int]:
    """{"useful": …, "not_useful": …}."""
    found = dict(Rating.objects.filter(mailing=mailing).values_list("useful").annotate(Count("pk")).order_by())
    return {"useful": found.get(True, 0), "not_useful": found.get(False, 0)}
