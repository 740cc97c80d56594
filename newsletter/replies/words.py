"""What a person wrote anew: without the text that we know we sent them, and without what their program quoted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from newsletter.mail import html_clean, quoting
from newsletter.mail import incoming as reading
from newsletter.mail.incoming import Incoming
from newsletter.replies.storing import storable
from newsletter.sending import copies
from newsletter.sending.models import Delivery, Notice

log = logging.getLogger(__name__)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Words:
    """`new` is what to show first (never empty when `full` is not); `html` is cleaned, "" = show the text."""

    new: str
    full: str
    html: str = ""
    blocked: int = 0  # remote pictures that were taken out of `html`


def of(incoming: Incoming, raw: bytes, delivery: Delivery | None) -> Words:
    """The words of one message; `delivery` is the copy that it answers, where that is known."""
    # A fault of ours shows more than it should, and never loses a word: the whole text, and no HTML.
    nothing: tuple[str, ...] = ()
    ours = _or_else(nothing, lambda: _sent_apart(incoming, delivery))
    new = _or_else("", lambda: quoting.new_words(incoming.text, ours)).strip() or incoming.text.strip()
    cleaned = _or_else(html_clean.Cleaned(), lambda: html_clean.clean(incoming.html))
    return Words(storable(new), storable(incoming.text), storable(cleaned.html), cleaned.blocked)


def _or_else(instead: Value, step: Callable[[], Value]) -> Value:
    """What `step` gives back; `instead` where it fails."""
    try:
        return step()
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("the new words of a message could not be told; it is shown whole")
        return instead


def _sent_apart(incoming: Incoming, delivery: Delivery | None) -> tuple[str, ...]:
    """This step alone asks the database: within a transaction it has a savepoint, for PostgreSQL refuses all that
    follows a fault."""
    if not connection.in_atomic_block:
        return sent(incoming, delivery)
    with transaction.atomic():
        return sent(incoming, delivery)


def sent(incoming: Incoming, delivery: Delivery | None) -> tuple[str, ...]:
    """What we know to have sent: exactly that copy of the issue, and the single mails of ours that are answered.

    A forged `In-Reply-To` finds nothing, for our identifiers are random; and found text is only left out.
    """
    known = copies.texts(delivery) if delivery else ()
    names = [name for name in (*incoming.in_reply_to, *incoming.references[-3:]) if name][:6]
    if names:
        notices = Notice.objects.filter(message_id__in=names).values_list("data", flat=True)[:3]
        known += tuple(reading.read(bytes(data)).text for data in notices)
    return known
