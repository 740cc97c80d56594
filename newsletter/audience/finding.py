"""Finds people: one by address with everything we know of them, or a page of the list."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from newsletter.audience import never
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.problems import NewsletterError, Problem


def person(config: Config, text: str) -> dict[str, Any]:
    """Everything on record about one address, as plain values: facts, lists with their state, suppression, proof.

    Raises NewsletterError(no-such-person) with the nearest addresses. An address that is only suppressed is found too.
    """
    canonical = _canonical(text)
    found = Subscriber.objects.filter(canonical=canonical).first()
    events = list(ConsentEvent.objects.filter(canonical=canonical).select_related("wording").order_by("id"))
    stop = never.found(canonical)
    if found is None and not events and stop is None:
        raise NewsletterError(_nobody(text, canonical))
    return {
        "email": found.address if found else canonical,
        "known": found is not None,
        "name": found.name if found else "",
        "first_name": found.first_name if found else "",
        "last_name": found.last_name if found else "",
        "language": found.language if found else "",
        "attributes": found.attributes if found else {},
        "since": found.created if found else None,
        "lists": _lists(config, found),
        "suppressed": {"scope": stop.scope, "reason": stop.reason, "at": stop.at} if stop else None,
        "events": [
            {
                "at": event.at,
                "event": event.event,
                "list": event.list_key,
                "channel": event.channel,
                "wording": event.wording.text if event.wording else "",
                "why": event.why,
                "by": event.by,
            }
            for event in events
        ],
    }


def page(list_key: str = "", limit: int = 50, after: int = 0) -> list[dict[str, Any]]:
    """People in the order they joined; `after` is the id of the last one of the page before."""
    people = Subscriber.objects.filter(pk__gt=after).order_by("pk")
    if list_key:
        people = people.filter(subscriptions__list__key=list_key)
    chosen = list(people.prefetch_related("subscriptions__list")[:limit])
    stopped = dict(
        Suppression.objects.filter(canonical__in=[person.canonical for person in chosen]).values_list(
            "canonical", "reason"
        )
    )
    return [
        {
            "id": person.pk,
            "email": person.address,
            "name": person.name or f"{person.first_name} {person.last_name}".strip(),
            "language": person.language,
            "lists": [row.list.key for row in person.subscriptions.all() if row.state == "confirmed"],
            "left": [row.list.key for row in person.subscriptions.all() if row.state == "left"],
            "suppressed": stopped.get(person.canonical, ""),
        }
        for person in chosen
    ]


def _canonical(text: str) -> str:
    try:
        return addresses.canonical(text)
    except ValueError as error:
        problem = Problem("bad-address", f"‘{text[:80]}’ is not an e-mail address: {error}")
        raise NewsletterError(problem) from None


def _lists(config: Config, person: Subscriber | None) -> list[dict[str, Any]]:
    if person is None:
        return []
    return [
        {
            "key": row.list.key,
            "title": config.lists[row.list.key].title if row.list.key in config.lists else row.list.key,
            "state": row.state,
            "changed": row.changed,
        }
        for row in person.subscriptions.select_related("list").order_by("list__key")
    ]


def _nobody(text: str, canonical: str) -> Problem:
    local = canonical.partition("@")[0]
    near = list(Subscriber.objects.filter(canonical__startswith=local[:5]).values_list("address", flat=True)[:3])
    hint = f"Near: {', '.join(near)}" if near else "`newsletter recipients list` shows who is there."
    return Problem("no-such-person", f"Nobody here has the address {text.strip()}", hint=hint)


def lists(config: Config) -> list[dict[str, Any]]:
    """Every list with its people by state, the configured ones first; `confirmed` are without those who pause."""
    rows = Subscription.objects.values_list("list__key").annotate(
        confirmed=Count("pk", filter=Q(state="confirmed") & ~Q(paused_until__gt=timezone.now())),
        paused=Count("pk", filter=Q(state="confirmed", paused_until__gt=timezone.now())),
        pending=Count("pk", filter=Q(state="pending")),
        left=Count("pk", filter=Q(state="left")),
    )
    counted = {key: dict(zip(("confirmed", "paused", "pending", "left"), found, strict=True)) for key, *found in rows}
    nobody = {"confirmed": 0, "paused": 0, "pending": 0, "left": 0}
    titles = {key: known.title for key, known in config.lists.items()}
    return [
        {"key": key, "title": titles.get(key, ""), "configured": key in titles, **counted.get(key, nobody)}
        for key in dict.fromkeys([*titles, *sorted(counted)])
    ]
