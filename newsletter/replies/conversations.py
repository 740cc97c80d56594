"""Putting a person's message into the conversation it belongs to, without ever mixing two writers."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from newsletter import settings
from newsletter.mail import addresses, vouching
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Purpose
from newsletter.replies import arriving, clock, confirming, doubles, enclosures, journal, page, states, teams, telling
from newsletter.replies import words as reading
from newsletter.replies.caps import Beside
from newsletter.replies.identifying import Copy, Identified
from newsletter.replies.models import Conversation, Kind, Message, Raw
from newsletter.replies.storing import storable
from newsletter.replies.words import Words
from newsletter.sending import copies
from newsletter.sending.models import Delivery, Notice

MOST_BESIDE = 500  # conversations of one copy that are looked at: a copy that was published may have more


def attach(
    raw: Raw, incoming: Incoming, copy: Copy, known: Beside | None = None, words: Words | None = None
) -> tuple[Kind, str, int]:
    """Add a person's message; gives back the kind (a repeated one is a duplicate), why, and the conversation.

    A conversation belongs to one delivery *and* one writer: a neighbour's forwarded copy may be answered by
    somebody else, and nobody is shown the words of another. `known` is what `beside` said, and `words` what was
    read of it, where that was done before.
    """
    writer = addresses.comparable(incoming.from_address)
    answered = raw.answers = notice_of(raw, incoming, copy)
    if answered is not None and (told := confirming.answered(answered)) is not None:
        raw.delivery, answered, known = told, None, None
    conversation = existing(raw, incoming, copy, writer, answered, beside(raw.delivery) if known is None else known)
    words = words or reading.of(incoming, bytes(raw.data), raw.delivery)
    if conversation is not None:
        again = repeated(conversation, incoming, words.new) or doubles.same_words(
            conversation, raw, incoming, words.new
        )
        if again is not None:
            raw.duplicate_of = again.raw
            if raw.channel == page.CHANNEL:  # the words are known; that it is not safe to call them may be new
                known_one = conversation
                arriving.safely(known_one, "what the page asked", lambda: page.note(known_one, again, incoming))
            return Kind.DUPLICATE, "the same message again", conversation.pk
        go_on(conversation)
        now = timezone.now()
    else:
        now = timezone.now()
        conversation = begin(raw, incoming, copy, writer, answered, now)
    message = Message.objects.create(
        conversation=conversation,
        raw=raw,
        message_id=storable(incoming.message_id, 998),
        from_address=storable(incoming.from_address, 320),
        from_name=storable(incoming.from_name, 200),
        new_words=words.new,
        full_text=words.full,
        at=now,
        html=words.html,
        html_blocked=words.blocked,
        vouched=vouching.vouched(incoming, settings.current().replies.checked_by),
        signed=vouching.signed(incoming),
    )
    if enclosures.may_bring(incoming):
        enclosures.keep(message, bytes(raw.data))
    arriving.arrived(conversation, message, incoming)
    return Kind.PERSON, reason_of(conversation, copy), conversation.pk


def begin(
    raw: Raw, incoming: Incoming, copy: Copy, writer: str, answered: Notice | None, now: datetime
) -> Conversation:
    """A new conversation, linked to the copy it answers where that is proved, and to the person who wrote it.

    Who answers a mail of ours that went to somebody else (an answer that was passed on, a forward) begins one of
    their own beside the other, with what is known of the issue and nothing of the person.
    """
    delivery = raw.delivery
    beside = conversation_of(answered) if answered is not None else None
    if delivery is None and beside is not None:
        delivery = beside.delivery
    wrote_it = delivery is not None and writer == delivery.canonical
    sensitive = delivery is not None and is_sensitive(delivery)
    waiting_since, due = clock.begins(now)
    made = Conversation.objects.create(
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
        language=delivery.language if delivery else "",
        sensitive=sensitive or (beside is not None and beside.sensitive),
        waiting_since=waiting_since,
        due=due,
    )
    if settings.current().teams:
        arriving.safely(made, "the choice of a team", lambda: _to_its_team(made))
    journal.note(made, "came", f"by answering what was sent from {beside.pk}" if beside else "")
    if beside:
        journal.note(beside, "answered-by", f"what was sent from here was answered: conversation {made.pk}")
    if made.team:
        arriving.safely(made, "telling the team", lambda: telling.tell_team(made, made.team))
    return made


def is_sensitive(delivery: Delivery) -> bool:
    """True where the issue was marked so when it was frozen."""
    return copies.frozen(delivery.mailing_id).sensitive


def _to_its_team(made: Conversation) -> None:
    made.team = teams.of(made, settings.current())
    made.save(update_fields=["team"])


def go_on(conversation: Conversation) -> None:
    """One more message of theirs: what was answered, put off or closed is open again, with whoever stands in now."""
    conversation.version += 1
    reopened = states.after(conversation.state, states.Event.WROTE) or states.OPEN
    was, conversation.state = conversation.state, reopened
    conversation.snoozed_until = None
    conversation.save(update_fields=["state", "version", "snoozed_until", "changed"])
    journal.note(conversation, "came", f"and it was {was}" if was != reopened else "")
    takes = teams.present(conversation.assignee) if conversation.assignee else ""
    if takes != conversation.assignee:
        conversation.assignee = takes
        conversation.save(update_fields=["assignee"])
        journal.note(conversation, "assigned", f"to {takes}, who stands in")
        arriving.safely(conversation, "telling a colleague", lambda: telling.tell_colleague(conversation, takes))


def existing(
    raw: Raw, incoming: Incoming, copy: Copy, writer: str, answered: Notice | None, known: Beside
) -> Conversation | None:
    """The conversation that this message goes on with, locked: that of the answer of ours that it answers, else of
    the same delivery and writer; for the unverified, the one whose message is answered. What was merged away leads
    to where it was merged into."""
    pk = after_notice(answered, incoming, writer) if answered else after_copy(raw, incoming, copy, writer, known)
    while pk is not None:
        found = Conversation.objects.select_for_update().get(pk=pk)
        if found.merged_into_id is None:
            return found
        pk = found.merged_into_id
    return None


def after_notice(answered: Notice, incoming: Incoming, writer: str) -> int | None:
    """Where the answer to our answer belongs: back to it, if it comes from whom we wrote to. From anybody else, and
    for a forward, to that writer's own conversation."""
    beside = conversation_of(answered)
    if beside is None or (answered.canonical == writer and answered.kind != Notice.Kind.FORWARD):
        return beside.pk if beside else None
    mine = Conversation.objects.filter(writer=writer)
    if beside.delivery_id is not None:
        return latest(mine.filter(delivery=beside.delivery_id))
    return latest(mine.filter(messages__message_id__in=named(incoming)))


