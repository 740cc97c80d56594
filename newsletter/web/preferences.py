"""A person's own page: which messages, where they live, their language, a pause; and the way to their data.

The link stands in every mail, and mails are forwarded and printed. So whoever has it sees the lists and a masked
address, and can change what this address gets, which the owner sees and can undo; name, area and language are never
shown, and what could do harm (another address, the data, erasure) only sends a link to the address on record.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from newsletter import settings
from newsletter.audience import never, quickly, requests, subscribing
from newsletter.audience.models import Request, Subscriber
from newsletter.content import finding as finding_issues
from newsletter.mail.tokens import Purpose
from newsletter.sending import finding
from newsletter.web import links, places
from newsletter.web.answers import nobody, page, unknown_link
from newsletter.web.methods import refused
from newsletter.web.words import Words, words_for

CHANNEL = "page"
PAUSES = {"1": 30, "3": 91}  # months → days
LANGUAGES = {"en": "English", "cy": "Cymraeg", "ar": "العربية", "ur": "اردو"}  # each in its own words
ASKS = {"change": Request.Kind.CHANGE, "data": Request.Kind.DATA, "forget": Request.Kind.FORGET}


@dataclass(frozen=True)
class Chosen:
    """What the person gets now."""

    lists: tuple[str, ...]
    paused: datetime | None  # the latest moment of a pause that lies ahead


def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """`/p/<token>`, the token of the mail's unsubscribe link. GET and HEAD show, POST acts."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    found = links.read(token, Purpose.UNSUBSCRIBE, Purpose.TEST)
    if found and found[0] is Purpose.TEST:
        return test_copy(request)
    key = finding.unsubscribe_key(found[1]) if found else None
    if key is None:
        return unknown_link(request)
    person = person_of(key.canonical)
    if person is None:
        return nobody(request, "forgotten" if never.is_erased(key.canonical) else "removed")
    said = words_for(request, person.language)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "save":
        return save(request, person, said)
    if action in ASKS:
        facts = {"language": said.language}
        requests.make(ASKS[action], person.canonical, person.address, facts, said.plain(f"preferences_{action}"))
        return sent(request, said, links.masked(person.canonical))
    return shown(request, said, person)


def person_of(canonical: str) -> Subscriber | None:
    """Who has this address, or had it when the mail was sent."""
    return subscribing.person_of(canonical)


def save(request: HttpRequest, person: Subscriber, said: Words) -> HttpResponse:
    """Take over what was chosen, and show it."""
    config = settings.current()
    lists = [key for key in config.lists if key in request.POST.getlist("list")]
    subscribing.choose(person.canonical, lists, CHANNEL, wording(said, lists))
    facts: dict[str, Any] = dict(places.read(request.POST.get("area", "")))
    language = request.POST.get("language", "")
    if language in spoken(person.language) and language != said.language:
        facts["language"] = language
    if facts:
        subscribing.edit(person.canonical, facts, CHANNEL, why="their own page")
    pause = request.POST.get("pause", "")
    if pause in PAUSES:
        until = timezone.now() + timedelta(days=PAUSES[pause])
        subscribing.pause(person.canonical, [], until, CHANNEL, said.plain(f"pause_{pause}"))
    elif pause == "none":
        subscribing.resume(person.canonical, [], CHANNEL, said.plain("pause_none"))
    now = Subscriber.objects.get(pk=person.pk)
    return shown(request, words_for(request, now.language), now, saved=True)


def wording(said: Words, lists: Sequence[str]) -> str:
    """What was ticked, and the button."""
    titles = "; ".join(settings.current().list_said(key, said.language).title for key in lists)
    return f"{said.plain('subscribe_lists')} {titles or '–'} [{said.plain('preferences_save')}]"


def chosen(person: Subscriber) -> Chosen:
    """Lists that they are on, in our order, and whether they pause."""
    rows = quickly.confirmed(person.pk)
    now = timezone.now()
    paused = [until for until in rows.values() if until and until > now]
    return Chosen(tuple(key for key in settings.current().lists if key in rows), max(paused, default=None))


def shown(request: HttpRequest, said: Words, person: Subscriber, *, saved: bool = False) -> HttpResponse:
    """The page as things stand."""
    stopped = not subscribing_open(person)
    now = chosen(person)
    return rendered(
        request,
        said,
        address=links.masked(person.canonical),
        chosen=() if stopped else now.lists,
        paused=day(now.paused) if now.paused and not stopped else "",
        saved=saved,
        languages=spoken(person.language),
        tone="good" if saved else "",
    )


def spoken(theirs: str = "") -> dict[str, str]:
    """The languages that may be chosen: the site's, those of the issues' translations, and the person's own."""
    config = settings.current()
    written = _translated(config.root / "issues", int(time.monotonic() // 60))
    tags = {tag.partition("-")[0].lower() for tag in (config.site.language, theirs, *written)}
    return {tag: name for tag, name in LANGUAGES.items() if tag in tags}


@lru_cache(maxsize=2)
def _translated(folder: Path, minute: int) -> frozenset[str]:
    """Looked up once a minute: the folders of 300 issues take 10 ms, and every page of this kind asks."""
    names = (finding_issues.TRANSLATION.fullmatch(path.name) for path in folder.glob("[!.]*/issue.*.md"))
    return frozenset(match[1] for match in names if match)


def subscribing_open(person: Subscriber) -> bool:
    """False when a suppression keeps every mailing from them."""
    return never.found(person.canonical) is None


def rendered(request: HttpRequest, said: Words, **facts: Any) -> HttpResponse:
    """The form with these facts."""
    lists = {key: one.said(said.language) for key, one in settings.current().lists.items()}
    values: dict[str, Any] = {"lists": lists, "languages": spoken(), "test": False, **facts}
    return page(request, "preferences.html", "preferences_title", words=said, **values)


def day(moment: datetime) -> str:
    """A date that reads the same in every language: 2027-02-24."""
    return timezone.localtime(moment).date().isoformat()


def sent(request: HttpRequest, said: Words, address: str) -> HttpResponse:
    """Always the same: a link is on its way, or three of today are."""
    more: dict[str, Any] = {"address": address, "tone": "good", "private": "private", "several": True}
    return page(request, "asked.html", "asked_title", words=said, **more)


def test_copy(request: HttpRequest) -> HttpResponse:
    """A test copy's link: the page as people see it, and no button that does anything."""
    said = words_for(request)
    if request.method == "POST":
        return page(request, "message.html", "test_title", words=said, paragraphs=("test_done",))
    lists = tuple(settings.current().lists)[:1]
    address = links.masked("sam@example.org")
    return rendered(request, said, address=address, chosen=lists, paused="", saved=False, tone="", test=True)
