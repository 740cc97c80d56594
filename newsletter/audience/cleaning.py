"""Addresses that a list is better without: dead for long, never confirmed, or a role's and nobody's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.audience.models import Subscriber, Subscription, Suppression
from newsletter.audience.people import ROLES

GONE, UNCONFIRMED, ROLE = "gone", "unconfirmed", "role"


@dataclass(frozen=True)
class Wish:
    """What to look for: days since an address was found dead, days since they asked and did not confirm."""

    gone: int | None = 90
    unconfirmed: int | None = 30
    roles: bool = False


def find(wish: Wish) -> dict[str, list[str]]:
    """Canonical addresses by what is the matter with them; an address is in one of them only. Changes nothing."""
    found: dict[str, list[str]] = {}
    now = timezone.now()
    if wish.gone is not None:
        dead = Suppression.objects.filter(
            canonical=OuterRef("canonical"), reason="gone", at__lte=now - timedelta(days=wish.gone)
        )
        found[GONE] = list(Subscriber.objects.filter(Exists(dead)).order_by("pk").values_list("canonical", flat=True))
    if wish.unconfirmed is not None:
        rows = Subscription.objects.filter(subscriber=OuterRef("pk"))
        since = now - timedelta(days=wish.unconfirmed)
        waits = Exists(rows.filter(state="pending", changed__lte=since))
        other = Exists(rows.exclude(state="pending", changed__lte=since))  # also a choice to leave is one to keep
        people = Subscriber.objects.filter(waits & ~other).order_by("pk")
        before = _in(found)
        found[UNCONFIRMED] = [one for one in people.values_list("canonical", flat=True) if one not in before]
    if wish.roles:
        names = Subscriber.objects.order_by("pk").values_list("canonical", flat=True).iterator(chunk_size=10_000)
        before = _in(found)
        found[ROLE] = [one for one in names if one.partition("@")[0] in ROLES and one not in before]
    return found


def clean(found: Mapping[str, list[str]], by: str = "") -> Iterator[str]:
    """Remove these records one by one, each with its proof; gives each address when it is done.

    Dead and role addresses stay suppressed; who never confirmed may ask anew. Who confirmed meanwhile is kept.
    """
    words = {GONE: "the address is dead", UNCONFIRMED: "never confirmed", ROLE: "an address of a role"}
    for kind, names in found.items():
        for canonical in names:
            if kind == UNCONFIRMED and _has_chosen(canonical):
                continue
            if subscribing.remove(canonical, why=words[kind], by=by, stop=kind != UNCONFIRMED).changed:
                yield canonical


def _has_chosen(canonical: str) -> bool:
    return Subscription.objects.filter(subscriber__canonical=canonical).exclude(state="pending").exists()


def _in(found: Mapping[str, list[str]]) -> set[str]:
    return {one for names in found.values() for one in names}
