"""A second opinion on bounces whose recipients we cannot find: flufl.bounce, which knows thirty kinds of servers."""

from __future__ import annotations

from email import message_from_bytes

from newsletter.mail.bounces.outcomes import Outcome, outcome
from newsletter.mail.bounces.status import MOST_RECIPIENTS, Recipient

MOST_BYTES = 100_000  # it tries thirty sets of patterns on every line


def opinion(raw: bytes, notice: str) -> list[Recipient]:
    """The recipients that flufl.bounce finds; [] where it finds none, is not installed, or fails.

    It raises on ordinary mail (IndexError without a From, AttributeError on raw 8-bit ones), and calls every failure
    permanent. So it is asked last, never about what is no bounce, and only whom the mail was for, never the outcome.
    """
    if len(raw) > MOST_BYTES:
        return []
    try:
        from flufl.bounce import all_failures

        temporary, permanent = all_failures(message_from_bytes(raw))
        names = [one.decode("utf-8", "replace") for one in [*permanent, *temporary] if one]
    except Exception:
        return []
    soft = {one.decode("utf-8", "replace") for one in temporary - permanent if one}
    found = []
    for name in dict.fromkeys(names[:MOST_RECIPIENTS]):
        result = outcome("", notice)
        found.append(Recipient(name, Outcome.TRANSIENT if name in soft and result is Outcome.UNKNOWN else result))
    return found
