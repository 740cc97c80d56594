"""What happens when a person's message has found its conversation: the clock, the look-at-first rules, the thanks.

Each step is in a module of its own and works inside the transaction that stored the message; but a fault in one of
them never costs the words: it is undone alone, and the log of the conversation says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, transaction

from newsletter import settings
from newsletter.mail.incoming import Incoming
from newsletter.replies import acknowledging, clock, journal, page, rules
from newsletter.replies.models import Conversation, Message

log = logging.getLogger(__name__)


def arrived(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Called once for every message of a person, after it was stored; never for automatic mail or duplicates."""
    if message.raw is not None and message.raw.channel == page.CHANNEL:
        safely(conversation, "what the page asked", lambda: page.note(conversation, message, incoming))
    # Junk is looked through, too: somebody in danger may once have been taken for it.
    config = settings.current()
    look = rules.are_on(config)
    if look and not safely(conversation, "the look-at-first rules", lambda: rules.look(conversation, message)):
        # What could not be screened is a person's to look at: nobody may wait because of a fault of ours.
        conversation.look_first = conversation.look_first or NOT_SCREENED
        conversation.save(update_fields=["look_first", "changed"])
    if conversation.state == Conversation.State.SPAM:  # else junk is kept, and sets nothing going
        return
    if not clock.runs(conversation):  # each step costs two round trips to the database, also where nothing is to do
        safely(conversation, "the clock", lambda: clock.start(conversation, message))
    if acknowledging.is_on(message, config):
        safely(conversation, "the thanks", lambda: acknowledging.consider(conversation, message, incoming))


NOT_SCREENED = "not screened: the rules could not be applied"


def safely(conversation: Conversation, what: str, step: Callable[[], object]) -> bool:
    """Do one step in a savepoint; False when it failed by a fault that says nothing about the message.

    A locked database is for everything to be tried again, the message included.
    """
    try:
        with transaction.atomic():
            step()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("conversation %s: %s failed; the message is kept", conversation.pk, what)
        journal.note(conversation, "failed", f"{what}: {type(error).__name__}")
        return False
    return True
