"""How many mails a relay has taken on a day, in all and for each provider: what daily limits and warm-up count by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from newsletter.sending.models import RelayDay

_ADD = (
    "INSERT INTO sending_relayday (relay, provider, day, sent) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (relay, provider, day) DO UPDATE SET sent = sending_relayday.sent + EXCLUDED.sent"
)


def today() -> date:
    """The day that limits are counted by, everywhere: UTC."""
    return datetime.now(UTC).date()


def day_used(relay: str, day: date | None = None) -> dict[str, int]:
    """Provider → mails that the relay has taken on `day` (today); the sum stands under ""."""
    rows = RelayDay.objects.filter(relay=relay, day=day or today())
    return dict(rows.values_list("provider", "sent"))


def add(cursor: Any, relay: str, people: Mapping[str, int], day: date) -> None:
    """Count mails (provider → how many, from 1 on) in the caller's transaction, and their sum.

    Sorted, so that two processes cannot wait for each other crosswise.
    """
    sums = {"": sum(people.values()), **people}
    for provider, sent in sorted(sums.items()):
        if sent:
            cursor.execute(_ADD, [relay, provider, day, sent])
