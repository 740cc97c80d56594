"""The automatic thanks (RFC 3834): at most one a day and issue, never to a machine, and never a loop."""

from __future__ import annotations

from newsletter.mail.incoming import Incoming
from newsletter.replies.models import Conversation, Message


def consider(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Queue an acknowledgement of this message where one is due."""


def reference_only(conversation: Conversation, address: str, language: str) -> None:
    """The mail that was ticked on the page: the reference number and nothing else (a watched mailbox)."""
