"""What staff see of the replies, as plain values: the list of who waits, and one conversation in full."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from newsletter import settings
from newsletter.audience.models import Subscriber, Subscription
from newsletter.files import write_atomically
from newsletter.replies.models import Conversation, Kind, Message, Raw

State = Conversation.State
WAITS = (State.NEW, State.OPEN)


def waiting(everything: bool = False) -> list[dict[str, Any]]:
    """The conversations that need an answer, oldest first; with `everything` also those that do not."""
    found = with_facts().order_by("created", "id")
    if not everything:
        found = found.filter(state__in=WAITS)
    return [summary(one) for one in found.prefetch_related(messages_in_order("full_text")).iterator(chunk_size=500)]


def set_aside() -> list[dict[str, Any]]:
    """What could not be read, for a person to look at: the raw message is kept."""
    rows = Raw.objects.filter(kind=Kind.QUARANTINE).order_by("id")
    return [raw_facts(row) for row in rows.defer("data")]


def conversation(number: int) -> dict[str, Any] | None:
    """One conversation with every message in it, oldest first; None when there is none of this number."""
    found = with_facts().prefetch_related(messages_in_order()).filter(pk=number).first()
    if found is None:
        return None
    messages = [
        {
            "at": message.at,
            "from": {"name": message.from_name, "address": message.from_address},
            "message_id": message.message_id,
            "new_words": message.new_words,
            "full_text": message.full_text,
            "raw": message.raw_id,
            "reason": message.raw.reason if message.raw else "",
        }
        for message in found.messages.all()
    ]
    return {**summary(found), "left": has_left(found.subscriber), "messages": messages}


def has_left(person: Subscriber | None) -> str:
    """`12 Nov 2026 10:15` when the person is on no list any more, so that nobody writes to them as a subscriber."""
    if person is None or person.subscriptions.filter(state=Subscription.State.CONFIRMED).exists():
        return ""
    last = person.subscriptions.filter(state=Subscription.State.LEFT).order_by("-changed").first()
    return clock(last.changed) if last else ""


def summary(found: Conversation) -> dict[str, Any]:
    """The facts of one conversation that list and show share."""
    messages = list(found.messages.all())
    latest = messages[-1] if messages else None
    person = found.subscriber
    return {
        "id": found.pk,
        "state": found.state,
        "issue": found.mailing.slug if found.mailing else None,
        "subject": found.subject,
        "from": {"name": found.from_name, "address": found.from_address},
        "person": {"id": person.pk, "name": person.name, "address": person.address, "area": area(person.attributes)}
        if person
        else None,
        "verified": found.verified,
        "identified": found.identified,
        "someone_else": found.someone_else,
        "via": found.delivery.address if found.delivery and found.someone_else else None,
        "who": who(found),
        "created": found.created,
        "age_seconds": int((timezone.now() - found.created).total_seconds()),
        "first_words": " ".join(latest.new_words.split())[:200] if latest else "",
        "messages": len(messages),
    }


def who(found: Conversation) -> str:
    """How sure we are of the writer, in words that promise no more than is known."""
    if found.identified == Conversation.Identified.TEST:
        return "An answer to a test copy"
    if found.identified == Conversation.Identified.ADDRESS:
        return "Matched by address: they get our messages, but nothing shows that they wrote this"
    if not found.verified:
        return "Sender not verified: nothing shows that this answers a message of ours"
    if found.someone_else:
        copy = f"the copy sent to {found.delivery.address}" if found.delivery else "a copy sent to somebody"
        return f"From someone else, via {copy}. It may have been forwarded: do not show them that person's details"
    sure = {"token": "reply address", "quoted": "copy they quoted"}.get(found.identified, "message it answers")
    return f"The {sure} is theirs, and the sender's address matches"


def area(attributes: dict[str, Any]) -> str:
    """Where the person lives, as far as we know: their areas, else a field that is called so."""
    areas = attributes.get("areas") or attributes.get("area") or attributes.get("ward") or ""
    return ", ".join(map(str, areas)) if isinstance(areas, list) else str(areas)


def raw_facts(row: Raw) -> dict[str, Any]:
    """What is known of a message that could not be read."""
    return {
        "id": f"q{row.pk}",
        "received": row.received,
        "sender": row.sender,
        "recipient": row.recipient,
        "size": row.size,
        "reason": row.reason,
    }


def save_raw(numbers: Iterable[int]) -> list[Path]:
    """Write the raw messages of these numbers to `var/raw/<number>.eml`, for your eyes only (0600)."""
    paths = []
    for row in Raw.objects.filter(pk__in=list(numbers)).order_by("id"):
        path = settings.current().var / "raw" / f"{row.pk}.eml"
        write_atomically(path, bytes(row.data), mode=0o600)
        paths.append(path)
    return paths


def age(since: datetime, now: datetime | None = None) -> str:
    """`5 min`, `3 hours`, `2 days`: how long somebody has been waiting."""
    minutes = int(((now or timezone.now()) - since).total_seconds() // 60)
    for size, one, many in ((1440, "day", "days"), (60, "hour", "hours")):
        if minutes >= size:
            return f"{minutes // size} {one if minutes // size == 1 else many}"
    return f"{minutes} min" if minutes > 0 else "just now"


def clock(at: datetime) -> str:
    """`24 Nov 2026 11:42`, in the site's time zone."""
    return f"{timezone.localtime(at):%d %b %Y %H:%M}"


def with_facts() -> QuerySet[Conversation]:
    """Conversations with their issue, delivery and person; without the frozen renderings, 200 KB each."""
    found = Conversation.objects.select_related("mailing", "delivery", "subscriber")
    return found.defer("mailing__rendered", "mailing__public", "delivery__values")


def messages_in_order(*unwanted: str) -> Prefetch[Any]:
    """The messages of conversations, oldest first, without the raw bytes and the columns named."""
    found = Message.objects.select_related("raw").defer("raw__data", *unwanted)
    return Prefetch("messages", found.order_by("at", "id"))
