"""Nothing is lost: what was received is the sum of what became of it."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate

from newsletter.replies.models import Kind, Message, Raw

SORTED = [kind for kind in Kind if kind is not Kind.UNREAD]
COUNTED = (*map(str, SORTED), "unread")  # in the order in which they are told


def count() -> dict[str, Any]:
    """How many messages came in, and how many of each kind.

    `adds_up` holds when the kinds sum to what was received, and every message of a person stands in exactly one
    conversation: the second is counted in another table, so that the balance can fail.
    """
    found = dict(Raw.objects.order_by().values_list("kind").annotate(n=Count("id")))
    kinds = {str(kind): found.get(kind, 0) for kind in SORTED}
    unread = found.get(Kind.UNREAD, 0)
    in_conversations = Message.objects.filter(kind=Message.Kind.PERSON).count()
    received = Raw.objects.count()
    return {
        "received": received,
        **kinds,
        "unread": unread,
        "in_conversations": in_conversations,
        "adds_up": received == sum(kinds.values()) + unread and in_conversations == kinds[Kind.PERSON],
    }


def by(what: str) -> list[dict[str, Any]]:
    """The same for each `channel`, or for each `day` (of the site's time zone), the newest first: rows that add up
    to `count`."""
    rows = Raw.objects.order_by()
    rows = rows.annotate(day=TruncDate("received")) if what == "day" else rows
    table: dict[Any, dict[str, Any]] = {}
    for key, kind, number in rows.values_list(what, "kind").annotate(n=Count("id")):
        row = table.setdefault(key, {what: str(key), "received": 0, **dict.fromkeys(COUNTED, 0)})
        row[str(kind) or "unread"] += number
        row["received"] += number
    return [table[key] for key in sorted(table, reverse=what == "day")]
