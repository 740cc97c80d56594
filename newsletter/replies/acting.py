"""What follows from a verdict that is not simply "a person": facts, wishes to leave, and mail kept folded."""

from __future__ import annotations

from newsletter.audience import subscribing
from newsletter.mail import addresses
from newsletter.mail.bounces import Outcome
from newsletter.mail.incoming import Incoming
from newsletter.mail.sorting import Sorted
from newsletter.mail.tokens import Purpose
from newsletter.replies import bounces, canary, complaints, confirming, undoing
from newsletter.replies import words as reading
from newsletter.replies.identifying import Copy
from newsletter.replies.models import Conversation, DeskEntry, Message, Raw, Tag
from newsletter.replies.storing import storable
from newsletter.sending import finding

ASKS = "asks to leave"  # the tag of a conversation whose writer may want to leave


def bounced(raw: Raw, found: Sorted, *, proved: bool) -> None:
    """Land the bounce of the delivery or single mail that it is about; of an unknown mail each address by itself.

    A report of delay lands nothing: the server still tries, and its final report follows.
    """
    about = raw.delivery or raw.answers
    if about is None:
        for each in found.recipients:
            if not each.delayed:
                address = addresses.comparable(each.address)
                bounces.land(raw, None, None, address, each.outcome, each.status, each.words)
        return
    one = bounces.meant(found.recipients, about.canonical)
    if one is not None and one.delayed:
        raw.detail = "delayed"
        return
    outcome, status, said = (one.outcome, one.status, one.words) if one else (Outcome.UNKNOWN, "", found.reason)
    if one is not None and outcome is Outcome.GONE and bounces.passed_on(one, about.canonical):
        outcome, said = Outcome.UNKNOWN, f"their mailbox passes its mail on to another, which is gone: {said}"
    bounces.land(raw, raw.delivery, raw.answers, about.canonical, outcome, status, said, proved=proved)


def complained(raw: Raw, found: Sorted) -> None:
    """Land the complaint; the address is that of the delivery it is about, never only what the report claims."""
    told = found.complaint
    claimed = addresses.comparable(told.address) if told and told.address else ""
    address = raw.delivery.canonical if raw.delivery else claimed
    complaints.land(raw, raw.delivery, address, told.feedback if told else "abuse")


def came_back(copy: Copy, raw: Raw) -> None:
    """Tell the canary that a mail to ourselves is back."""
    if canary.came_back(copy):
        raw.detail = "canary"


def folded(raw: Raw, incoming: Incoming) -> int | None:
    """Keep automatic mail in the conversation that is there already, without opening it again; its number, or None.

    Only in the conversation of the same writer: an absence notice of somebody else's mailbox is not shown in theirs.
    """
    if raw.detail in ("loop", "canary", "delivered"):
        return None
    writer = addresses.comparable(incoming.from_address)
    known = None
    if raw.delivery is not None:
        known = Conversation.objects.filter(delivery=raw.delivery, writer=writer).order_by("-id").first()
    elif raw.answers is not None:
        sent = Message.objects.filter(notice=raw.answers).select_related("conversation").first()
        known = sent.conversation if sent and sent.conversation.writer == writer else None
    if known is None:
        return None
    words = reading.of(incoming, bytes(raw.data), raw.delivery)
    Message.objects.create(
        conversation=known,
        kind=Message.Kind.AUTO,
        raw=raw,
        message_id=storable(incoming.message_id, 998),
        from_address=storable(incoming.from_address, 320),
        from_name=storable(incoming.from_name, 200),
        new_words=words.new,
        full_text=words.full,
    )
    if raw.detail == "moved":
        said = "an automatic answer speaks of another address, or says that they have left"
        DeskEntry.objects.create(conversation=known, by="newsletter", what="proposed", words=said)
    return known.pk


def left(raw: Raw, incoming: Incoming, copy: Copy) -> str:
    """Honour a wish to leave; why it counts, in words, or "" when a person must look at it.

    The unsubscribe address: whatever is in it. In words: only with a valid reply token, and only for the address that
    this copy went to: whoever answers a copy that was passed on takes nobody else off.
    """
    if copy.purpose is Purpose.TEST and "unsubscribe" in copy.address.lower():
        return "the address of a test copy: nobody was unsubscribed"
    if copy.purpose is Purpose.UNSUBSCRIBE:
        key = finding.unsubscribe_key(copy.stored)
        if key is None:
            return ""  # signed by us, but not in our records (an older backup?): a person must look
        subscribing.leave(key.canonical, key.lists, "mail", why=undoing.mark(raw.pk, "sent to the unsubscribe address"))
        return "asked to leave by mail"
    delivery = raw.delivery
    if delivery is None or copy.purpose is not Purpose.REPLY:
        return ""
    if addresses.comparable(incoming.from_address) != delivery.canonical:
        return ""
    why = undoing.mark(raw.pk, f"their whole reply asked for it: {incoming.subject[:80]}")
    subscribing.leave(delivery.canonical, delivery.lists, "mail", why=why)
    confirming.confirm(delivery, incoming)
    return "asked to leave in words: the whole reply is a command"


def suggest_leaving(conversation_id: int | None) -> None:
    """Mark a conversation whose writer may want to leave; one press of a colleague does it."""
    if conversation_id is not None:
        Tag.objects.get_or_create(conversation_id=conversation_id, word=ASKS)
