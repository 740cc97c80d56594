"""Taking a person out of the ledger: who it was goes, the numbers stay, so that every law of it goes on holding."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from newsletter.audience import never
from newsletter.audience.erasing import spellings
from newsletter.mail.tokens import new_id
from newsletter.sending.models import Delivery, Notice, Rating, UnsubscribeKey


def count(names: Sequence[str]) -> dict[str, int]:
    """What an erasure would touch here, in rows."""
    return {
        "deliveries": Delivery.objects.filter(canonical__in=names).count(),
        "unsubscribe_keys": UnsubscribeKey.objects.filter(canonical__in=names).count(),
    }


def erase(names: Sequence[str]) -> None:
    """Rows of these addresses keep their mailing, state, times and random token; address, name, values and what a
    server said are gone. In the caller's transaction.

    They get the keyed hash in place of the address: who still waits is held back as suppressed by the same comparison
    as everybody (`gone_since`), nobody stands in a mailing twice, and an old unsubscribe link finds its person
    suppressed already. `changed` stays: L4 compares it.
    """
    with transaction.atomic():
        for name in names:
            hashed = never.hashed(name)
            # Theirs also where the address that it went to is somebody else's by now.
            rows = Delivery.objects.filter(Q(canonical=name) | Q(subscriber__canonical=name))
            for rating in Rating.objects.filter(token__in=rows.values("token")):  # the count stays, whose it was goes
                Rating.objects.filter(pk=rating.pk).update(token=new_id())
            rows.update(
                canonical=hashed,
                address=hashed,
                name="",
                language="",
                values={},
                reason="",
                reply_text="",
                remote_id="",
                subscriber=None,
            )
            UnsubscribeKey.objects.filter(canonical=name).update(canonical=hashed)
            # Staff were told something about them; the mail itself is on its way or gone.
            Notice.objects.filter(canonical=name, message=None).exclude(kind=Notice.Kind.STAFF).delete()
        for name in spellings(names):
            Notice.objects.filter(reason__icontains=name).update(reason="")
