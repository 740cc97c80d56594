"""When a mailing is due: its time, the moment in which it can be taken back, and what happens when it is too late."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, Sum
from django.utils import timezone

from newsletter.content import when
from newsletter.sending import logbook, mailings
from newsletter.sending.models import Delivery, Mailing, Tally
from newsletter.sending.store import whole

WAITING = (Delivery.State.PENDING, Delivery.State.LEASED, Delivery.State.INFLIGHT)
LATER = (Delivery.State.DEFERRED, Delivery.State.UNCERTAIN)
AT_LEAST = timedelta(minutes=1)  # `stale = 0`: a worker looks every second, and a busy computer is not late


def plan(mailing: Mailing, *, send_at: datetime | None = None, begins: datetime | None = None) -> None:
    """Nobody is sent it before these moments; to be called in the transaction that approves."""
    Mailing.objects.filter(pk=mailing.pk).update(send_at=send_at, begins=begins)
    mailing.refresh_from_db()


def move(mailing: Mailing, send_at: datetime | None, begins: datetime | None = None) -> bool:
    """Another time for one that has not begun. True when it was still in time."""
    moved = Mailing.objects.filter(pk=mailing.pk, state=Mailing.State.APPROVED).update(send_at=send_at, begins=begins)
    mailing.refresh_from_db()
    return bool(moved)


def scheduled(mailing: Mailing, now: datetime) -> bool:
    """Approved, and its time is still to come."""
    return mailing.state == Mailing.State.APPROVED and mailing.send_at is not None and mailing.send_at > now


def due(now: datetime) -> list[Mailing]:
    """The mailings for which something can be done at `now`, in the order in which they were meant.

    By the tally and the index of who is due, never by a look at all rows: asked every second.
    """
    held = _held()
    due_now = Delivery.objects.filter(mailing=OuterRef("pk"), due__lte=now)
    now_ = Q(pk__in=[pk for pk, states in held.items() if not states.isdisjoint(WAITING)]) | Q(Exists(due_now))
    later = Q(pk__in=[pk for pk, states in held.items() if not states.isdisjoint(LATER)])
    reached = Q(send_at=None) | Q(send_at__lte=now)
    agreed = Q(begins=None) | Q(begins__lte=now)
    found = Mailing.objects.filter(
        (Q(state=Mailing.State.APPROVED) & reached & agreed) | (Q(state=Mailing.State.SENDING) & (now_ | ~later))
    )
    return list(found.order_by("send_at", "pk"))


def _held() -> dict[int, set[str]]:
    """Of each mailing that is being sent, the states in which it has people."""
    rows = Tally.objects.filter(mailing__state=Mailing.State.SENDING).order_by().values_list("mailing", "state")
    held: dict[int, set[str]] = {}
    for mailing, state, people in rows.annotate(together=Sum("people")):
        if people > 0:
            held.setdefault(mailing, set()).add(state)
    return held


def waiting_for_a_worker() -> list[Mailing]:
    """The mailings that go on by themselves only where a worker runs: scheduled, left to it, or with people to be
    tried again. Somebody may be sending one of them by hand; whoever asks looks at the lock as well."""
    states = {*WAITING, Delivery.State.DEFERRED}
    open_ = Q(pk__in=[pk for pk, held in _held().items() if not held.isdisjoint(states)])
    found = Mailing.objects.filter(Q(state=Mailing.State.APPROVED) | (Q(state=Mailing.State.SENDING) & open_))
    return list(found.order_by("send_at", "pk"))


def too_late(mailing: Mailing, now: datetime, stale: float) -> bool:
    """True when it has not begun and its time passed more than `stale` hours before `now`."""
    if mailing.state != Mailing.State.APPROVED or mailing.send_at is None:
        return False
    return now - mailing.send_at > max(timedelta(hours=stale), AT_LEAST)


def put_aside(mailing: Mailing, now: datetime, stale: float, zone: str) -> str:
    """Pause one that is too late, and ask: the words why; "" when it is not too late, or no longer ours to pause.

    The worker was down, or a copy of the computer from before was brought back, which may have sent it already.
    """
    if mailing.send_at is None or not too_late(mailing, now, stale):
        return ""
    late = _hours(now - mailing.send_at)
    words = f"it was meant for {when.said(mailing.send_at, zone)}, {late} ago; it is not sent without asking"
    with whole():
        if not mailings.pause(mailing, words):
            return ""
        logbook.note(mailing, "paused", words, by=logbook.OURSELVES)
    return words


def back_to_its_time(mailing: Mailing, now: datetime) -> bool:
    """A paused one whose time is still to come waits for it again. True when it was such a one."""
    moved = Mailing.objects.filter(
        Q(send_at__gt=now) | Q(begins__gt=now), pk=mailing.pk, state=Mailing.State.PAUSED, started_at=None
    ).update(state=Mailing.State.APPROVED)
    mailing.refresh_from_db()
    return bool(moved)


def missed(mailing: Mailing, now: datetime, stale: float) -> bool:
    """Paused, never begun, and too late by now: whoever resumes it is asked."""
    paused = mailing.state == Mailing.State.PAUSED and mailing.started_at is None and mailing.send_at is not None
    return bool(paused and mailing.send_at and now - mailing.send_at > max(timedelta(hours=stale), AT_LEAST))


def take_back(mailing: Mailing) -> int | None:
    """Undo an approval of which nothing was begun: everybody is cancelled and the issue is free to be sent anew.

    The record stays, under another name, so that the log and the numbers keep balancing. Returns how many people
    would have got it; None when it had begun: then only stopping is left.
    """
    slug = mailing.slug
    with whole():
        taken = Mailing.objects.filter(
            pk=mailing.pk, state__in=(Mailing.State.APPROVED, Mailing.State.PAUSED), started_at=None
        ).update(
            state=Mailing.State.STOPPED, finished_at=timezone.now(), slug=f"{slug[:170]} (taken back {mailing.pk})"
        )
        mailing.refresh_from_db()
        if not taken:
            return None
        people = mailings.cancel_the_rest(mailing)
        logbook.note(mailing, "taken-back", "nothing had been sent", people)
    return people


def _hours(late: timedelta) -> str:
    minutes = round(late.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
