"""How much one address, or one unknown writer, may send in a day. What is beyond is kept and shown, never lost.

A token proves only that somebody holds a copy of that mail, and copies are forwarded and published.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from newsletter.mail.incoming import Incoming
from newsletter.replies.conversations import canonical
from newsletter.replies.models import Message, Raw
from newsletter.replies.storing import storable

# Nobody writes 50 mails in a day; a whole street that answers one forwarded copy might come near.
MOST_A_DAY = 50


def too_many(raw: Raw, incoming: Incoming) -> str:
    """Why this message is set aside for a person to look at, or "". Its words are kept, but disturb nobody."""
    since = timezone.now() - timedelta(days=1)
    if raw.delivery_id is not None:
        came = Raw.objects.filter(delivery_id=raw.delivery_id, received__gte=since).exclude(pk=raw.pk)
        return over(came[:MOST_A_DAY].count(), "to this address")
    writer = storable(canonical(incoming.from_address), 320)
    wrote = Message.objects.filter(
        conversation__delivery=None, conversation__writer=writer, at__gte=since, kind=Message.Kind.PERSON
    )
    return over(wrote[:MOST_A_DAY].count(), "of a writer who is not verified")


def over(count: int, what: str) -> str:
    """The reason in words, where `count` others are enough."""
    return f"more than {MOST_A_DAY} messages {what} in one day" if count >= MOST_A_DAY else ""