def after_copy(raw: Raw, incoming: Incoming, copy: Copy, writer: str, known: Beside) -> int | None:
    """The conversation of this copy of the issue and this writer. Who says no address goes on only with what they
    wrote themselves: two people may press the button of one copy, and one may be in danger from the other."""
    if raw.delivery is not None and not writer:
        own = Conversation.objects.filter(delivery=raw.delivery, writer="", messages__message_id__in=named(incoming))
        return latest(own)
    if raw.delivery is not None:
        found = next((pk for pk, by in known if by == storable(writer, 320)), None)
        if found is None and len(known) == MOST_BESIDE:
            return latest(Conversation.objects.filter(delivery=raw.delivery, writer=writer))
        return found
    unverified = Conversation.objects.filter(delivery=None, identified=how(raw, copy), writer=writer)
    return latest(unverified.filter(messages__message_id__in=named(incoming)))


def latest(found: QuerySet[Conversation]) -> int | None:
    """The number of the latest of these; the row itself is read when it is locked."""
    return found.order_by("-id").values_list("pk", flat=True).first()


def beside(delivery: Delivery | None) -> Beside:
    """The conversations of one copy of an issue: asked once for each message, by the sorter."""
    if delivery is None:
        return ()
    rows = Conversation.objects.filter(delivery=delivery).order_by("-id").values_list("pk", "writer")
    return list(rows[:MOST_BESIDE])


def named(incoming: Incoming) -> list[str]:
    """Every Message-ID that a message names, its own included."""
    return [name for name in (incoming.message_id, *incoming.in_reply_to, *incoming.references) if name]


def notice_of(raw: Raw, incoming: Incoming, copy: Copy) -> Notice | None:
    """The single mail of ours that is answered: by its token, else by its Message-ID in the references."""
    if raw.answers is not None:
        return raw.answers
    notices = Notice.objects.defer("data")
    # A token names one mail: where it named a delivery, it names no other.
    if raw.delivery is None and copy.purpose in (Purpose.REPLY, Purpose.BOUNCE, Purpose.MESSAGE_ID):
        found = notices.filter(token=copy.stored).first()
        if found is not None:
            return found
    named = [*incoming.in_reply_to, *incoming.references]
    return notices.filter(message_id__in=named).order_by("-id").first() if named else None


def conversation_of(notice: Notice) -> Conversation | None:
    """The conversation from which a mail of ours was sent."""
    message = Message.objects.filter(notice=notice).select_related("conversation__delivery").first()
    return message.conversation if message else None


def repeated(conversation: Conversation, incoming: Incoming, words: str) -> Message | None:
    """The message that this one repeats: same Message-ID and same words.

    A client that uses one Message-ID for two different messages exists; losing the second would be worse.
    """
    if not incoming.message_id:
        return None
    same = conversation.messages.filter(message_id=storable(incoming.message_id, 998), new_words=words)
    files = len(incoming.attachments)  # a picture sent again and another one look alike here: better twice than never
    return next((one for one in same[:20] if one.attachments.count() == files), None)


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
