"""Choosing exactly these lists, and what we know of a person; by themselves or by a colleague."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from newsletter import settings
from newsletter.audience import facts as known_facts
from newsletter.audience import never, traits
from newsletter.audience.models import Subscription
from newsletter.audience.subscribing import proof
from newsletter.audience.subscribing.joining import lift_own
from newsletter.audience.subscribing.proof import LEFT, Change


def choose(
    canonical: str, lists: Sequence[str], channel: str, wording: str = "", *, why: str = "", by: str = ""
) -> Change:
    """The person's own page: exactly these lists from now on; every other configured one is left.

    A box that was shown and not ticked is a choice, too ("declined"): no import adds them there later. With a list
    chosen, their own unsubscribing from everything is lifted, as in `confirm`; a suppression of another kind stays,
    and then nothing is joined, only left.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        lifted = bool(lists) and lift_own(person.canonical, channel, wording)
        stopped = never.found(person.canonical) is not None
        changed = [] if stopped else proof.confirmed(person, lists)
        for key in settings.current().lists:
            if key in lists:
                continue
            row, new = proof.subscription(person, key, LEFT)
            if new or row.state != LEFT:
                changed.append((key, "declined" if new else "left"))
                row.state, row.paused_until = LEFT, None
                row.save()
        proof.write_each(person.canonical, changed, channel, wording, why, by)
        return Change(lifted or bool(changed), tuple(key for key, _ in changed), suppressed=stopped)


def edit(canonical: str, facts: Mapping[str, Any], channel: str, *, by: str = "", why: str = "") -> Change:
    """Set name, first_name, last_name, language, declared fields, "areas", "tags", "postcode"; an empty value removes.

    What is not named stays. `lists` of the Change holds the keys of what changed. Values are taken as they are: see
    audience.facts.checked for words of strangers.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        changes = known_facts.put(person, facts)
        if changes:
            person.save()
            traits.keep(person.pk)
            said = "; ".join(f"{key}: {old} → {new}" for key, (old, new) in changes.items())
            proof.write(person.canonical, "", "changed", channel, "", f"{why}: {said}" if why else said, by)
        return Change(bool(changes), tuple(changes))


def add(
    canonical: str,
    address: str,
    lists: Sequence[str],
    *,
    wording: str = "",
    facts: Mapping[str, Any] | None = None,
    why: str = "",
    by: str = "",
    channel: str = "staff",
    again: bool = False,
) -> Change:
    """A colleague puts a person on lists. Like an import it brings back nobody: who is suppressed is not added at all,
    and a list that was left stays left, unless `again` says that the person asked for it themselves.

    `wording`: what they were told. The facts of somebody known already are changed as by `edit`.
    """
    with transaction.atomic():
        person = proof.held(canonical)
        stop = never.found(person.canonical if person else canonical)
        if stop:
            return Change(False, (), suppressed=True, why="suppressed")
        new = False
        if person is None:
            person, new = proof.made(canonical, address)
        if new:
            known_facts.put(person, facts or {})
            person.save()
            traits.keep(person.pk)
        edited = bool(not new and facts) and edit(person.canonical, facts or {}, channel, by=by, why=why).changed
        left = Subscription.objects.filter(subscriber=person, list__key__in=lists, state=LEFT)
        stay = set() if again else set(left.values_list("list__key", flat=True))
        changed = proof.confirmed(person, [key for key in lists if key not in stay])
        proof.write_each(person.canonical, changed, channel, wording, why, by)
        if new and not changed:
            proof.write(person.canonical, "", "added", channel, wording, why, by)
        return Change(new or edited or bool(changed), tuple(key for key, _ in changed))
