"""The sign-up page: an address, what to get, a button; and always the same answer, whoever's address it is.

There is no session here and nothing to steal by a foreign form: what a POST can cause is one mail with a question, so
instead of a CSRF token there is the signed time of the form, and ceilings (audience.requests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from newsletter import settings
from newsletter.audience import requests
from newsletter.audience.models import Request
from newsletter.mail import addresses
from newsletter.web import filling, links, places, signup_cookie, visitor
from newsletter.web.answers import page
from newsletter.web.methods import refused
from newsletter.web.words import Words, words_for

_NO_NAME = re.compile(r"://|www\.|[<>{}\\@\x00-\x1f\x7f-\x9f]|\.[a-z]{2,}/", re.IGNORECASE)  # spam, not a name


@dataclass(frozen=True)
class Form:
    """What was typed. `errors` are keys of the folder words/, by field."""

    email: str = ""
    name: str = ""
    area: str = ""
    lists: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    again: bool = False  # shown once more, filled in, because it came from another page or too quickly


def subscribe(request: HttpRequest) -> HttpResponse:
    """`/subscribe`. GET shows the form; POST always gives the same answer to an address that can be one."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    said = words_for(request)
    if request.method != "POST":
        wanted = tuple(key for key in request.GET.getlist("list") if key in settings.current().lists)
        return form_page(request, said, Form(lists=wanted))
    keyring = links.keyring()
    form = typed(request)
    trapped = bool(request.POST.get("website"))
    if not filling.is_fair(keyring, request.POST.get("shown", "")) and not trapped:
        return form_page(request, said, Form(form.email, form.name, form.area, form.lists, again=True))
    if form.errors:
        return form_page(request, said, form, status=422)
    if requests.busy() or not requests.network_may(keyring, visitor.address(request)):
        return page(request, "message.html", "busy_title", words=said, paragraphs=("busy_text",), status=429)
    word = signup_cookie.word()
    if not trapped:
        keep(request, said, form, word)
    answer = page(
        request, "asked.html", "asked_title", words=said, address=form.email, tone="good", private="private_cookie"
    )
    signup_cookie.give(answer, word)
    return answer


def typed(request: HttpRequest) -> Form:
    """Read the form; what is missing or cannot be used is in `errors`."""
    known = settings.current().lists
    lists = tuple(key for key in known if key in request.POST.getlist("list"))
    if len(known) == 1:
        lists = tuple(known)
    values = {name: request.POST.get(name, "").strip()[:400] for name in ("email", "name", "area")}
    errors: dict[str, str] = {}
    try:
        addresses.parse(values["email"])
    except ValueError:
        errors["email"] = "reply_error_address"
    if not lists:
        errors["lists"] = "subscribe_error_lists"
    return Form(values["email"], values["name"][:200], values["area"][:100], lists, errors)


def keep(request: HttpRequest, said: Words, form: Form, word: str) -> None:
    """Write down what was asked for; the worker does the rest."""
    address = addresses.parse(form.email)
    facts: dict[str, Any] = {"lists": list(form.lists), "language": said.language, **places.read(form.area)}
    if form.name and not _NO_NAME.search(form.name):
        facts["name"] = form.name
    requests.make(
        Request.Kind.SUBSCRIBE,
        address.canonical,
        address.typed,
        facts,
        wording(said, form.lists),
        browser=signup_cookie.hashed(word),
    )


def wording(said: Words, lists: tuple[str, ...]) -> str:
    """Word for word what the person read and pressed: the proof of consent."""
    config = settings.current()
    titles = [config.list_said(key, said.language).title for key in lists]
    consent = said.plain("subscribe_consent").format(site=config.site.name)
    return f"{said.plain('subscribe_lists')} {'; '.join(titles)}. {consent} [{said.plain('subscribe_button')}]"


def form_page(request: HttpRequest, said: Words, form: Form, status: int = 200) -> HttpResponse:
    """The form, empty or filled in again."""
    config = settings.current()
    return page(
        request,
        "subscribe.html",
        "subscribe_title",
        words=said,
        status=status,
        form=form,
        lists={key: one.said(said.language) for key, one in config.lists.items()},
        shown=filling.stamp(links.keyring()),
    )


def embedded() -> str:
    """The lines that staff paste into another website: plain HTML, no script, nothing of ours is loaded there."""
    config = settings.current()
    from newsletter.web.words import words

    said = words(config.site.language)
    lists = {key: one.said(said.language) for key, one in config.lists.items()}
    values = {"w": said, "lists": lists, "action": f"{config.base_url}/subscribe"}
    return render_to_string("embedded.html", values).strip() + "\n"


def snippet(request: HttpRequest) -> HttpResponse:
    """`/subscribe/form`: the lines to copy."""
    return page(request, "snippet.html", "form_title", lines=embedded())
