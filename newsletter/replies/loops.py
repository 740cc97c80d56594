"""Mail of ours that comes back to us, again and again: somebody's mailbox sends it on to the address it answers."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from newsletter.replies.models import Kind, Raw

DETAIL = "loop"  # of automatic mail: see mail.sorting
ENOUGH = 5  # in a day; one forwarding mailbox sends back each of our mails once, a loop does not stop at one
NEWEST = 1_000  # messages that are looked through: the list of replies asks this each time


def lately() -> int:
    """How many mails of the last day were our own that came back, where they are enough to speak of; else 0."""
    newest = Raw.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    recent = Raw.objects.filter(pk__gt=newest - NEWEST, received__gt=timezone.now() - timedelta(days=1))
    found = recent.filter(kind=Kind.AUTO, detail=DETAIL).count()
    return found if found >= ENOUGH else 0
