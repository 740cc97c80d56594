"""What was written on the reply page, beside the words: a name, a phone number, whether it is safe to write or call."""

from __future__ import annotations

from newsletter.mail.incoming import Incoming
from newsletter.replies.models import Conversation, Message
from newsletter.replies.storing import storable

CHANNEL = "page"
SAFE = ("yes", "no")


def note(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Keep what the page asked, in the transaction that stores the message. The same lines in a mail mean nothing:
    anybody can write them."""
    if message.raw is None or message.raw.channel != CHANNEL:
        return
    said = {name: storable(incoming.header(f"x-page-{name}")) for name in ("name", "phone", "write", "call")}
    if said["name"]:
        message.from_name = said["name"][:200]
        message.save(update_fields=["from_name"])
        conversation.from_name = conversation.from_name or said["name"][:200]
    conversation.phone = said["phone"][:60] or conversation.phone
    conversation.language = conversation.language or storable(incoming.header("x-page-language"), 35)
    if said["write"] in SAFE:
        conversation.safe_to_write = said["write"]
    if said["call"] in SAFE:
        conversation.safe_to_phone = said["call"]
    conversation.save(update_fields=["from_name", "phone", "language", "safe_to_write", "safe_to_phone", "changed"])
