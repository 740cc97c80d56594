"""A mail as a page of the site: what stands around its words, and how it is locked in.

The mail's HTML is taken as it was frozen; ours is put into its head, and before and after its words. The whole page is
in the mail's sandbox: no script, no form, nothing from elsewhere (T6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.html import escape

from newsletter import settings
from newsletter.sending import archiving, copies
from newsletter.sending import links as of_copy
from newsletter.sending.models import ArchivePage, Mailing
from newsletter.web.look import ADDRESS_HASH, ADDRESS_TEXT
from newsletter.web.words import Words

_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_CLASS = re.compile(r'\sclass="([^"<>]*)"', re.IGNORECASE)
_TITLE = re.compile(r"<title>[^<]*</title>", re.IGNORECASE)
NAMES = {
    "en": "English",
    "cy": "Cymraeg",
    "ar": "العربية",
    "ur": "اردو",
    "pl": "Polski",
    "ro": "Română",
    "gd": "Gàidhlig",
}


@dataclass(frozen=True)
class Around:
    """What is said around one copy. `corrections` and `corrects` are {title, href}."""

    title: str = ""
    note: str = ""
    corrections: tuple[Mapping[str, str], ...] = ()
    corrects: Mapping[str, str] | None = None
    languages: tuple[Mapping[str, str], ...] = field(default=())
    listed: bool = False
    preview: str = ""  # until when, in words

    @property
    def says_something(self) -> bool:
        return bool(self.note or self.corrections or self.corrects or self.preview)


def page(html: str, said: Words, around: Around, facts: Mapping[str, Any]) -> str:
    """The whole page: skip link, the way back to the archive, the mail as `main`, how to answer and to get it."""
    config = settings.current()
    values = {
        "w": said,
        "site": config.site,
        "root": root(),
        "list": True,
        "feed": True,
        "subscribe": subscribe_address(),
        "reply": of_copy.to_our_desk(facts),
        "exit_url": config.web.exit_url if facts.get("sensitive") else "",
        "body_class": _class_of(html),
        **vars(around),
    }
    titled = f"<title>{escape(around.title)} – {escape(config.site.name)}</title>"
    html = _TITLE.sub(lambda _: titled, html, count=1) if around.title else html
    return dressed(
        html,
        render_to_string("frame_head.html", values),
        render_to_string("frame_top.html", values),
        render_to_string("frame_end.html", values),
    )


def _class_of(html: str) -> str:
    """The class of the mail's body. `main` gets it too, for style sheets that say `.page > div`."""
    body = _BODY.search(html)
    found = _CLASS.search(body[0]) if body else None
    return unescape(found[1]) if found else ""


def noted(html: str, said: Words, around: Around) -> str:
    """A copy that keeps its own look, as `main` of its page; with the note or the correction above it, where one is."""
    main, end = f'<main class="{escape(_class_of(html))}">'.replace(' class=""', ""), "</main>"
    if not around.says_something:
        return dressed(html, "", main, end)
    values = {"w": said, "site": settings.current().site, "root": root(), "feed": False, **vars(around)}
    note = render_to_string("frame_note.html", values)
    return dressed(html, render_to_string("frame_head.html", values), note + main, end)


def dressed(html: str, head: str, top: str, end: str) -> str:
    """`html` with these put at the end of its head, the beginning and the end of its body."""
    found = _BODY.search(html)
    if not found:
        return top + html + end
    before, after = html[: found.start()], html[found.end() :]
    words, close, rest = after.rpartition("</body>")
    words, rest = (words, rest) if close else (after, "")
    start, head_close, between = before.rpartition("</head>")
    before = f"{start}{head}{head_close}{between}" if head_close else before + head
    return f"{before}{found[0]}{top}{words}{end}{close}{rest}"


def around_of(page_: ArchivePage, title: str = "", **more: Any) -> Around:
    """The note of a page and its corrections; a link only to what may be seen."""
    mailing = page_.mailing
    found = archiving.corrections(mailing) if page_.corrected is None or page_.corrected else []
    corrections = tuple(_linked(one.mailing) for one in found if archiving.delivered(one.mailing))
    first = copies.light("id = %s", [page_.corrects_id]) if page_.corrects_id else None
    return Around(title, page_.note, corrections, _linked(first) if first else None, **more)


def _linked(mailing: Mailing) -> dict[str, str]:
    page_ = archiving.page_of(mailing)
    seen = archiving.is_published(page_)
    title = page_.titles.get("", {}).get("title") or mailing.slug
    return {"title": str(title), "href": f"{root()}/archive/{mailing.slug}" if seen else ""}


def root() -> str:
    """The path that the site lies under, without the last /: mostly nothing."""
    return urlsplit(settings.current().base_url).path.rstrip("/")


def subscribe_address() -> str:
    """Where to subscribe; "" while this version serves no such page."""
    try:
        resolve("/subscribe")
    except Resolver404:
        return ""
    return f"{root()}/subscribe"


def shown(html: str, cache: str, *, hidden: bool, own: bool = False) -> HttpResponse:
    """The copy in a sandbox: even a script that got past every other wall would not run, nor read this origin.
    `own`: a person's copy, whose address is cleaned by the one script that may run, named by its hash."""
    if own:
        html = dressed(html, "", "", f"<script>{ADDRESS_TEXT}</script>")
    answer = HttpResponse(html, headers={"Content-Security-Policy": policy(own), "Cache-Control": cache})
    if not hidden:
        answer.headers["X-Robots-Tag"] = "all"
    return answer


def policy(own: bool = False) -> str:
    """Pictures from here only; styles inline, as mail has them; links work, `mailto:` included."""
    base = urlsplit(settings.current().base_url)
    script = (f"script-src '{ADDRESS_HASH}'; ", " allow-scripts") if own else ("", "")
    return (
        f"default-src 'none'; img-src 'self' {base.scheme}://{base.netloc} data:; style-src 'unsafe-inline'; "
        f"{script[0]}base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation{script[1]}"
    )
