"""The same words through both doors: a person who pressed the button and also pressed reply is heard once."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from newsletter.mail.incoming import Incoming
from newsletter.replies.models import Conversation, Message, Raw
from newsletter.replies.page import CHANNEL

WINDOW = timedelta(minutes=10)  # longer apart, the same words are a reminder


def same_words(conversation: Conversation, raw: Raw, incoming: Incoming, words: str) -> Message | None:
    """The message of this conversation that `raw` repeats through the other door, page or mail; None for most."""
    if incoming.attachments:  # a picture under the same words is something new
        return None
    wanted = squeezed(words)
    recent = conversation.messages.filter(kind=Message.Kind.PERSON, at__gte=timezone.now() - WINDOW)
    for message in recent.select_related("raw").defer("raw__data").order_by("-id")[:20]:
        other = message.raw is not None and (message.raw.channel == CHANNEL) != (raw.channel == CHANNEL)
        if wanted and other and squeezed(message.new_words) == wanted:
            return message
    return None


def squeezed(words: str) -> str:
    """The words alone: mail programs break lines where the page does not."""
    return " ".join(words.split()).casefold()
