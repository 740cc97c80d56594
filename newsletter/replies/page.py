"""What was written on the reply page, beside the words: a name, a phone number, whether it is safe to write or call."""

from __future__ import annotations

from newsletter.mail.incoming import Incoming
from newsletter.replies import journal
from newsletter.replies.models import Conversation, Message
from newsletter.replies.storing import storable

CHANNEL = "page"
SAFE = ("yes", "no")


def note(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Keep what the page asked, in the transaction that stores the message. Only for what came through the page: the
    same lines in a mail mean nothing, for anybody can write them."""
    said = {name: storable(incoming.header(f"x-page-{name}")) for name in ("name", "phone", "write", "call")}
    if incoming.header("x-page-trap"):  # some people's programs fill in every field, so it decides nothing
        journal.note(conversation, "odd", "a field that people do not see was filled in: perhaps a program")
    if said["name"]:
        message.from_name = said["name"][:200]
        message.save(update_fields=["from_name"])
        conversation.from_name = conversation.from_name or said["name"][:200]
    conversation.phone = said["phone"][:60] or conversation.phone
    conversation.language = conversation.language or storable(incoming.header("x-page-language"), 35)
    conversation.safe_to_write = safety(conversation.safe_to_write, said["write"])
    conversation.safe_to_phone = safety(conversation.safe_to_phone, said["call"])
    conversation.save(update_fields=["from_name", "phone", "language", "safe_to_write", "safe_to_phone", "changed"])


def safety(before: str, now: str) -> str:
    """What holds after one more answer. A "no" is never taken back by a "yes": whoever watches the mailbox can press
    the button, too. Then nobody can be sure, and a colleague decides."""
    if now not in SAFE:
        return before
    return "unsure" if now == "yes" and before in ("no", "unsure") else now
