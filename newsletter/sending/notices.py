"""Single mails of ours: answers, acknowledgements, notices to staff. Queued with their bytes, each carried once.

The same care as for a mailing: the start of a mail is durable before its text can leave, a result is written only by
the attempt that made it, and whatever a crash left open is *uncertain*, never sent again by itself; what waits in a
restored copy of the database may have left after it was made, and is held back until `newsletter recover`. Notices to
staff and canaries are the exception: they rather come twice than not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Case, Q, QuerySet, When
from django.utils import timezone

from newsletter.audience import never
from newsletter.audience.models import Suppression
from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.problems import NewsletterError
from newsletter.sending import carrier, epoch, verdicts
from newsletter.sending.models import Delivery, Notice
from newsletter.sending.transports.connection import Connection

State, Kind = Notice.State, Notice.Kind
REPEATED = (Kind.STAFF, Kind.CANARY)  # at least once
CRASHED = timedelta(minutes=20)  # longer than all time-outs of one mail together: whoever began it is gone
GIVE_UP = timedelta(hours=72)

log = logging.getLogger(__name__)


def queue(
    kind: str,
    address: str,
    data: bytes,
    *,
    sender: str = "",
    token: bytes | None = None,
    message_id: str = "",
    once: str | None = None,
) -> Notice:
    """Put one finished mail into the queue, in the caller's transaction; `deliver` carries it afterwards.

    `data` is the whole mail (CRLF), `sender` the envelope sender ("" = `<>`), `token` the stored id in its reply and
    bounce addresses. The same `once` again gives back the notice that is there already. An address whose suppression
    says `all` (gone, erased) gets nothing, and the notice says so. Raises ValueError for what is no address.
    """
    canonical = addresses.canonical(address)
    if once is not None and (known := Notice.objects.filter(once=once).first()):
        return known
    dead = _dead(canonical)
    return Notice.objects.create(
        kind=kind,
        address=address,
        canonical=canonical,
        data=data,
        sender=sender,
        token=token,
        message_id=message_id,
        once=once,
        state=State.SUPPRESSED if dead else State.PENDING,
        reason=f"never written to: {dead.reason}" if dead else "",
    )


def deliver(config: Config, only: Sequence[int] | None = None) -> int:
    """Carry every notice that is due (or those of `only`); gives back how many were accepted.

    Never raises for what servers and networks do. Several processes at once are harmless: each row is taken by one.
    """
    recover()
    due = Notice.objects.filter(Q(state=State.PENDING) | Q(state=State.DEFERRED, due__lte=timezone.now()))
    if only is not None:
        due = due.filter(pk__in=list(only))
    if not due.exists():
        return 0
    # A copy of the database from before these mails is told from this one, and so is one that is made in the middle.
    if restored := _marked(config):
        due = due.exclude(doubted(restored))
    # A colleague who is told of somebody in danger, and an answer to them, never stand behind 1,000 thank-yous.
    last = Case(When(kind=Kind.ACKNOWLEDGEMENT, then=1), default=0)
    numbers = list(due.order_by(last, "id").values_list("pk", flat=True)[:1000])
    if not numbers:
        return 0
    accepted = 0
    with carrier.opened(config) as way:
        link = way.factory()
        try:
            for number in numbers:
                accepted += _carry(link, number)
        finally:
            link.close()
            _marked(config)
    return accepted


def _marked(config: Config) -> datetime | None:
    """As epoch.mark_single; where var/ cannot be written, a call for help is sent all the same."""
    try:
        return epoch.mark_single(config)
    except NewsletterError as error:
        if error.problems[0].code != "cannot-write":
            raise
        log.error("single mails are sent, though a restored copy could not be told by them: %s", error)
        return None


def doubted(until: datetime) -> Q:
    """In a restored copy: what was queued before that moment may have left; the exceptions may come twice."""
    return Q(created__lte=until) & ~Q(kind__in=REPEATED)


def held_back(until: datetime) -> QuerySet[Notice]:
    """What of it waits."""
    return Notice.objects.filter(doubted(until), state__in=(State.PENDING, State.DEFERRED))


def recover() -> int:
    """What a crash left in flight: uncertain, or queued again where twice is better than never."""
    cut_off = timezone.now() - CRASHED
    left = Notice.objects.filter(state=State.INFLIGHT, changed__lt=cut_off)
    again = left.filter(kind__in=REPEATED).update(state=State.PENDING, changed=timezone.now())
    why = "it was being sent when the program ended"
    return again + left.exclude(kind__in=REPEATED).update(state=State.UNCERTAIN, reason=why, changed=timezone.now())


def _dead(canonical: str) -> Suppression | None:
    """Why nothing at all may go there. What stops mailings only does not stop what a person asked us for."""
    stop = never.found(canonical)
    return stop if stop and stop.scope == Suppression.Scope.ALL else None


class _Lost(Exception):
    """Somebody else took the row after us: it is theirs to send."""


def _carry(link: Connection, number: int) -> int:
    """One notice over the connection; 1 when it was accepted."""
    row = Notice.objects.filter(pk=number).first()
    now = timezone.now()
    if row is None or row.state not in (State.PENDING, State.DEFERRED) or (row.due is not None and row.due > now):
        return 0  # somebody else was quicker, or it was erased
    attempt = row.attempt + 1
    mine = Notice.objects.filter(pk=number, attempt=attempt)
    taken = Notice.objects.filter(pk=number, attempt=row.attempt, state__in=(State.PENDING, State.DEFERRED))
    dead = _dead(row.canonical)
    if dead:  # gone or erased since it was queued
        taken.update(state=State.SUPPRESSED, reason=f"never written to: {dead.reason}", attempt=attempt, changed=now)
        return 0

    def begin() -> None:
        began = timezone.now()
        with _to_the_disk():
            if not mine.filter(state__in=(State.PENDING, State.DEFERRED)).update(state=State.INFLIGHT, changed=began):
                raise _Lost

    if not taken.update(attempt=attempt, changed=now):
        return 0
    try:
        outcome = link.send(row.sender, row.address, bytes(row.data), begin)
    except _Lost:
        return 0  # nothing of the text has left
    verdict = verdicts.judge(outcome, row.tries)
    now = timezone.now()
    facts = {"reason": verdict.reason, "reply_code": getattr(outcome, "code", None), "changed": now}
    facts["remote_id"] = getattr(outcome, "remote_id", "")[:200]
    state: str = verdict.state
    if state == Delivery.State.PENDING or (state == Delivery.State.DEFERRED and verdict.wait is None):
        state, facts["due"] = State.DEFERRED, now + verdicts.delay(row.tries)
    elif state == Delivery.State.DEFERRED and verdict.wait is not None:
        facts["due"] = now + verdict.wait
    if state == State.DEFERRED and now - row.created > GIVE_UP:
        state, facts["due"] = State.FAILED, None
    mine.update(state=state, tries=row.tries + (state == State.DEFERRED), **facts)
    return int(state == State.ACCEPTED)


@contextmanager
def _to_the_disk() -> Iterator[None]:
    """SQLite: wait for the disk, so that a mail that has begun to leave is known after a power cut, too."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            cursor.execute("PRAGMA synchronous=NORMAL")
