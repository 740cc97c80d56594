"""Taking a person out of the list for good: record, choices, proof and waiting requests go; a keyed hash stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from newsletter.audience import dialect, never, staging, traits
from newsletter.audience.models import (
    ConsentEvent,
    FormerAddress,
    Holding,
    Request,
    Subscriber,
    Subscription,
    Suppression,
    Trait,
)

GONE = "erased"  # stands where a reason could hold an address


def names_of(canonical: str) -> tuple[str, ...]:
    """Every address under which this person is known: the one asked for, the present one, and former ones.

    Who has the address now is meant before who had it once."""
    people = Subscriber.objects.order_by("pk")
    person = people.filter(canonical=canonical).first() or people.filter(formeraddress__canonical=canonical).first()
    if person is None:
        return (canonical,)
    former = FormerAddress.objects.filter(subscriber=person).order_by("pk").values_list("canonical", flat=True)
    return of(person, [person.canonical, canonical, *former])


def of(person: Subscriber, names: Iterable[str]) -> tuple[str, ...]:
    """These addresses of a person, without those that have become somebody else's: whoever has a mailbox after them is
    not shown where they went, nor erased with them."""
    each = tuple(dict.fromkeys(names))
    others = Subscriber.objects.filter(canonical__in=each).exclude(pk=person.pk).values_list("canonical", flat=True)
    return tuple(name for name in each if name not in set(others))


def spellings(names: Sequence[str]) -> tuple[str, ...]:
    """The addresses as they may stand in a text, in small letters: with the domain in ASCII and in its own letters."""
    found = []
    for name in names:
        local, _, domain = name.rpartition("@")
        found.append(name)
        try:
            found.append(f"{local}@{domain.encode('ascii').decode('idna')}".lower())
        except UnicodeError:
            continue
    return tuple(dict.fromkeys(found))


def count(names: Sequence[str]) -> dict[str, int]:
    """What an erasure would touch here, in rows."""
    people = Subscriber.objects.filter(canonical__in=names)
    return {
        "people": people.count(),
        "subscriptions": Subscription.objects.filter(subscriber__in=people).count(),
        "proofs": ConsentEvent.objects.filter(canonical__in=names).count(),
        "requests": len(_requests(names)),
        "suppressions": Suppression.objects.filter(canonical__in=names).count(),
    }


def erase(names: Sequence[str]) -> None:
    """Erase these addresses' person, in the caller's transaction; leaves a suppression `all` under the keyed hash.

    Its proof says when, and nothing else. Other people's proofs that name the address lose their words.
    """
    with transaction.atomic():
        # An import that has just found this person here would write a proof with their address after we have gone.
        dialect.hold(staging.LOCK)
        for person in Subscriber.objects.select_for_update().filter(canonical__in=names):
            held = list(Holding.objects.filter(subscriber=person).values_list("trait", flat=True))
            traits.forget(person.pk)
            # A postcode that nobody else has would go on saying that somebody lived there.
            kept = set(Holding.objects.filter(trait__in=held).values_list("trait", flat=True))
            Trait.objects.filter(pk__in=set(held) - kept).delete()
            person.delete()
        FormerAddress.objects.filter(canonical__in=names).delete()
        Request.objects.filter(pk__in=_requests(names)).delete()
        ConsentEvent.objects.filter(canonical__in=names).delete()
        Suppression.objects.filter(canonical__in=names).delete()
        for name in spellings(names):
            ConsentEvent.objects.filter(why__icontains=name).update(why=GONE)
        never.prove()
        for name in names:
            hashed = never.hashed(name)
            known = never.found(name)
            if known is None:
                Suppression.objects.create(canonical=hashed, scope=Suppression.Scope.ALL, reason="erased")
                ConsentEvent.objects.create(canonical=hashed, event="suppressed", channel="staff", why="all: erased")


def _requests(names: Sequence[str]) -> list[int]:
    """Waiting links that were sent to them, or that would make one of these addresses theirs."""
    wanted = set(spellings(names))
    return [
        row.pk
        for row in Request.objects.all().iterator(1000)
        if row.canonical in wanted or any(isinstance(v, str) and v.lower() in wanted for v in row.facts.values())
    ]
