"""Reading a stored message, so that a hostile one cannot harm the next."""

from __future__ import annotations

from newsletter.mail import incoming
from newsletter.mail.incoming import Incoming


def read(raw: bytes) -> Incoming:
    """The message as values. The caps on parts, depth and headers are those of mail.incoming."""
    return incoming.read(raw)
