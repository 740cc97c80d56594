"""What a bounce does: a fact on the delivery, at most one; an address that is gone, or bounces for weeks, gets no more.

The state of the delivery stays as it is: it was accepted, and what came back later is another fact.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.mail.bounces import Recipient
from newsletter.replies import undoing
from newsletter.replies.models import Bounce, Message, Raw
from newsletter.replies.storing import storable
from newsletter.sending import mailings
from newsletter.sending.breaker import Breaker
from newsletter.sending.models import Delivery, Mailing, Notice

Outcome = Bounce.Outcome

# What each bounce of the last months counts towards giving an address up. A mailbox that is full or refuses without
# a reason is often alive again after a holiday; BLOCKED is our matter and never counts against the person.
POINTS = {Outcome.GONE: 2.0, Outcome.FULL: 1.0, Outcome.UNKNOWN: 1.0, Outcome.TRANSIENT: 0.5, Outcome.BLOCKED: 0.0}
ENOUGH = 3.0  # three letters in a row to a full mailbox, or two that say it is gone without a proof
# A monthly letter must be able to add up: with a half-life of 30 days its bounces would never come to more than 2.
HALF_LIFE = timedelta(days=90)
LEAST = timedelta(days=14)  # from the first to the last: three alerts in one day to a mailbox that is full say nothing
SETTLED = timedelta(days=5)  # RFC 5321 4.5.4.1: servers give up after 4 to 5 days; what has not come back arrived
RECENT = timedelta(days=7)


def land(
    raw: Raw,
    delivery: Delivery | None,
    notice: Notice | None,
    canonical: str,
    outcome: str,
    status: str = "",
    words: str = "",
    *,
    proved: bool = False,
) -> Bounce | None:
    """Write the bounce down, in the caller's transaction, and act on it; None when that delivery had one already.

    `canonical` is the address that the mail went to. `proved`: it came to a bounce address whose check holds (or from
    a provider whose signature does); only then one GONE suppresses at once. Everything else is weighed (`score`).
    Reports of delay are not landed at all: the final one follows.
    """
    if outcome not in Outcome.values:
        raise ValueError(outcome)
    if delivery is not None and Bounce.objects.filter(delivery=delivery).exists():
        return None
    if notice is not None and Bounce.objects.filter(notice=notice).exists():
        return None
    bounce = Bounce.objects.create(
        raw=raw,
        delivery=delivery,
        notice=notice,
        canonical=storable(canonical, 320),
        outcome=outcome,
        status=storable(status, 20),
        words=storable(words, 300),
    )
    if canonical:
        _weigh(bounce, proved)
    if delivery is not None:
        wave(delivery.mailing_id)
    return bounce


def _weigh(bounce: Bounce, proved: bool) -> None:
    """Suppress the address where that is due."""
    if bounce.outcome == Outcome.GONE and proved:
        said = f"the address does not exist: {bounce.status} {bounce.words}"
        subscribing.suppress(bounce.canonical, subscribing.ALL, "gone", "mail", why=undoing.mark(bounce.raw_id, said))
        return
    if bounce.outcome == Outcome.BLOCKED or (bounce.delivery is None and bounce.notice is None):
        return  # our own matter; or a bounce of which nothing proves that it is one of ours
    points, first, last = score(bounce.canonical, bounce.delivery)
    if points >= ENOUGH and last - first >= LEAST:
        # Mailings only: an answer to somebody who writes to us is still worth a try.
        said = f"mail kept coming back ({points:.1f} points): {bounce.status} {bounce.words}"
        subscribing.suppress(bounce.canonical, subscribing.BULK, "gone", "mail", why=undoing.mark(bounce.raw_id, said))


def score(canonical: str, delivery: Delivery | None = None) -> tuple[float, datetime, datetime]:
    """(points of this address, its first and last bounce that count). Each bounce halves every 90 days, and counts
    only since the last sign of life: a message from there, or a mail that was taken and has not come back in 5 days."""
    now = timezone.now()
    alive = last_sign_of_life(canonical, delivery)
    # A report that names nothing of ours can be written by anybody about anybody: it is kept, and counts nothing.
    of_ours = Q(delivery__isnull=False) | Q(notice__isnull=False)
    counted = Bounce.objects.filter(of_ours, canonical=canonical).exclude(outcome=Outcome.BLOCKED)
    if alive is not None:
        counted = counted.filter(at__gt=alive)
    rows = list(counted.order_by("at").values_list("outcome", "at"))
    points = sum(POINTS[Outcome(outcome)] * 0.5 ** ((now - at) / HALF_LIFE) for outcome, at in rows)
    return (points, rows[0][1], rows[-1][1]) if rows else (0.0, now, now)


def last_sign_of_life(canonical: str, delivery: Delivery | None = None) -> datetime | None:
    """When somebody last wrote from there, or a mail to it last stayed there; None when never."""
    wrote = Message.objects.filter(conversation__writer=canonical, kind=Message.Kind.PERSON).aggregate(last=Max("at"))
    stayed = None
    if delivery is not None and delivery.subscriber_id is not None:
        taken = Delivery.objects.filter(subscriber_id=delivery.subscriber_id, state=Delivery.State.ACCEPTED)
        settled = taken.filter(bounce__isnull=True, canonical=canonical, changed__lt=timezone.now() - SETTLED)
        stayed = settled.exclude(pk=delivery.pk).aggregate(last=Max("changed"))["last"]
    return max((moment for moment in (wrote["last"], stayed) if moment is not None), default=None)


def wave(mailing_id: int) -> bool:
    """Pause a mailing that is being sent when too much of it comes back as gone, by the breaker's own measure."""
    mailing = Mailing.objects.defer("rendered", "public").filter(pk=mailing_id, state=Mailing.State.SENDING).first()
    if mailing is None or mailing.paused_why:
        return False  # who resumed in spite of it has decided
    from newsletter import settings
    from newsletter.sending import tally

    gone = Bounce.objects.filter(delivery__mailing_id=mailing_id, outcome=Outcome.GONE).count()
    taken = tally.counts(mailing_id).get("accepted", 0)
    breaker = Breaker(settings.current().sending.bounces)
    breaker.accepted, breaker.refused = max(0, taken - gone), gone
    why = breaker.wave("their servers took the mail and sent it back")
    return bool(why) and mailings.pause(mailing, why)


def blocked_lately() -> tuple[int, str]:
    """(how many mails were refused for our sake in the last seven days, the words of the latest): for staff."""
    found = Bounce.objects.filter(outcome=Outcome.BLOCKED, at__gt=timezone.now() - RECENT).order_by("-at")
    latest = found.values_list("status", "words").first()
    return (found.count(), " ".join(filter(None, latest))) if latest else (0, "")


def meant(recipients: tuple[Recipient, ...], canonical: str) -> Recipient | None:
    """The recipient of a report that is about `canonical`.

    A report about another address is one of a mailbox that passes its mail on: what is gone is the place it leads to,
    so it is no more than UNKNOWN. The same local part elsewhere is the same mailbox under its inner name.
    """
    if not recipients:
        return None
    for one in recipients:
        if one.address.lower() == canonical:
            return one
    local = canonical.rpartition("@")[0]
    inner = [one for one in recipients if one.address.lower().rpartition("@")[0] == local]
    return inner[0] if inner else recipients[0]


def passed_on(one: Recipient, canonical: str) -> bool:
    """True when the report is about another mailbox than ours."""
    return one.address.lower().rpartition("@")[0] != canonical.rpartition("@")[0]
