"""When a form was shown, signed: who fills one in within two seconds is a program, and no puzzle was needed to tell."""

from __future__ import annotations

import hmac
import time

from newsletter.mail.tokens import Keyring

QUICKEST = 2.0  # seconds; a person whose browser fills everything in needs three to find the button
OLDEST = 24 * 3600.0  # seconds; a page left open for a day is shown anew
_USE = "form"


def stamp(keyring: Keyring, now: float | None = None) -> str:
    """The hidden field of a form that is shown now."""
    shown = str(int((time.time() if now is None else now) * 10))  # tenths of a second
    return f"{shown}.{keyring.sign(_USE, shown.encode())[:32]}"


def is_fair(keyring: Keyring, field: str, now: float | None = None) -> bool:
    """True when this form was shown by us, long enough ago to be read, and not longer than a day."""
    shown, _, mac = field.partition(".")
    if not (shown.isascii() and shown.isdigit() and len(shown) < 14 and mac.isascii()):
        return False
    if not any(hmac.compare_digest(one[:32], mac) for one in keyring.signatures(_USE)(shown.encode())):
        return False
    age = (time.time() if now is None else now) - int(shown) / 10
    return QUICKEST <= age <= OLDEST
