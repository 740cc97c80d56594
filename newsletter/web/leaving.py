"""What else the page to leave offers: only one list, a pause, a reason, a mail that says so. The one click has none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from newsletter import settings
from newsletter.audience import never, subscribing
from newsletter.audience.models import LeavingReason, Subscriber
from newsletter.audience.subscribing.proof import OWN
from newsletter.mail.tokens import Purpose
from newsletter.sending import own_mails
from newsletter.sending.models import UnsubscribeKey
from newsletter.web import links, unsubscribe
from newsletter.web.answers import page
from newsletter.web.preferences import chosen, day, person_of
from newsletter.web.words import Words

CHANNEL = "page"
PAUSE = timedelta(days=91)  # "three months"
REASONS = ("many", "topic", "asked", "other")
NOTHING: dict[str, Any] = {
    "only": [],
    "pause": False,
    "preferences": "",
    "reasons": (),
    "goodbye": False,
    "notice": "",
    "undo": "undo",
}


def offers(key: UnsubscribeKey, person: Subscriber | None, said: Words) -> dict[str, Any]:
    """What the page shows beside its one button; a person who is gone has nothing to choose."""
    if person is None:
        return NOTHING
    only = list(zip(key.lists, unsubscribe.titles(key.lists, said), strict=True)) if len(key.lists) > 1 else []
    path = f"/p/{links.keyring().make(Purpose.UNSUBSCRIBE, bytes(key.token))}"
    more = {"reasons": REASONS, "goodbye": may_be_told(person)}
    return {**NOTHING, "only": only, "pause": bool(key.lists), "preferences": path, **more}


def act(request: HttpRequest, key: UnsubscribeKey, said: Words, action: str) -> HttpResponse | None:
    """Do what one of the other buttons says; None for what is no button of ours."""
    person = person_of(key.canonical)
    if action == "reason":
        return reason(request, key, said)
    if person is None:
        return None
    if action.startswith("only:") and action[5:] in key.lists:
        only = UnsubscribeKey(token=key.token, canonical=key.canonical, lists=[action[5:]])
        wording = said.plain("leave_only").format(list=unsubscribe.titles(only.lists, said)[0].title)
        subscribing.leave(key.canonical, only.lists, CHANNEL, wording)
        return unsubscribe.left(request, only, said, undo=f"undo:{action[5:]}")
    if action.startswith("undo:") and action[5:] in key.lists:
        only = UnsubscribeKey(token=key.token, canonical=key.canonical, lists=[action[5:]])
        return unsubscribe.undo(request, only, said)
    if action == "pause" and key.lists:
        return pause(request, key, said, person)
    if action == "resume" and key.lists:
        subscribing.resume(key.canonical, key.lists, CHANNEL, said.plain("resume_button"))
        return unsubscribe.choice(request, key, said, "back", "resumed_title", (), action="leave", tone="good")
    if action == "goodbye" and subscribing.has_left(key.canonical, key.lists) and may_be_told(person):
        return goodbye(request, key, said, person)
    return None


def pause(request: HttpRequest, key: UnsubscribeKey, said: Words, person: Subscriber) -> HttpResponse:
    """Nothing through these lists for three months. From today, and pressing again on the same day adds nothing."""
    until = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) + PAUSE
    subscribing.pause(key.canonical, key.lists, until, CHANNEL, said.plain("leave_pause"))
    paused = chosen(person).paused
    if paused is None:  # they had left these lists
        return unsubscribe.left(request, key, said)
    address = links.masked(key.canonical)
    return page(request, "paused.html", "paused_title", words=said, address=address, date=day(paused), tone="good")


def reason(request: HttpRequest, key: UnsubscribeKey, said: Words) -> HttpResponse:
    """Count a reason: a number a month and list, nothing of the person."""
    why = request.POST.get("reason", "")
    if why in REASONS:
        month = timezone.localdate().replace(day=1)
        with transaction.atomic():
            for name in key.lists or [""]:
                row, _ = LeavingReason.objects.get_or_create(month=month, list_key=name[:100], reason=why)
                LeavingReason.objects.filter(pk=row.pk).update(count=F("count") + 1)
        return unsubscribe.left(request, key, said, reasons=(), notice="reason_thanks")
    return unsubscribe.left(request, key, said)


def may_be_told(person: Subscriber) -> bool:
    """False after a complaint, for a dead mailbox or by a decision of staff: then no button brings them a mail."""
    stop = never.found(person.canonical)
    return stop is None or stop.reason in OWN


def goodbye(request: HttpRequest, key: UnsubscribeKey, said: Words, person: Subscriber) -> HttpResponse:
    """A mail that says that they have left, once for each mail of ours, to the address on record."""
    with transaction.atomic():
        link = own_mails.preferences_link(settings.current(), person.canonical, key.lists)
        once = f"goodbye:{bytes(key.token).hex()}"
        own_mails.queue(settings.current(), "goodbye", person.address, said.language, link, lists=key.lists, once=once)
    return unsubscribe.left(request, key, said, goodbye=False, notice="goodbye_sent")
