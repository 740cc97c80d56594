"""The time in which an answer is promised: 72 hours, or working hours with holidays."""

from __future__ import annotations

from newsletter.replies.models import Conversation, Message


def start(conversation: Conversation, message: Message) -> None:
    """A person has written: the clock runs from their oldest message without an answer."""
