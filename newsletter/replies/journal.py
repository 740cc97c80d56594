"""The log of the desk: who did what with a conversation, and when. Lines are only ever added, never changed."""

from __future__ import annotations

from newsletter.replies.models import Conversation, DeskEntry
from newsletter.sending.logbook import OURSELVES, user

__all__ = ["OURSELVES", "note", "since", "user"]
# What stands between two looks and is no reason to look again.
SILENT = ("seen",)


def note(conversation: Conversation, what: str, words: str = "", by: str = OURSELVES) -> None:
    """Add a line, in the transaction that does what it tells of; never with the words of the person who wrote."""
    DeskEntry.objects.create(
        conversation=conversation, what=what, words=words[:400], by=by[:100], version=conversation.version
    )


def since(conversation: Conversation, version: int) -> list[DeskEntry]:
    """What happened after a version of the conversation, oldest first."""
    found = DeskEntry.objects.filter(conversation=conversation, version__gt=version)
    return list(found.exclude(what__in=SILENT).order_by("id"))
