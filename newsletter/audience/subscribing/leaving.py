"""Leaving, coming back, and never being mailed again."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from newsletter.audience import never, quickly, traits
from newsletter.audience.models import Subscriber, Subscription, Suppression
from newsletter.audience.subscribing import proof
from newsletter.audience.subscribing.proof import ALL, BULK, CONFIRMED, LEFT, OWN, REASONS, UNSUBSCRIBED, Change


def leave(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Take this address off the lists; with no lists, off everything (suppression `bulk`). Works for anybody, any time.

    A list that is no longer configured, or that the person was never on, is remembered as left all the same, so that
    no import can add them. An address without a Subscriber (removed meanwhile) is suppressed `bulk`, for there is
    nothing else to remember it by.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None or not lists:
            return suppress(canonical, BULK, UNSUBSCRIBED, channel, wording, why=why, by=by)
        changed = proof.left(person, lists)
        proof.write_each(person.canonical, [(key, "left") for key in changed], channel, wording, why, by)
        return Change(bool(changed), tuple(changed))


def rejoin(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Undo a leave, by the person's own wish: only lists they had left, and only an `unsubscribed` suppression.

    A complaint, a gone address, an erasure or staff's decision stays: a link in an old mail must not lift those.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        lifted = [
            one
            for one in _addresses(canonical, person)
            if Suppression.objects.filter(canonical=one, scope=BULK, reason=UNSUBSCRIBED).delete()[0]
        ]
        for one in lifted:
            proof.write(one, "", "lifted", channel, wording, why, by)
        if person is None:
            return Change(bool(lifted))
        rows = Subscription.objects.filter(subscriber=person, list__key__in=lists, state=LEFT)
        changed = []
        for row in rows.select_related("list").order_by("list__key"):
            row.state = CONFIRMED
            row.save()
            changed.append(row.list.key)
        proof.write_each(person.canonical, [(key, "returned") for key in changed], channel, wording, why, by)
        return Change(bool(lifted or changed), tuple(changed))


def suppress(
    canonical: str, scope: str, reason: str, channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """Never mail this address again: `bulk` stops mailings, `all` stops everything. The wider scope wins.

    `reason`: one of REASONS; it changes only together with the scope, so a later unsubscribe does not soften a
    complaint into something that an undo link could lift. Who has moved to another address is suppressed there, too,
    unless it is the mailbox that is gone.
    """
    if reason not in REASONS or scope not in Suppression.Scope.values:
        raise ValueError(f"{scope}/{reason}")
    with transaction.atomic():
        person = proof.held(canonical) if reason not in ("gone", proof.MOVED) else None
        done = [
            one
            for one in _addresses(canonical, person)
            if _suppressed(one, scope, reason, channel, wording, why or f"{scope}: {reason}", by)
        ]
        return Change(bool(done), (), suppressed=True)


def _suppressed(canonical: str, scope: str, reason: str, channel: str, wording: str, why: str, by: str) -> bool:
    """Whether one address is suppressed now that was not, or not as widely."""
    row, new = never.held(canonical), False
    if row is None:
        row, new = Suppression.objects.get_or_create(canonical=canonical, defaults={"scope": scope, "reason": reason})
    wider = row.scope == BULK and (scope == ALL or (row.reason in OWN and reason not in OWN))
    if not new and wider:
        wider = bool(
            Suppression.objects.filter(pk=row.pk, scope=row.scope, reason=row.reason).update(scope=scope, reason=reason)
        )
    if new or wider:
        proof.write(row.canonical, "", "suppressed", channel, wording, why, by)
    return new or wider


def lift(canonical: str, channel: str, why: str, by: str = "") -> Change:
    """Staff remove a suppression, whatever its reason, of an erased person too; `why` is kept for ever."""
    with transaction.atomic():
        removed = list(Suppression.objects.select_for_update().filter(canonical__in=never.keys_of(canonical)))
        for row in removed:
            row.delete()
            proof.write(row.canonical, "", "lifted", channel, "", why, by)
        return Change(bool(removed))


def remove(canonical: str, *, why: str, by: str = "", channel: str = "staff", stop: bool = True) -> Change:
    """Staff take a person's record away: facts, lists and former addresses. The proof of their choices stays.

    With `stop` they are suppressed `bulk` (reason staff), so that no import brings them back; `lift` undoes that.
    Without it they may ask anew: for who never confirmed. To erase a person, proof and all, is
    `newsletter recipients forget`.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        if stop:
            suppress(person.canonical, BULK, "staff", channel, why=why, by=by)
        proof.write(person.canonical, "", "removed", channel, "", why, by)
        traits.forget(person.pk)
        person.delete()
        return Change(True, (), suppressed=stop)


def has_left(canonical: str, lists: Sequence[str], person: Subscriber | None = None) -> bool:
    """True when this address gets nothing through these lists any more: all left, or suppressed. `person`: whose it
    is, where that is known."""
    person = person or person_of(canonical)
    canonical = person.canonical if person else canonical
    if never.found(canonical):
        return True
    if person is None or not lists:
        return bool(lists)
    return not quickly.confirmed(person.pk).keys() & set(lists)


def person_of(canonical: str) -> Subscriber | None:
    """Who has this address, or had it when a mail was sent to it."""
    former = "id = (SELECT subscriber_id FROM audience_formeraddress WHERE canonical = %s)"
    return quickly.first(Subscriber, "canonical = %s", [canonical]) or quickly.first(Subscriber, former, [canonical])


def _addresses(canonical: str, person: Subscriber | None) -> list[str]:
    """The address named, and the one that its person has moved to."""
    return list(dict.fromkeys([canonical, person.canonical] if person else [canonical]))
