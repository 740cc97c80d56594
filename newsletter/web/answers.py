"""Making one page: the words of the reader's language, the template, the status."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from newsletter import settings
from newsletter.web.words import Words, words_for


def page(
    request: HttpRequest, template: str, title: str, *, words: Words | None = None, status: int = 200, **values: Any
) -> HttpResponse:
    """Render `pages/<template>`; `title` is a key of the folder words/. The database is not touched."""
    said = words or words_for(request)
    config = settings.current()
    common = {"w": said, "title": title, "site": config.site, "root": urlsplit(config.base_url).path.rstrip("/")}
    html = render_to_string(template, {**common, "tone": "", "private": "private", **values})
    return HttpResponse(html, status=status, headers={"Content-Language": said.language})


def unknown_link(request: HttpRequest) -> HttpResponse:
    """404 that helps: what may have happened to the link, and how to leave by mail instead."""
    return page(request, "unknown.html", "unknown_title", contact=contact(), status=404)


def nobody(request: HttpRequest, name: str) -> HttpResponse:
    """The link is ours, and its person is not here any more: `name` is "forgotten", or "removed" from the list."""
    return page(request, "ended.html", "nobody_title", sentence=f"nobody_{name}", contact=contact(), tone="good")


def contact() -> str:
    """The address of the first sender, for people whose link is broken."""
    senders = settings.current().senders
    return next(iter(senders.values())).address if senders else ""
