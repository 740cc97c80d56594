"""What should be looked at first, and by whom: words, areas, files. Rules suggest; they never close anything."""

from __future__ import annotations

from newsletter.replies.models import Conversation, Message


def look(conversation: Conversation, message: Message) -> None:
    """Apply the rules to a new message of a person."""
