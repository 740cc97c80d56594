"""Addresses that a mail server refused for good while we sent: they get no more, as after a bounce that says the same.

What came back later is weighed by `newsletter.replies.bounces`; this is for the answers that came at once, in the
talk itself, so nobody can have forged them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from newsletter.audience import subscribing
from newsletter.audience.models import ConsentEvent
from newsletter.mail.bounces.outcomes import STATUS, Outcome, outcome
from newsletter.sending import tally
from newsletter.sending.models import Delivery, Mailing

# As for what comes back (replies.bounces): refusals in a row that do not say "gone", and from the first to the last.
ENOUGH = 3
LEAST = timedelta(days=14)
BATCH = 500
COUNTED = (Outcome.FULL, Outcome.UNKNOWN)  # BLOCKED is our own matter, TRANSIENT time's


def give_up(mailing: Mailing) -> int:
    """Suppress whoever was refused for good in this mailing; returns how many are new on the never-mail list.

    To be called when nobody waits any more, and harmless when called again: whom staff have allowed since is left
    alone. Where more were refused as dead than were accepted, nobody is: then the relay itself is ill.
    """
    counts = tally.counts(mailing.pk)
    if not counts[Delivery.State.FAILED]:
        return 0
    dead: list[subscribing.Stop] = []
    again: list[subscribing.Stop] = []
    for row in _refused(mailing):
        meant = _meant(row.reply_text)
        if meant is Outcome.GONE:
            dead.append(subscribing.Stop(row.canonical, subscribing.ALL, "gone"))
        elif meant in COUNTED and _again_and_again(row):
            again.append(subscribing.Stop(row.canonical, subscribing.BULK, "gone"))
    if len(dead) > counts[Delivery.State.ACCEPTED]:
        return 0
    done = _suppress(dead, f"the mail server said that the address does not exist, when {mailing.slug} was sent")
    return done + _suppress(again, f"refused {ENOUGH} times in a row, the last time when {mailing.slug} was sent")


def _refused(mailing: Mailing) -> Iterator[Delivery]:
    """Those whom a server refused, and whom nobody has allowed since."""
    allowed = ConsentEvent.objects.filter(
        canonical=OuterRef("canonical"), event="lifted", recorded__gte=OuterRef("changed")
    )
    rows: QuerySet[Delivery] = mailing.rows().filter(
        ~Exists(allowed), state=Delivery.State.FAILED, reply_code__gte=500, subscriber__isnull=False
    )
    return rows.select_related("subscriber").only("canonical", "reply_text", "subscriber").iterator(BATCH)


def _meant(said: str) -> Outcome:
    status = STATUS.match(said)
    return outcome(status[0] if status else "", said)


def _again_and_again(row: Delivery) -> bool:
    """True when this person's last mailings were all refused, over so many days."""
    mine = Delivery.objects.filter(subscriber=row.subscriber, canonical=row.canonical)
    alive = mine.filter(state=Delivery.State.ACCEPTED).aggregate(last=Max("changed"))["last"]
    since = Q(changed__gt=alive) if alive else Q()
    refused = list(
        mine.filter(since, state=Delivery.State.FAILED, reply_code__gte=500).values_list("reply_text", "changed")
    )
    moments = [changed for said, changed in refused if _meant(said) in COUNTED]
    return len(moments) >= ENOUGH and max(moments) - min(moments) >= LEAST


def _suppress(stops: list[subscribing.Stop], why: str) -> int:
    batches = (stops[start : start + BATCH] for start in range(0, len(stops), BATCH))
    return sum(subscribing.suppress_all(batch, "mail", why=why)[0] for batch in batches)
