"""How much one address, or one unknown writer, may send in a day. What is beyond is kept and shown, never lost.

A token proves only that somebody holds a copy of that mail, and copies are forwarded and published.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from newsletter.mail.addresses import comparable
from newsletter.mail.incoming import Incoming
from newsletter.replies.models import Message, Raw
from newsletter.replies.storing import storable

Beside = Sequence[tuple[int, str]]  # (number, writer) of the conversations of one copy, the latest first

# Nobody writes 50 mails in a day; a whole street that answers one forwarded copy might come near.
MOST_A_DAY = 50
# Nobody who writes on the page must say who they are, so all of them are one writer here: what holds for one address
# would hide the fifty-first. A road after an incident is some 300; more is a program, and then staff see it at once.
MOST_UNNAMED = 500


def too_many(raw: Raw, incoming: Incoming, known: Beside) -> str:
    """Why this message is set aside for a person to look at, or "". Its words are kept, but disturb nobody.

    Only what people wrote counts: a mailbox that answers by itself fifty times must not silence its owner. The person
    that the copy went to is counted alone: whoever else holds it cannot use up what they may write. `known` are the
    conversations of that copy already.
    """
    since = timezone.now() - timedelta(days=1)
    writer = storable(comparable(incoming.from_address), 320)
    wrote = Message.objects.filter(kind=Message.Kind.PERSON, at__gte=since)
    if raw.delivery is None:
        own = wrote.filter(conversation__delivery=None, conversation__writer=writer)
        if not writer:
            return over(own, "without an address", MOST_UNNAMED)
        return over(own, "of a writer who is not verified", MOST_A_DAY)
    owner = raw.delivery.canonical
    foreign = writer not in ("", owner)
    counted = [pk for pk, by in known if (by not in ("", owner) if foreign else by == writer)]
    if not counted:  # nearly always; and where hundreds come in at once, one question less is felt
        return ""
    own = wrote.filter(conversation__in=counted)
    return over(own, "to this address", MOST_A_DAY) if writer else over(own, "without an address", MOST_UNNAMED)


def over(found: QuerySet[Message], what: str, most: int) -> str:
    """The reason in words, where there are so many others already."""
    return f"more than {most} messages {what} in one day" if len(found.values_list("pk")[:most]) >= most else ""
