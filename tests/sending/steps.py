"""One row at a time through the outbox, as tests tell a story."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.utils import timezone

from newsletter.sending.models import Delivery, Tally
from newsletter.sending.outbox import Leased, Outbox, Result


def begin(outbox: Outbox, *rows: Leased) -> bool:
    """True when all these bodies may start now."""
    begun, _ = outbox.write(rows, ())
    return begun == {row.id for row in rows}


def settle(outbox: Outbox, row: Leased, state: str, *, begun: bool = True, **more: Any) -> bool:
    """True when this result was kept."""
    _, kept = outbox.write((), [Result(row=row, state=state, begun=begun, **more)])
    return kept == {row.id}


def put(state: str, *canonical: str) -> None:
    """Put these people (or everybody) into a state by hand, with what the state needs, and the tally anew."""
    rows = Delivery.objects.filter(canonical__in=canonical) if canonical else Delivery.objects.all()
    now = timezone.now()
    rows.update(
        state=state,
        proof="answer" if state == "accepted" else "",
        reply_code=250 if state == "accepted" else None,
        due=now if state == "deferred" else None,
        leased_until=now if state in ("leased", "inflight") else None,
    )
    Tally.objects.all().delete()
    for mailing, found, people in rows.model.objects.values_list("mailing", "state").annotate(n=Count("pk")).order_by():
        Tally.objects.create(mailing_id=mailing, worker="", state=found, people=people)
