"""What a proved call does: mail goes through the one door, bounces and complaints become facts on the delivery."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.mail.bounces.outcomes import Outcome, outcome
from newsletter.replies import bounces, complaints, intake, sorting
from newsletter.replies.hooks.calls import Letter, Told
from newsletter.replies.models import Kind, Raw
from newsletter.replies.storing import storable
from newsletter.sending import finding, settling
from newsletter.sending.models import Delivery

CHANNEL = "webhook"
RECENT = timedelta(days=30)  # a provider reports within hours; after that the latest mail is not the one it means


def land(config: Config, key: str, told: Letter | Told) -> bool:
    """Take in one thing; False when this event was known already."""
    source = storable(f"{key}:{told.event}", 200) if told.event else ""
    if source and Raw.objects.filter(channel=CHANNEL, source=source).exists():
        return False
    if isinstance(told, Letter):
        return _letter(told, source)
    return _fact(config, told, source)


def _letter(letter: Letter, source: str) -> bool:
    if not letter.unreadable:
        return intake.accept(letter.raw, letter.recipient, letter.sender, CHANNEL, source).kind != Kind.DUPLICATE
    stored = intake.store(letter.raw, letter.recipient, letter.sender, CHANNEL, source)
    if stored.kind == Kind.UNREAD:
        sorting.quarantine(stored, letter.unreadable)
    return stored.kind != Kind.DUPLICATE


def _fact(config: Config, told: Told, source: str) -> bool:
    """Keep what was said and land it, in one transaction: nothing of it is ever read as a mail."""
    try:
        canonical = addresses.canonical(told.address)
    except ValueError:
        canonical = ""
    sha256 = hashlib.sha256(told.body).hexdigest()
    delivery = delivery_of(config, told, canonical)
    intake.to_the_disk(True)
    try:
        with transaction.atomic(durable=not connection.in_atomic_block):
            if Raw.objects.filter(sha256=sha256, recipient=canonical, channel=CHANNEL).exists():
                return False
            raw = Raw.objects.create(
                sha256=sha256,
                recipient=canonical,
                channel=CHANNEL,
                source=source,
                data=told.body,
                size=len(told.body),
                kind=Kind.COMPLAINT if told.kind == "complaint" else Kind.BOUNCE,
                delivery=delivery,
            )
            about = delivery.canonical if delivery is not None else canonical
            if told.kind == "complaint":
                complaints.land(raw, delivery, about, told.feedback or "abuse")
                sorting.settle(raw, Kind.COMPLAINT, "a complaint that the provider reported")
            else:
                found = judged(told)
                bounces.land(raw, delivery, None, about, found.value, told.status, told.words, proved=True)
                sorting.settle(raw, Kind.BOUNCE, f"the provider reported that it came back: {found.value}")
            if delivery is not None:
                settling.by_return(delivery.pk, "bounce")
    finally:
        intake.to_the_disk(False)
    return True


def judged(told: Told) -> Outcome:
    """What a bounce means: the other server's own words first; the provider's word where they say nothing."""
    found = outcome(told.status, told.words)
    if found is not Outcome.UNKNOWN:
        return found
    if told.ours:
        return Outcome.BLOCKED
    return Outcome.GONE if told.permanent else Outcome.TRANSIENT


def delivery_of(config: Config, told: Told, canonical: str) -> Delivery | None:
    """The delivery that is meant: by a Message-ID of ours or the relay's own, else the latest to that address."""
    for name in told.names:
        found = finding.delivery_of(name) or finding.by_remote_id(config, re.sub(r"@.*|[<>]", "", name))
        if found is not None and found.canonical == canonical:
            return found
    taken = (Delivery.State.ACCEPTED, Delivery.State.UNCERTAIN)
    latest = Delivery.objects.filter(canonical=canonical, state__in=taken, changed__gt=timezone.now() - RECENT)
    return latest.order_by("-changed", "-id").first() if canonical else None
