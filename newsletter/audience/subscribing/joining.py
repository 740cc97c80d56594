"""Joining by one's own wish, in two steps: asking on a page, and the press on the link that came by mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from newsletter.audience import facts as known_facts
from newsletter.audience import never, traits
from newsletter.audience.models import FormerAddress
from newsletter.audience.subscribing import proof
from newsletter.audience.subscribing.proof import ALL, BULK, OWN, PENDING, Change


def ask(
    canonical: str,
    address: str,
    lists: Sequence[str],
    channel: str,
    wording: str = "",
    facts: Mapping[str, Any] | None = None,
    *,
    pressed: bool = False,
) -> Change:
    """Somebody asks, for this address, to be on these lists: nothing is mailed to them before `confirm`.

    A list that they left stays left until then, and what we know of a person is not changed by a stranger who types
    their address: `facts` are taken for a new person only. Of an address that is gone or erased nothing is written
    down at all (`suppressed`, why = "suppressed"). Asking again changes nothing.

    An address that a person has moved away from goes on meaning that person, until whoever has it now has `pressed`
    the link: a stranger who types it must not make the links in their old mail dead.
    """
    stop = never.found(canonical)
    if stop and stop.scope == ALL:
        return Change(False, (), suppressed=True, why="suppressed")
    if not pressed and FormerAddress.objects.filter(canonical=canonical).exists():
        return Change(False, (), suppressed=stop is not None, why="moved")
    with transaction.atomic():
        person, new = proof.made(canonical, address)
        if new:
            known_facts.put(person, facts or {})
            person.save()
        changed = []
        for key in dict.fromkeys(lists):
            _, made = proof.subscription(person, key, PENDING)
            if made:
                changed.append(key)
        proof.write_each(canonical, [(key, "asked") for key in changed], channel, wording)
        if new:
            traits.keep(person.pk)
        return Change(new or bool(changed), tuple(changed), suppressed=stop is not None)


def confirm(canonical: str, lists: Sequence[str], channel: str, wording: str = "") -> Change:
    """The person pressed the button of the link that was sent to their address: they are on these lists from now on.

    Their own unsubscribing from everything is lifted by it; a complaint, a gone address, an erasure and staff's
    decision are not, and then nothing changes (`suppressed`).
    """
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        lifted = lift_own(person.canonical, channel, wording)
        if never.found(person.canonical):
            return Change(False, (), suppressed=True, why="suppressed")
        changed = proof.confirmed(person, lists)
        proof.write_each(person.canonical, changed, channel, wording)
        return Change(bool(lifted or changed), tuple(key for key, _ in changed))


def lift_own(canonical: str, channel: str, wording: str) -> bool:
    """Lift what the person did themselves, and nothing else; in the caller's transaction."""
    stop = never.held(canonical)
    if stop is None or stop.scope != BULK or stop.reason not in OWN:
        return False
    stop.delete()
    proof.write(canonical, "", "lifted", channel, wording)
    return True
