"""Which mail follows from what was asked for on a public page, if any: decided by the worker, after the answer."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from newsletter.audience import never, requests, subscribing
from newsletter.audience.models import Request, Subscriber, Subscription
from newsletter.config import Config
from newsletter.sending import keys, own_mails

MOST_AT_ONCE = 200
OWN_WISH = ("unsubscribed", "moved")  # suppressions that a confirmation may lift (subscribing.confirm)


def work(config: Config) -> str:
    """Queue the mails that are due; gives back words for the log."""
    queued = 0
    for number in Request.objects.filter(told=None).order_by("id").values_list("pk", flat=True)[:MOST_AT_ONCE]:
        with transaction.atomic():
            row = Request.objects.select_for_update().filter(pk=number, told=None).first()
            if row is None:
                continue  # another worker was quicker
            queued += _tell(config, row)
            row.told = timezone.now()
            row.save(update_fields=["told"])
    said = "1 mail asked for on the pages was" if queued == 1 else f"{queued} mails asked for on the pages were"
    return f"{said} queued" if queued else ""


def _tell(config: Config, row: Request) -> int:
    """Queue the one mail of this request; 0 where none goes out."""
    stop = never.found(row.canonical)
    if stop and (row.kind == Request.Kind.SUBSCRIBE or stop.scope == "all") and stop.reason not in OWN_WISH:
        return 0
    if row.kind == Request.Kind.SUBSCRIBE:
        return _subscribe(config, row)
    kind = "move" if row.facts.get("from") else str(row.kind)
    link = f"{config.base_url}/c/{requests.token_of(keys.keyring(config), row)}"
    own_mails.queue(config, kind, row.address, language_of(row), link, once=f"request:{row.pk}")
    return 1


def _subscribe(config: Config, row: Request) -> int:
    lists = [key for key in row.facts.get("lists", []) if key in config.lists]
    person = Subscriber.objects.filter(canonical=row.canonical).first()
    have = set(
        Subscription.objects.filter(subscriber=person, state=Subscription.State.CONFIRMED).values_list(
            "list__key", flat=True
        )
    )
    once = f"request:{row.pk}"
    if person and have.issuperset(lists) and never.found(row.canonical) is None:
        link = own_mails.preferences_link(config, row.canonical, sorted(have))
        own_mails.queue(config, "already", person.address, language_of(row), link, lists=sorted(have), once=once)
        Request.objects.filter(pk=row.pk).update(used=timezone.now())
        return 1
    facts = {key: value for key, value in row.facts.items() if key != "lists"}
    subscribing.ask(row.canonical, row.address, lists, "page", row.wording.text if row.wording else "", facts)
    link = f"{config.base_url}/c/{requests.token_of(keys.keyring(config), row)}"
    own_mails.queue(config, "confirm", row.address, language_of(row), link, lists=lists, once=once)
    return 1


def language_of(row: Request) -> str:
    """The person's own language where we know it, else that of the page they used."""
    known = Subscriber.objects.filter(canonical=row.facts.get("from") or row.canonical).values_list(
        "language", flat=True
    )
    return known.first() or str(row.facts.get("language", ""))
