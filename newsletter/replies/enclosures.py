"""The files that come with a message: kept by their hash outside the web, typed by their first bytes."""

from __future__ import annotations

from newsletter.replies.models import Message


def keep(message: Message, raw: bytes) -> None:
    """Store the files of one message, in the transaction that stored the message."""
