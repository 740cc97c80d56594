"""Somebody pressed "this is spam": reports of RFC 5965 (ARF), and Hotmail's older shape."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.mail.bounces.parts import Parts
from newsletter.mail.bounces.status import first_address
from newsletter.mail.incoming import Incoming

NO_WISH = ("not-spam", "auth-failure")  # says that it was no spam; tells of a failed seal (RFC 6591): nobody's wish
_WHO = ("original-rcpt-to", "removal-recipient", "original-recipient", "x-hmxmroriginalrecipient")


@dataclass(frozen=True)
class Complained:
    """A complaint: its type (abuse, fraud, virus, opt-out, not-spam, auth-failure, other …), and of whom it is, where
    that is said. Many providers hide the address; then only the returned mail's own token says whose copy it was."""

    feedback: str
    address: str
    how: str


def read(incoming: Incoming, parts: Parts) -> Complained | None:
    """The complaint that this mail is, or None. Raises nothing."""
    fields = parts.feedback[0] if parts.feedback else {}
    if incoming.report_type == "feedback-report" or parts.feedback:
        kind = fields.get("feedback-type", "").partition(";")[0].strip().lower()[:40]
        return Complained(kind or "abuse", _address(fields, parts), "a complaint report (RFC 5965)")
    if parts.of_original("x-hmxmroriginalrecipient"):
        return Complained("abuse", _address(fields, parts), "a complaint report of Hotmail")
    return None


def _address(fields: dict[str, str], parts: Parts) -> str:
    for name in _WHO:
        if found := first_address(fields.get(name, "") or parts.of_original(name)):
            return found
    return first_address(parts.of_original("to"))
