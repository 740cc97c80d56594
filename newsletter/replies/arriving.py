"""What happens when a person's message has found its conversation: the clock, the look-at-first rules, the thanks.

Each step is in a module of its own and works inside the transaction that stored the message.
"""

from __future__ import annotations

from newsletter.mail.incoming import Incoming
from newsletter.replies import acknowledging, clock, page, rules
from newsletter.replies.models import Conversation, Message


def arrived(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Called once for every message of a person, after it was stored; never for automatic mail or duplicates."""
    page.note(conversation, message, incoming)
    if conversation.state == Conversation.State.SPAM:  # junk is kept, and sets nothing going
        return
    clock.start(conversation, message)
    rules.look(conversation, message)
    acknowledging.consider(conversation, message, incoming)
