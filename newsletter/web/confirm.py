"""The link of a mail that somebody asked for: GET shows what it does and a button, POST does it, once.

Mail services open every link in a mail before its reader does (D11), so opening changes nothing; but where the
browser that opens it is the one that filled in the form (signup_cookie), the button would be one press too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.audience import quickly, requests, subscribing
from newsletter.audience.models import Request, Subscriber
from newsletter.mail import addresses
from newsletter.mail.tokens import Purpose
from newsletter.sending import own_mails
from newsletter.web import links, own_data, preferences, signup_cookie, unsubscribe
from newsletter.web.answers import contact, page, unknown_link
from newsletter.web.methods import refused
from newsletter.web.words import Words, words_for

Kind = Request.Kind
CHANNEL = "page"


def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """`/c/<token>`."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    found = links.read(token, Purpose.CONFIRM)
    row, why = requests.find(found[1]) if found else (None, requests.Why.UNKNOWN)
    if row is None:
        return unknown_link(request)
    said = words_for(request, language_of(row))
    if why is requests.Why.EXPIRED:
        return message(request, said, "expired")
    if why is requests.Why.USED:
        return subscribed(request, said, row) if row.kind == Kind.SUBSCRIBE else message(request, said, "used")
    pressed = request.method == "POST" and request.POST.get("action") == "yes"
    if row.kind == Kind.SUBSCRIBE and request.method == "GET" and signup_cookie.fits(request, row.browser):
        pressed = True
    return DOES[row.kind](request, said, row) if pressed else question(request, said, row)


def question(request: HttpRequest, said: Words, row: Request, status: int = 200, **more: Any) -> HttpResponse:
    """What the link does, and the button."""
    name = "move" if row.facts.get("from") else str(row.kind)
    facts: dict[str, Any] = {"problem": "", "typed": "", **more}
    return page(
        request,
        "confirm.html",
        {"subscribe": "confirm_title", "move": "move_title"}.get(name, f"{name}_title"),
        words=said,
        status=status,
        kind=name,
        lists=unsubscribe.titles(row.facts.get("lists", []), said),
        address=row.address if name == "move" else links.masked(row.address),
        **facts,
    )


def message(request: HttpRequest, said: Words, name: str, tone: str = "", status: int = 200) -> HttpResponse:
    """A heading and a sentence; where a person of ours can help, whom to write to."""
    return page(
        request,
        "ended.html",
        f"{name}_title",
        words=said,
        status=status,
        sentence=f"{name}_text",
        contact="" if tone else contact(),
        tone=tone,
    )


def join(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """They are on the lists from now on."""
    config = settings.current()
    lists = [key for key in row.facts.get("lists", []) if key in config.lists]
    wording = row.wording.text if row.wording else ""
    with transaction.atomic():
        if not requests.use(row):
            return subscribed(request, said, row)
        facts = {key: value for key, value in row.facts.items() if key != "lists"}
        if not Subscriber.objects.filter(canonical=row.canonical).exists():
            # Removed meanwhile, or the address is one that somebody has moved away from.
            subscribing.ask(row.canonical, row.address, lists, CHANNEL, wording, facts, pressed=True)
        change = subscribing.confirm(row.canonical, lists, CHANNEL, wording)
        if not change.suppressed:
            link = own_mails.preferences_link(config, row.canonical, lists)
            own_mails.queue(config, "welcome", row.address, said.language, link, lists=lists, once=f"welcome:{row.pk}")
    return message(request, said, "refused") if change.suppressed else subscribed(request, said, row)


def subscribed(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """What they get now, and where to change it; a link pressed again later brings nobody back."""
    lists = [key for key in row.facts.get("lists", []) if not subscribing.has_left(row.canonical, [key])]
    if not lists:
        return message(request, said, "used")
    with transaction.atomic():
        link = own_mails.preferences_link(settings.current(), row.canonical, row.facts.get("lists", []))
    titles = unsubscribe.titles(lists, said)
    return page(
        request, "confirmed.html", "confirmed_title", words=said, lists=titles, tone="good", link="/p/" + link[-32:]
    )


def change(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """The new address is asked for; then the same link at the new one."""
    if row.facts.get("from"):
        return move(request, said, row)
    new = request.POST.get("new", "").strip()[:400]
    try:
        address = addresses.parse(new)
    except ValueError:
        return question(request, said, row, 422, problem="reply_error_address", typed=new)
    with transaction.atomic():
        if not requests.use(row):
            return message(request, said, "used")
        facts = {"from": row.canonical, "language": said.language}
        requests.make(Kind.CHANGE, address.canonical, address.typed, facts, said.plain("change_title"))
    return preferences.sent(request, said, address.typed)


def move(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """Pressed at the new address: mail goes there from now on, and the old one is told."""
    config = settings.current()
    with transaction.atomic():
        if not requests.use(row):
            return message(request, said, "used")
        old = Subscriber.objects.filter(canonical=row.facts["from"]).values_list("address", flat=True).first()
        wording = f"{said.plain('move_title')} [{said.plain('move_button')}]"
        done = subscribing.move(row.facts["from"], row.address, CHANNEL, wording)
        if done.changed and old:
            own_mails.queue(config, "moved", old, said.language, "", once=f"moved:{row.pk}")
    return message(request, said, "moved", "good") if done.changed else message(request, said, "refused")


def data(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """The archive of what we hold, once."""
    made = own_data.everything(row.canonical, said.language)
    if not requests.use(row):
        return message(request, said, "used")
    named = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
    return HttpResponse(made, "application/zip", headers=named)


def forget(request: HttpRequest, said: Words, row: Request) -> HttpResponse:
    """Erase; where a legal hold keeps something, staff are told and write. Erasing takes this request away, too."""
    if own_data.forget(row.canonical, f"{said.plain('forget_title')} [{said.plain('forget_button')}]"):
        return message(request, said, "forgotten", "good")
    requests.use(row)
    return message(request, said, "held")


def language_of(row: Request) -> str:
    """The person's own language where we know it, else that of the page they used."""
    known = quickly.first(Subscriber, "canonical = %s", [row.facts.get("from") or row.canonical])
    return (known.language if known else "") or str(row.facts.get("language", ""))


DOES: Mapping[str, Callable[[HttpRequest, Words, Request], HttpResponse]] = {
    Kind.SUBSCRIBE: join,
    Kind.CHANGE: change,
    Kind.DATA: data,
    Kind.FORGET: forget,
}
