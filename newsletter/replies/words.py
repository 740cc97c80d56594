"""What a person wrote anew: without the text that we know we sent them, and without what their program quoted."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail import quoting
from newsletter.mail.incoming import Incoming
from newsletter.replies.storing import storable
from newsletter.sending.models import Delivery


@dataclass(frozen=True)
class Words:
    """`new` is what to show first (never empty when `full` is not); `html` is cleaned, "" = show the text."""

    new: str
    full: str
    html: str = ""
    blocked: int = 0  # remote pictures that were taken out of `html`


def of(incoming: Incoming, raw: bytes, delivery: Delivery | None) -> Words:
    """The words of one message; `delivery` is the copy that it answers, where that is known."""
    new = quoting.new_words(incoming.text).strip() or incoming.text.strip()
    return Words(storable(new), storable(incoming.text))
