"""Keeps Trait and Holding in step with what a person's record says (stands in until segments are here)."""

from __future__ import annotations

from newsletter.audience.models import Holding, Subscriber, Trait

LONGEST = 200


def keep(subscriber_id: int) -> None:
    """Write one person's traits anew, in the caller's transaction."""
    person = Subscriber.objects.get(pk=subscriber_id)
    wanted: set[tuple[str, str]] = set()
    for key, value in {**person.attributes, "language": person.language}.items():
        for one in value if isinstance(value, list) else [value]:
            if one not in (None, "") and len(str(one)) <= LONGEST:
                wanted.add((key, str(one)))
    forget(subscriber_id)
    for key, value in sorted(wanted):
        trait, _ = Trait.objects.get_or_create(key=key, value=value)
        Holding.objects.create(trait=trait, subscriber=person)


def forget(subscriber_id: int) -> None:
    """Take one person out of all traits."""
    Holding.objects.filter(subscriber_id=subscriber_id).delete()
