"""The page to leave: opening it changes nothing, its button leaves at once, and leaving can be undone.

Scanners open every link, run scripts and even press buttons (D10, D11), so only a POST that says what it wants acts.
The token is the authority: no login, no cookie, and therefore no CSRF token either (T2).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.audience import never, subscribing
from newsletter.config import ListWords
from newsletter.mail.tokens import Purpose
from newsletter.sending import finding
from newsletter.sending.models import UnsubscribeKey
from newsletter.web import leaving, links
from newsletter.web.answers import nobody, page, unknown_link
from newsletter.web.methods import refused
from newsletter.web.preferences import person_of
from newsletter.web.words import Words, words_for

ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058, 3.2: the whole of what the mail service sends
PLAIN = "text/plain; charset=utf-8"


def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """`/u/<token>`. GET and HEAD show, POST acts; the mail service's one-click POST gets a short plain answer."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    found = links.read(token, Purpose.UNSUBSCRIBE, Purpose.TEST)
    one_click = request.method == "POST" and is_one_click(request)
    if found and found[0] is Purpose.TEST:
        return test_copy(request, one_click)
    key = finding.unsubscribe_key(found[1]) if found else None
    if key is None:
        return HttpResponse("This link is not known here.\n", PLAIN, 404) if one_click else unknown_link(request)
    if one_click:
        subscribing.leave(key.canonical, key.lists, "one-click", ONE_CLICK)
        return HttpResponse("Unsubscribed.\n", PLAIN)
    if never.is_erased(key.canonical):
        return nobody(request, "forgotten")
    person = person_of(key.canonical)
    said = words_for(request, person.language if person else "")
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "leave":
        subscribing.leave(key.canonical, key.lists, "page", f"{said.plain('leave_title')} {said.plain('leave_button')}")
        return left(request, key, said, offers=leaving.offers(key, person, said))
    if action == "undo":
        return undo(request, key, said)
    if action and (answer := leaving.act(request, key, said, action)):
        return answer
    if subscribing.has_left(key.canonical, key.lists, person):
        return left(request, key, said, offers=leaving.offers(key, person, said))
    more = {"offers": leaving.offers(key, person, said)}
    return choice(request, key, said, "leave", "leave_title", ("leave_to",), action="leave", **more)


def is_one_click(request: HttpRequest) -> bool:
    """True for the RFC 8058 body, as form or multipart; also where a service forgot to name the content type."""
    whole = request.body.strip().lower() == ONE_CLICK.lower().encode()
    return whole or any(f"{name}={value}".lower() == ONE_CLICK.lower() for name, value in request.POST.items())


def undo(request: HttpRequest, key: UnsubscribeKey, said: Words) -> HttpResponse:
    """Come back by one's own wish; what a complaint or staff decided stays as it is."""
    subscribing.rejoin(key.canonical, key.lists, "page", said.plain("undo_button"))
    if subscribing.has_left(key.canonical, key.lists):
        return page(request, "message.html", "back_not", words=said, paragraphs=("back_not_text",))
    return choice(request, key, said, "back", "back_title", (), action="leave", tone="good")


def left(request: HttpRequest, key: UnsubscribeKey, said: Words, **more: Any) -> HttpResponse:
    """They have left (now, or before): what that means, the way back, and why, if they like."""
    return choice(request, key, said, "left", "left_title", ("left_soon",), action="undo", tone="good", **more)


def choice(
    request: HttpRequest,
    key: UnsubscribeKey,
    said: Words,
    sentence: str,
    title: str,
    paragraphs: tuple[str, ...],
    **more: Any,
) -> HttpResponse:
    """The page for one person and their set of lists."""
    facts: dict[str, Any] = {"address": links.masked(key.canonical), "lists": titles(key.lists, said), "test": False}
    facts |= (more.pop("offers", None) or leaving.offers(key, person_of(key.canonical), said)) | more
    return page(request, "choice.html", title, words=said, sentence=sentence, paragraphs=paragraphs, **facts)


def test_copy(request: HttpRequest, one_click: bool) -> HttpResponse:
    """A test copy's link: the same page, and the plain statement that it changes nothing."""
    if one_click:
        return HttpResponse("This was a test copy: nobody was unsubscribed.\n", PLAIN)
    said = words_for(request)
    if request.method == "POST":
        return page(request, "message.html", "test_title", words=said, paragraphs=("test_done",))
    lists = titles(list(settings.current().lists)[:1], said)
    facts: dict[str, Any] = {"address": links.masked("sam@example.org"), "lists": lists, "test": True}
    facts |= leaving.NOTHING
    return page(
        request,
        "choice.html",
        "leave_title",
        words=said,
        sentence="leave",
        paragraphs=("leave_to",),
        action="leave",
        **facts,
    )


def titles(lists: list[str], said: Words) -> list[ListWords]:
    """The lists as people know them, in the page's language; one that is no longer configured keeps its key."""
    return [settings.current().list_said(key, said.language) for key in lists]
