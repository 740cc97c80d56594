"""The archive: every public message that somebody got, and each as a page of the site. Opening it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from newsletter import settings
from newsletter.content import when
from newsletter.content.values import long_date
from newsletter.rendering.languages import primary
from newsletter.sending import archiving, copies, previewing, shelf
from newsletter.sending.models import ArchivePage, Draft, Mailing
from newsletter.web import frame, links
from newsletter.web.answers import page, unknown_link
from newsletter.web.copies import SHARED, reader_language, withdrawn
from newsletter.web.words import Words, asked, words, words_for

A_PAGE = 20
LAST_PAGE = 10_000


def index(request: HttpRequest) -> HttpResponse:
    """`/archive?q=&year=&page=`. Bad values are taken as none: a link cut in two still leads somewhere."""
    said = words_for(request)
    wanted = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:200]
    year = _number(request.GET.get("year", ""), 9999)
    number = _number(request.GET.get("page", ""), LAST_PAGE) or 1
    rows = shelf.read().entries
    years = sorted({of_year(one) for one in rows}, reverse=True)
    if wanted:
        matching = set(archiving.matching(ArchivePage.objects.all(), wanted).values_list("pk", flat=True))
        rows = tuple(one for one in rows if one.mailing in matching)
    rows = tuple(one for one in rows if of_year(one) == year) if year else rows
    start = (number - 1) * A_PAGE
    found = rows[start : start + A_PAGE + 1]
    answer = page(
        request,
        "archive.html",
        "archive_title",
        words=said,
        q=wanted,
        year=year,
        number=number,
        years=years,
        entries=[entry(one, said, asked(request)) for one in found[:A_PAGE]],
        newer=number - 1,
        older=number + 1 if len(found) > A_PAGE else 0,
        linked=linked,
        root=frame.root(),
        subscribe=frame.subscribe_address(),
    )
    answer.headers["Cache-Control"] = SHARED
    answer.headers["Vary"] = "Accept-Language"
    answer.headers["X-Robots-Tag"] = "noindex, follow" if wanted or number > 1 else "all"
    return answer


def linked(wanted: str = "", year: int = 0, number: int = 0) -> str:
    """The part after `?` that keeps what was asked for."""
    chosen = {"q": wanted, "year": year, "page": number if number > 1 else 0}
    text = urlencode({key: value for key, value in chosen.items() if value})
    return f"?{text}" if text else ""


def of_year(one: shelf.Entry) -> int:
    """The year of its day here."""
    return timezone.localtime(one.published).year


def entry(one: shelf.Entry, said: Words, wanted: tuple[str, ...]) -> dict[str, str]:
    """What the list says of one message, in the reader's language where it was sent in it."""
    title = one.titles.get(reader_language(wanted, one.titles)) or one.titles.get("") or {}
    moment = timezone.localtime(one.published)
    return {
        "slug": one.slug,
        "title": title.get("title") or one.slug,
        "language": title.get("language", ""),
        "summary": title.get("summary", ""),
        "iso": moment.date().isoformat(),
        "date": long_date(moment.date().isoformat(), said.language),
        "note": one.note,
    }


def message(request: HttpRequest, slug: str) -> HttpResponse:
    """`/archive/<slug>`: a public message; 410 when it was withdrawn, 404 for every other one."""
    mailing = copies.light("slug = %s", [slug])
    about = archiving.stored(mailing) if mailing else None
    if mailing is None or about is None or not about.listed:
        return unknown_link(request)
    if about.withdrawn_at and archiving.delivered(mailing, about):
        return withdrawn(request)
    if not archiving.is_published(about):
        return unknown_link(request)
    held = copies.languages(mailing).shown
    key = chosen(request, held)
    language = held[key]["language"]
    around = frame.around_of(about, _title(about, key), languages=others(held, key), listed=True)
    html = frame.page(copies.public(mailing, key), spoken(request, language), around, mailing.settings)
    answer = frame.shown(html, SHARED, hidden=False)
    answer.headers["Vary"] = "Accept-Language"
    answer.headers["Content-Language"] = language
    return answer


def preview(request: HttpRequest, slug: str, seal: str) -> HttpResponse:
    """`/preview/<slug>/<seal>`: what nobody has got yet, for who holds the link, until it ends."""
    ring = links.keyring()
    until = previewing.ends(ring, previewing.PAGE, slug, seal)
    mailing = Mailing.objects.filter(slug=slug).first() if until else None
    draft = Draft.objects.filter(slug=slug).first() if until and mailing is None else None
    if until is None or (mailing is None and draft is None):
        return unknown_link(request)
    held: dict[str, Any] = (mailing.public or mailing.rendered) if mailing else draft.public  # type: ignore[union-attr]
    key = chosen(request, held)
    html = copies.previewed(held[key], ring, until)
    language = str(held[key].get("language", ""))
    config = settings.current()
    around = frame.Around(
        title=str(held[key].get("title", "")),
        languages=others(held, key),
        preview=when.said(until, config.site.time_zone),
    )
    facts = mailing.settings if mailing else {}
    return frame.shown(frame.page(html, spoken(request, language), around, facts), "private, no-store", hidden=True)


def chosen(request: HttpRequest, held: Mapping[str, Mapping[str, Any]]) -> str:
    """The translation that `?lang=` names, else the one that the browser asks for."""
    named = request.GET.get("lang", "")[:35].lower()
    return reader_language((named,) if re.fullmatch(r"[a-z0-9-]+", named) else asked(request), held)


def others(held: Mapping[str, Mapping[str, Any]], key: str) -> tuple[dict[str, str], ...]:
    """The other languages of a message, each by its own name."""
    found = []
    for other, rendered in held.items():
        tag = str(rendered.get("language", "")) or other
        if other != key and tag:
            found.append({"tag": tag, "name": frame.NAMES.get(primary(tag), tag)})
    return tuple(found)


def spoken(request: HttpRequest, language: str) -> Words:
    """The words around a message: in its own language where we speak it."""
    said = words(language)
    return said if said.language == primary(language) else words_for(request)


def _title(about: ArchivePage, key: str) -> str:
    title = about.titles.get(key) or about.titles.get("") or {}
    return str(title.get("title") or about.mailing.slug)


def _number(text: str, most: int) -> int:
    return min(int(text), most) if re.fullmatch(r"[0-9]{1,6}", text) else 0
