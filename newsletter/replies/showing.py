"""What staff see of the replies, as plain values: the list of who waits, and one conversation in full."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from newsletter import settings
from newsletter.audience import never
from newsletter.audience.models import Area, Subscriber, Subscription
from newsletter.config import Config
from newsletter.files import write_atomically
from newsletter.problems import Problem
from newsletter.replies import clock as deadline
from newsletter.replies import enclosures, recipients
from newsletter.replies.models import Attachment, Conversation, DeskEntry, Kind, Message, Raw
from newsletter.sending import copies

State = Conversation.State
WAITS = (State.NEW, State.OPEN)


def set_aside() -> list[dict[str, Any]]:
    """What could not be read, for a person to look at: the raw message is kept."""
    rows = Raw.objects.filter(kind=Kind.QUARANTINE).order_by("id")
    return [raw_facts(row) for row in rows.defer("data")]


def conversation(number: int) -> dict[str, Any] | None:
    """One conversation with every message in it, oldest first; None when there is none of this number.

    What was merged into it is part of it; each message says whose it is and, for ours, what became of it.
    """
    found = with_facts().filter(pk=number).first()
    if found is None:
        return None
    rows = (
        Message.objects.filter(conversation__in=recipients.family(found))
        .select_related("raw", "notice")
        .prefetch_related("attachments")
    )
    messages = [
        {
            "id": message.pk,
            "conversation": message.conversation_id,
            "kind": message.kind,
            "by": message.by,
            "to": message.to_address,
            "at": message.at,
            "from": {"name": message.from_name, "address": message.from_address},
            "message_id": message.message_id,
            "vouched": message.vouched,
            "signed": message.signed,
            "new_words": message.new_words,
            "full_text": message.full_text,
            "quoted_hidden": message.full_text.split() != message.new_words.split(),
            "html": message.html,
            "html_blocked": message.html_blocked,
            "files": [file_facts(file) for file in message.attachments.all()],
            "raw": message.raw_id,
            "reason": message.raw.reason if message.raw else "",
            "sent": message.notice.state if message.notice else None,
            "trouble": message.trouble,
        }
        for message in rows.defer("raw__data", "notice__data").order_by("at", "id")
    ]
    config = settings.current()
    theirs = [message for message in messages if message["kind"] == Message.Kind.PERSON]
    return {
        **summary(config, found, timezone.now()),
        "first_words": " ".join(str(theirs[-1]["new_words"]).split())[:200] if theirs else "",
        "tags": list(found.tags.order_by("word").values_list("word", flat=True)),
        "merged_into": found.merged_into_id,
        "phone": found.phone or None,
        "safe_to_write": found.safe_to_write or None,
        "safe_to_phone": found.safe_to_phone or None,
        "left": has_left(found.subscriber),
        "stopped": stopped(found.subscriber),
        "earlier": earlier(found),
        "messages": messages,
    }


def earlier(found: Conversation) -> list[dict[str, Any]]:
    """Other conversations of the same writer, the latest first; nothing of anybody else's."""
    if not found.writer:
        return []
    rows = Conversation.objects.filter(writer=found.writer, merged_into=None).exclude(pk=found.pk)
    columns = rows.order_by("-id").values_list("id", "created", "subject", "state", "mailing__slug")[:10]
    return [dict(zip(("id", "created", "subject", "state", "issue"), row, strict=True)) for row in columns]


def log(number: int) -> list[dict[str, Any]]:
    """What was done with a conversation and what was merged into it, oldest first."""
    found = Conversation.objects.get(pk=number)
    rows = DeskEntry.objects.filter(conversation__in=recipients.family(found)).order_by("id")
    return [dict(row) for row in rows.values("at", "by", "what", "words", "conversation", "version")]


def file_facts(file: Attachment) -> dict[str, Any]:
    """What is known of a file that came along; its bytes are written out by `enclosures.save`."""
    return {
        "id": file.pk,
        "name": file.name,
        "type": file.content_type,
        "size": file.size,
        "sha256": file.sha256,
        "refused": file.refused,
    }


def save_files(number: int, folder: Path) -> tuple[list[Path], list[Problem]]:
    """Copies of every file of one conversation, in `folder`, under safe names; and those that could not be written."""
    kept = Attachment.objects.filter(message__conversation=number, refused="").order_by("message__at", "id")
    return enclosures.save(kept, folder)


def has_left(person: Subscriber | None) -> str:
    """`12 Nov 2026 10:15` when the person is on no list any more, so that nobody writes to them as a subscriber."""
    if person is None or person.subscriptions.filter(state=Subscription.State.CONFIRMED).exists():
        return ""
    last = person.subscriptions.filter(state=Subscription.State.LEFT).order_by("-changed").first()
    return clock(last.changed) if last else ""


def stopped(person: Subscriber | None) -> dict[str, str] | None:
    """Why no mailing may go to them, and since when: who left everything at once may still stand on a list."""
    stop = never.found(person.canonical) if person else None
    return {"scope": stop.scope, "reason": stop.reason, "since": clock(stop.at)} if stop else None


def summary(config: Config, row: Conversation, now: datetime) -> dict[str, Any]:
    """The facts of one conversation that list and show share."""
    person = row.subscriber
    stage = deadline.stage(row.waiting_since, row.due, now, config) if row.state in WAITS else deadline.Stage.NONE
    return {
        "id": row.pk,
        "reference": row.reference,
        "version": row.version,
        "state": row.state,
        "issue": row.mailing.slug if row.mailing else None,
        "subject": row.subject,
        "from": {"name": row.from_name, "address": row.from_address},
        "person": {"id": person.pk, "name": person.name, "address": person.address, "area": area(person.attributes)}
        if person
        else None,
        "verified": row.verified,
        "identified": row.identified,
        "someone_else": row.someone_else,
        "via": row.delivery.address if row.delivery and row.someone_else else None,
        "who": who(row),
        "created": row.created,
        "age_seconds": int((now - row.created).total_seconds()),
        "team": row.team or None,
        "assignee": row.assignee or None,
        "look_first": row.look_first or None,
        "held": row.held,
        "sensitive": row.sensitive,
        "waiting_since": row.waiting_since,
        "due": row.due,
        "stage": str(stage),
        "clock": deadline.words(row.due, stage, now),
        "snoozed_until": row.snoozed_until,
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
    if not isinstance(areas, list):
        return str(areas)
    titles = dict(Area.objects.filter(key__in=areas).values_list("key", "title"))
    return ", ".join(titles.get(str(one), str(one)) for one in areas)


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


def save_copy(number: int) -> Path | None:
    """Write exactly the mail that the answered copy was to var/copies/, for our eyes only; None where it is not known.

    Byte for byte what was sent to the address on the delivery, also where somebody else wrote.
    """
    found = Conversation.objects.filter(pk=number).exclude(delivery=None).first()
    if found is None or found.delivery is None:
        return None
    folder = settings.current().var / "copies"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{number}.eml"
    write_atomically(path, copies.as_sent(found.delivery), mode=0o600)
    return path


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
    return found.defer("mailing__rendered", "mailing__public", "mailing__settings", "delivery__values")
