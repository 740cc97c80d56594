"""What an incoming message is: a person, an automatic answer, a bounce, a wish to leave. When in doubt, a person."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.audience import subscribing
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.replies import caps, conversations, signs
from newsletter.replies.identifying import Copy, by_message_id, identify
from newsletter.replies.models import Kind, Raw
from newsletter.replies.storing import storable
from newsletter.sending import settling
from newsletter.sending.models import Delivery, UnsubscribeKey

ROBOT = re.compile(r"^(mailer-daemon|postmaster)(@|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """What became of one message. `kind` "" = kept, but not sorted yet; `reason` is in words."""

    kind: str
    reason: str
    raw_id: int
    conversation_id: int | None = None


def sort(raw: Raw, incoming: Incoming) -> Verdict:
    """Decide and act in one transaction; a message that is already sorted keeps its verdict.

    Raises NewsletterError(lost-key) when tokens cannot be checked.
    """
    config = settings.current()
    keyring = Keyring.load(config.var / "secret.key")
    copy = identify(incoming, raw.recipient, config, keyring)
    ours = by_message_id([incoming.message_id], config, keyring).purpose is not None
    with transaction.atomic():
        # Only the kind: the message itself (up to 50 MB) need not come out of the database once more.
        if Raw.objects.select_for_update().values_list("kind", flat=True).get(pk=raw.pk) != Kind.UNREAD:
            return verdict_of(Raw.objects.defer("data").get(pk=raw.pk))
        raw.delivery = delivery_of(copy)
        kind, reason = kind_of(incoming, copy, raw, ours)
        if kind == Kind.UNSUBSCRIBE:
            kind, reason = leave(copy)
        conversation_id = None
        if kind == Kind.PERSON and (too_many := caps.too_many(raw, incoming)):
            kind, reason = Kind.QUARANTINE, too_many
        elif kind == Kind.PERSON:
            kind, reason, conversation_id = conversations.attach(raw, incoming, copy)
        settle(raw, kind, reason)
        if raw.delivery is not None and not ours:  # what came back had arrived: nobody is uncertain any more
            settling.by_return(raw.delivery.pk, "bounce" if kind in (Kind.BOUNCE, Kind.COMPLAINT) else "reply")
    return Verdict(kind, reason, raw.pk, conversation_id)


def kind_of(incoming: Incoming, copy: Copy, raw: Raw, ours: bool) -> tuple[Kind, str]:
    """The first rule that holds. The order matters: see docs/reference/replies.md."""
    at_bounce_address = copy.purpose is Purpose.BOUNCE
    robot = bool(ROBOT.match(incoming.from_address))
    # The unsubscribe address comes before the automatic signs: Apple's Mail sends its wish to leave as auto-replied.
    if copy.purpose is Purpose.UNSUBSCRIBE or (copy.purpose is Purpose.TEST and "unsubscribe" in copy.address.lower()):
        return Kind.UNSUBSCRIBE, ""
    if ours:
        return Kind.AUTO, "our own mail came back to us"
    report = signs.report(incoming)
    automatic = signs.automatic(incoming)
    if report == "feedback-report":
        return Kind.COMPLAINT, "a complaint report (RFC 5965)"
    if report == "disposition-notification":
        return Kind.AUTO, "a read receipt"
    if report == "delivery-status":
        return Kind.BOUNCE, "a delivery report (RFC 3464)"
    if automatic and not (at_bounce_address and robot):
        return Kind.AUTO, automatic
    if at_bounce_address and (robot or not raw.sender or not wrote_it(raw.delivery, incoming)):
        return Kind.BOUNCE, "sent to the bounce address"
    if incoming.header("return-path").strip() == "<>":
        return Kind.AUTO, "it has no return address"
    fault = signs.unreadable(incoming)
    return (Kind.QUARANTINE, fault) if fault else (Kind.PERSON, "")


def leave(copy: Copy) -> tuple[Kind, str]:
    """Honour a message to the unsubscribe address, whatever is in it; the same wish twice changes nothing."""
    if copy.purpose is Purpose.TEST:
        return Kind.UNSUBSCRIBE, "the address of a test copy: nobody was unsubscribed"
    key = UnsubscribeKey.objects.filter(token=copy.stored).first()
    if key is None:
        return Kind.PERSON, ""  # signed by us, but not in our records (an older backup?): a person must look
    subscribing.leave(key.canonical, key.lists, "mail")
    return Kind.UNSUBSCRIBE, "asked to leave by mail"


def delivery_of(copy: Copy) -> Delivery | None:
    """The delivery that a reply, bounce or Message-ID token names."""
    if copy.purpose not in (Purpose.REPLY, Purpose.BOUNCE, Purpose.MESSAGE_ID):
        return None
    return Delivery.objects.filter(token=copy.stored).first()


def wrote_it(delivery: Delivery | None, incoming: Incoming) -> bool:
    """True when the message comes from the address that the copy was sent to."""
    return delivery is not None and conversations.canonical(incoming.from_address) == delivery.canonical


def quarantine(raw: Raw, reason: str) -> Verdict:
    """Set a message aside that cannot be read; it is shown, with its raw bytes, until a person decides."""
    settle(raw, Kind.QUARANTINE, reason)
    return verdict_of(raw)


def settle(raw: Raw, kind: str, reason: str) -> None:
    """Write the verdict on the raw message."""
    raw.kind, raw.reason, raw.sorted_at = kind, storable(reason, 200), timezone.now()
    raw.save(update_fields=["kind", "reason", "sorted_at", "delivery", "duplicate_of"])


def verdict_of(raw: Raw) -> Verdict:
    """The verdict that a message already has."""
    message = getattr(raw, "message", None)
    return Verdict(raw.kind, raw.reason, raw.pk, message.conversation_id if message else None)
