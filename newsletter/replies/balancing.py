"""Nothing is lost: what was received is the sum of what became of it."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from newsletter.replies.models import Kind, Message, Raw

SORTED = [kind for kind in Kind if kind is not Kind.UNREAD]


def count() -> dict[str, Any]:
    """How many messages came in, and how many of each kind.

    `adds_up` holds when the kinds sum to what was received, and every message of a person stands in exactly one
    conversation, or was erased: the second is counted in another table, so that the balance can fail.
    """
    found = dict(Raw.objects.order_by().values_list("kind").annotate(n=Count("id")))
    kinds = {str(kind): found.get(kind, 0) for kind in SORTED}
    unread = found.get(Kind.UNREAD, 0)
    in_conversations = Message.objects.filter(kind=Message.Kind.PERSON).count()
    gone = Raw.objects.filter(erased__isnull=False)
    erased = gone.filter(kind=Kind.PERSON, message=None).count()  # people's messages whose conversation was erased
    return {
        "received": Raw.objects.count(),
        **kinds,
        "unread": unread,
        "in_conversations": in_conversations,
        "erased": gone.count(),
        "adds_up": Raw.objects.count() == sum(kinds.values()) + unread
        and in_conversations + erased == kinds[Kind.PERSON],
    }
