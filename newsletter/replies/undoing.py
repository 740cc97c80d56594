"""What one incoming message did to a person's records, marked so that exactly that can be taken back."""

from __future__ import annotations

from newsletter.audience import subscribing
from newsletter.audience.models import ConsentEvent, Suppression
from newsletter.replies.models import Raw


def mark(raw_id: int, words: str) -> str:
    """The reason kept with a change, beginning with the message that caused it."""
    return f"incoming message {raw_id}: {' '.join(words.split())}"[:500]


def suppression(raw: Raw, by: str) -> str:
    """Lift what this very message suppressed; the address it was, or "". A wider or later suppression stays."""
    caused = f"incoming message {raw.pk}:"
    event = ConsentEvent.objects.filter(event="suppressed", why__startswith=caused).order_by("-id").first()
    if event is None:
        return ""
    later = ConsentEvent.objects.filter(canonical=event.canonical, list_key="", id__gt=event.pk)
    if later.filter(event__in=("suppressed", "lifted")).exists():
        return ""
    if not Suppression.objects.filter(canonical=event.canonical).exists():
        return ""
    subscribing.lift(event.canonical, "staff", f"{by}: message {raw.pk} was sorted wrongly")
    return event.canonical


def leaving(raw: Raw, by: str) -> str:
    """Put back the lists that this very message left; the address it was, or ""."""
    caused = f"incoming message {raw.pk}:"
    events = list(ConsentEvent.objects.filter(event="left", why__startswith=caused).order_by("id"))
    if not events:
        return ""
    lists = [event.list_key for event in events if event.list_key]
    subscribing.rejoin(events[0].canonical, lists, "staff", why=f"{by}: message {raw.pk} was sorted wrongly")
    return events[0].canonical
