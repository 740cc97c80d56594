"""What an incoming message is, and what follows: the pure rules of `mail.sorting`, with what our records know."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.config import Config
from newsletter.mail import addresses, signs
from newsletter.mail import sorting as rules
from newsletter.mail.incoming import Incoming
from newsletter.mail.sorting import Facts, Sorted
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.replies import acting, caps, conversations, page, reading
from newsletter.replies import words as reading_words
from newsletter.replies.identifying import Copy, by_message_id, identify, returned, token_in
from newsletter.replies.models import Kind, Raw
from newsletter.replies.storing import storable
from newsletter.replies.words import Words
from newsletter.sending import settling
from newsletter.sending.models import Delivery, Notice

# What a token leads to: purposes that name a delivery or a single mail of ours.
NAMES_A_MAIL = (Purpose.REPLY, Purpose.BOUNCE, Purpose.MESSAGE_ID)
ENVELOPES = ("lmtp", "catcher", "webhook")  # channels that always know the envelope sender: "" means <> there
FROM_PEOPLE = (rules.Kind.PERSON, rules.Kind.ASK, rules.Kind.UNSUBSCRIBE)
WRITTEN = Sorted(rules.Kind.PERSON, "written on our page")  # what somebody typed there has no machine's signs in it


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
    delivery, notice = mail_of(copy)
    facts = facts_of(raw, incoming, copy, delivery, notice, config, keyring)
    # Not while a transaction is held: it may take seconds.
    found = WRITTEN if raw.channel == page.CHANNEL else read_again(raw, incoming, facts)
    words = reading_words.of(incoming, bytes(raw.data), delivery) if found.kind in FROM_PEOPLE else None
    with transaction.atomic():
        # Only the kind: the message itself (up to 50 MB) need not come out of the database once more.
        if Raw.objects.select_for_update().values_list("kind", flat=True).get(pk=raw.pk) != Kind.UNREAD:
            return verdict_of(Raw.objects.defer("data").get(pk=raw.pk))
        raw.delivery, raw.answers, raw.detail = delivery, notice, found.detail
        kind, reason, conversation_id = settled(raw, incoming, copy, found, config, keyring, words)
        settle(raw, kind, reason)
        # What came back had arrived: nobody is uncertain. What is accepted stays so, and need not be asked for again.
        if raw.delivery is not None and found.detail != "loop" and raw.delivery.state != Delivery.State.ACCEPTED:
            settling.by_return(raw.delivery.pk, "bounce" if kind in (Kind.BOUNCE, Kind.COMPLAINT) else "reply")
    return Verdict(kind, reason, raw.pk, conversation_id)


def read_again(raw: Raw, incoming: Incoming, facts: Facts) -> Sorted:
    """The rules' verdict, from the child; where the rules themselves give up, a person looks."""
    try:
        found: Sorted = reading.run("sort", bytes(raw.data), read=incoming, facts=facts)
    except reading.Unreadable as error:
        return Sorted(rules.Kind.PERSON, f"sorting it {error}", detail="unreadable")
    return found


def settled(
    raw: Raw,
    incoming: Incoming,
    copy: Copy,
    found: Sorted,
    config: Config,
    keyring: Keyring,
    words: Words | None = None,
) -> tuple[Kind, str, int | None]:
    """Act on a verdict: (kind as kept, why, conversation). A wish that our records cannot follow is a person's."""
    if found.kind in (rules.Kind.BOUNCE, rules.Kind.COMPLAINT) and raw.delivery is None and raw.answers is None:
        about = returned(bytes(raw.data), config, keyring)
        raw.delivery, raw.answers = mail_of(about)
    done = ""
    match found.kind:
        case rules.Kind.BOUNCE:
            acting.bounced(raw, found, proved=copy.purpose is Purpose.BOUNCE)
            return Kind.BOUNCE, found.reason, None
        case rules.Kind.COMPLAINT:
            acting.complained(raw, found)
            return Kind.COMPLAINT, found.reason, None
        case rules.Kind.AUTO:
            acting.came_back(copy, raw)
            return Kind.AUTO, found.reason, acting.folded(raw, incoming)
        case rules.Kind.QUARANTINE:
            return Kind.QUARANTINE, found.reason, None
        case rules.Kind.UNSUBSCRIBE:
            done = acting.left(raw, incoming, copy)
            if done and found.detail != rules.MORE:
                return Kind.UNSUBSCRIBE, done, None
    known = conversations.beside(raw.delivery)
    if too_many := caps.too_many(raw, incoming, known):
        return Kind.QUARANTINE, too_many, None
    kind, reason, conversation_id = conversations.attach(raw, incoming, copy, known, words)
    if found.detail == rules.MORE and done:
        reason = f"{reason}; {done}, and wrote more than that"
    elif kind == Kind.PERSON and found.kind in (rules.Kind.ASK, rules.Kind.UNSUBSCRIBE):
        acting.suggest_leaving(conversation_id)
        raw.detail = "asks-to-leave"
    elif found.detail == "unreadable":
        reason = f"{reason}; {found.reason}"
    elif fault := next((signs.FAULTS[one] for one in incoming.faults if one in signs.FAULTS), ""):
        reason = f"{reason}; {fault}: more than these words stands in the whole message"
    return kind, reason, conversation_id


def facts_of(
    raw: Raw,
    incoming: Incoming,
    copy: Copy,
    delivery: Delivery | None,
    notice: Notice | None,
    config: Config,
    keyring: Keyring,
) -> Facts:
    """What our records know about a message, for the rules."""
    to = (delivery or notice).canonical if delivery or notice else ""  # type: ignore[union-attr]
    own_id = by_message_id([incoming.message_id], config, keyring).purpose is not None
    own_from = token_in(incoming.from_address, config)
    canary = notice is not None and notice.kind == Notice.Kind.CANARY
    return Facts(
        purpose=copy.purpose,
        ours=own_id or canary or bool(own_from and keyring.read(own_from)),
        recipient_wrote_it=bool(to) and addresses.comparable(incoming.from_address) == to,
        no_sender=not raw.sender and (raw.channel in ENVELOPES or copy.purpose is Purpose.BOUNCE),
        recipient=raw.recipient,
        test=copy.purpose is Purpose.TEST and "unsubscribe" in copy.address.lower(),
    )


def mail_of(copy: Copy) -> tuple[Delivery | None, Notice | None]:
    """The mail of ours that a token names: a delivery of a mailing, else a single mail (an answer of ours)."""
    if copy.purpose not in NAMES_A_MAIL:
        return None, None
    delivery = next(iter(Delivery.objects.filter(token=copy.stored)[:1]), None)  # first() would sort, too
    if delivery is not None:
        return delivery, None
    return None, Notice.objects.defer("data").filter(token=copy.stored).first()


def quarantine(raw: Raw, reason: str) -> Verdict:
    """Set a message aside that cannot be read; it is shown, with its raw bytes, until a person decides."""
    settle(raw, Kind.QUARANTINE, reason)
    return verdict_of(raw)


def settle(raw: Raw, kind: str, reason: str) -> None:
    """Write the verdict on the raw message."""
    raw.kind, raw.reason, raw.sorted_at = kind, storable(reason, 200), timezone.now()
    raw.save(update_fields=["kind", "detail", "reason", "sorted_at", "delivery", "answers", "duplicate_of"])


def verdict_of(raw: Raw) -> Verdict:
    """The verdict that a message already has."""
    message = getattr(raw, "message", None)
    return Verdict(raw.kind, raw.reason, raw.pk, message.conversation_id if message else None)
