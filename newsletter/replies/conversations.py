"""Putting a person's message into the conversation it belongs to, without ever mixing two writers."""

from __future__ import annotations

from newsletter.mail import addresses
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Purpose
from newsletter.replies import arriving, enclosures
from newsletter.replies import words as reading
from newsletter.replies.identifying import Copy, Identified
from newsletter.replies.models import Conversation, Kind, Message, Raw
from newsletter.replies.storing import storable

State = Conversation.State


def attach(raw: Raw, incoming: Incoming, copy: Copy) -> tuple[Kind, str, int]:
    """Add a person's message; gives back the kind (a repeated one is a duplicate), why, and the conversation.

    A conversation belongs to one delivery *and* one writer: a neighbour's forwarded copy may be answered by
    somebody else, and nobody is shown the words of another.
    """
    writer = canonical(incoming.from_address)
    conversation = existing(raw, incoming, copy, writer)
    words = reading.of(incoming, bytes(raw.data), raw.delivery)
    if conversation is not None:
        again = repeated(conversation, incoming, words.new)
        if again is not None:
            raw.duplicate_of = again.raw
            return Kind.DUPLICATE, "the same message again", conversation.pk
        if conversation.state in (State.WAITING, State.CLOSED):
            conversation.state = State.OPEN
        conversation.save(update_fields=["state", "changed"])
    else:
        conversation = begin(raw, incoming, copy, writer)
    message = Message.objects.create(
        conversation=conversation,
        raw=raw,
        message_id=storable(incoming.message_id, 998),
        from_address=storable(incoming.from_address, 320),
        from_name=storable(incoming.from_name, 200),
        new_words=words.new,
        full_text=words.full,
        html=words.html,
        html_blocked=words.blocked,
    )
    enclosures.keep(message, bytes(raw.data))
    arriving.arrived(conversation, message, incoming)
    return Kind.PERSON, reason_of(conversation, copy), conversation.pk


def begin(raw: Raw, incoming: Incoming, copy: Copy, writer: str) -> Conversation:
    """A new conversation, linked to the copy it answers where that is proved, and to the person who wrote it."""
    delivery = raw.delivery
    wrote_it = delivery is not None and writer == delivery.canonical
    return Conversation.objects.create(
        mailing_id=delivery.mailing_id if delivery else None,  # by number: the mailing itself is 200 KB of JSON
        delivery=delivery,
        subscriber_id=delivery.subscriber_id if delivery and wrote_it else None,
        verified=delivery is not None and copy.how is not Identified.ADDRESS,  # anybody can write a From
        identified=how(raw, copy),
        someone_else=delivery is not None and not wrote_it,
        writer=storable(writer, 320),
        subject=storable(incoming.subject, 400),
        from_address=storable(incoming.from_address, 320),
        from_name=storable(incoming.from_name, 200),
    )


def existing(raw: Raw, incoming: Incoming, copy: Copy, writer: str) -> Conversation | None:
    """The conversation of the same delivery and writer; for the unverified, the one whose message is answered."""
    if raw.delivery is not None:
        return Conversation.objects.filter(delivery=raw.delivery, writer=writer).order_by("-id").first()
    known = [incoming.message_id, *incoming.in_reply_to, *incoming.references]
    unverified = Conversation.objects.filter(delivery=None, identified=how(raw, copy), writer=writer)
    return unverified.filter(messages__message_id__in=[name for name in known if name]).order_by("-id").first()


def repeated(conversation: Conversation, incoming: Incoming, words: str) -> Message | None:
    """The message that this one repeats: same Message-ID and same words.

    A client that uses one Message-ID for two different messages exists; losing the second would be worse.
    """
    if not incoming.message_id:
        return None
    return conversation.messages.filter(message_id=storable(incoming.message_id, 998), new_words=words).first()


def how(raw: Raw, copy: Copy) -> Identified:
    """How the copy was found out, as kept on the conversation."""
    if copy.purpose is Purpose.TEST:
        return Identified.TEST
    return copy.how if raw.delivery is not None else Identified.NOBODY


def reason_of(conversation: Conversation, copy: Copy) -> str:
    """Why this message stands where it stands, in words."""
    delivery = conversation.delivery
    if copy.purpose is Purpose.TEST:
        return "answers a test copy"
    if delivery is None:
        return "sender not verified: the reply address was not made by us" if copy.forged else "sender not verified"
    if copy.how is Identified.ADDRESS:
        return "matched by address: the latest issue that went there"
    if conversation.someone_else:
        return f"from someone else, via {delivery.address}"
    return f"answers the copy sent to {delivery.address}"


def canonical(address: str) -> str:
    """The address for comparing; what is no address at all is compared as it stands, in small letters."""
    try:
        return addresses.canonical(address)
    except ValueError:
        return address.strip().lower()
