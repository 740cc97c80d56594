"""Leaving, coming back, and never being mailed again; every change leaves its proof as a ConsentEvent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from newsletter.audience.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression, Wording

LEFT, CONFIRMED = Subscription.State.LEFT, Subscription.State.CONFIRMED
BULK, ALL = Suppression.Scope.BULK, Suppression.Scope.ALL
UNSUBSCRIBED = "unsubscribed"
REASONS = (UNSUBSCRIBED, "complaint", "gone", "erased", "staff")


@dataclass(frozen=True)
class Change:
    """What a verb did, so that the caller can say it: `lists` changed now; empty and `changed` = everything."""

    changed: bool
    lists: tuple[str, ...] = ()
    suppressed: bool = False


def leave(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Take this address off the lists; with no lists, off everything (suppression `bulk`). Works for anybody, any time.

    Idempotent: a second call changes nothing and leaves no second event. A list that is no longer configured, or
    that the person was never on, is remembered as left all the same, so that no import can add them. An address
    without a Subscriber (removed meanwhile) is suppressed `bulk`, for there is nothing else to remember it by.
    `channel`: one-click | page | mail | staff. `wording`: what they were shown; `why`: our own words; `by`: a
    colleague.
    """
    with transaction.atomic():
        person = Subscriber.objects.filter(canonical=canonical).first()
        if person is None or not lists:
            return suppress(canonical, BULK, UNSUBSCRIBED, channel, wording, why=why, by=by)
        changed = []
        for key in dict.fromkeys(lists):
            chosen, _ = MailingList.objects.get_or_create(key=key)
            row, new = Subscription.objects.get_or_create(subscriber=person, list=chosen, defaults={"state": LEFT})
            if new or row.state != LEFT:
                row.state = LEFT
                row.save()
                changed.append(key)
                _proof(canonical, key, "left", channel, wording, why, by)
        return Change(bool(changed), tuple(changed))


def rejoin(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Undo a leave, by the person's own wish: only lists they had left, and only an `unsubscribed` suppression.

    A complaint, a gone address, an erasure or staff's decision stays: a link in an old mail must not lift those.
    """
    with transaction.atomic():
        lifted, _ = Suppression.objects.filter(canonical=canonical, scope=BULK, reason=UNSUBSCRIBED).delete()
        if lifted:
            _proof(canonical, "", "lifted", channel, wording, why, by)
        rows = Subscription.objects.filter(subscriber__canonical=canonical, list__key__in=lists, state=LEFT)
        changed = []
        for row in rows.select_related("list").order_by("list__key"):
            row.state = CONFIRMED
            row.save()
            changed.append(row.list.key)
            _proof(canonical, row.list.key, "returned", channel, wording, why, by)
        return Change(bool(lifted or changed), tuple(changed))


def suppress(
    canonical: str, scope: str, reason: str, channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Never mail this address again: `bulk` stops mailings, `all` stops everything. The wider scope wins.

    `reason`: unsubscribed | complaint | gone | erased | staff; it changes only together with the scope, so a later
    unsubscribe does not soften a complaint into something that an undo link could lift.
    """
    if reason not in REASONS or scope not in Suppression.Scope.values:
        raise ValueError(f"{scope}/{reason}")
    with transaction.atomic():
        row, new = Suppression.objects.get_or_create(canonical=canonical, defaults={"scope": scope, "reason": reason})
        wider = row.scope == BULK and (scope == ALL or (row.reason == UNSUBSCRIBED and reason != UNSUBSCRIBED))
        if not new and wider:
            row.scope, row.reason = scope, reason
            row.save()
        if new or wider:
            _proof(canonical, "", "suppressed", channel, wording, why or f"{scope}: {reason}", by)
        return Change(new or wider, (), suppressed=True)


def lift(canonical: str, channel: str, why: str, by: str = "") -> Change:
    """Staff remove a suppression, whatever its reason; `why` is kept for ever."""
    with transaction.atomic():
        removed, _ = Suppression.objects.filter(canonical=canonical).delete()
        if removed:
            _proof(canonical, "", "lifted", channel, "", why, by)
        return Change(bool(removed))


def has_left(canonical: str, lists: Sequence[str]) -> bool:
    """True when this address gets nothing through these lists any more: all left, or suppressed."""
    if Suppression.objects.filter(canonical=canonical).exists():
        return True
    rows = dict(
        Subscription.objects.filter(subscriber__canonical=canonical, list__key__in=lists).values_list(
            "list__key", "state"
        )
    )
    return bool(lists) and all(rows.get(key) != CONFIRMED for key in lists)


def _proof(
    canonical: str, list_key: str, event: str, channel: str, wording: str = "", why: str = "", by: str = ""
) -> None:
    ConsentEvent.objects.create(
        canonical=canonical,
        list_key=list_key,
        event=event,
        channel=channel,
        wording=Wording.of(wording),
        why=why,
        by=by,
    )
