"""The Atom feed of the archive (RFC 4287): the newest public messages, with names that stay and times that move when a
message gets a note, is corrected, or comes back."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from xml.etree import ElementTree

from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.sending import shelf

ATOM = "http://www.w3.org/2005/Atom"
ENTRIES = 50
BEGAN = datetime(2000, 1, 1, tzinfo=UTC)  # `updated` of a feed that has nothing yet: an element that must be there
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # not in XML 1.0, or unwise
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def feed(request: HttpRequest) -> HttpResponse:
    """`/feed.xml`. Asked for again with its ETag it is 304 and empty, which is what readers do every half an hour."""
    data = written()
    headers = {
        "ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"',
        "Cache-Control": "public, max-age=60",
        "X-Robots-Tag": "noindex",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    if headers["ETag"] in known:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(data, "application/atom+xml; charset=utf-8", headers=headers)


def written() -> bytes:
    """The feed as bytes; the same state of the archive gives the same bytes."""
    config = settings.current()
    base = config.base_url
    kept = shelf.read()
    slugs = {one.mailing: one.slug for one in kept.entries}
    rows = kept.entries[:ENTRIES]
    # What was withdrawn is not an entry any more, but its going is a change.
    times = [*map(changed, rows), *filter(None, (kept.changed_at,))]
    top = ElementTree.Element(f"{{{ATOM}}}feed", {XML_LANG: config.site.language})
    _text(top, "id", f"{base}/feed.xml")
    _text(top, "title", config.site.name)
    _text(top, "updated", _time(max([BEGAN, *times])))
    _link(top, "self", f"{base}/feed.xml", "application/atom+xml")
    _link(top, "alternate", f"{base}/archive", "text/html")
    _text(_child(top, "author"), "name", config.site.name)
    around, end = _bytes(top, declared=True), b"</feed>"
    entries = (_entry(one, base, slugs.get(one.corrects or 0, "")) for one in rows)
    return around.removesuffix(end) + b"".join(entries) + end


@lru_cache(maxsize=2 * ENTRIES)
def _entry(one: shelf.Entry, base: str, corrected: str) -> bytes:
    """Written once: 50 of them take 6 ms, and nothing is in it but what is asked for by."""
    title = one.titles.get("") or {}
    item = ElementTree.Element(f"{{{ATOM}}}entry", {XML_LANG: title["language"]} if title.get("language") else {})
    _text(item, "id", one.facts.name)
    _text(item, "title", title.get("title") or one.slug)
    _link(item, "alternate", f"{base}/archive/{one.slug}", "text/html")
    _text(item, "published", _time(one.published))
    _text(item, "updated", _time(changed(one)))
    _text(_child(item, "author"), "name", one.facts.sender)
    if summary := "\n".join(filter(None, (one.note, title.get("summary", "")))):
        _text(item, "summary", summary)
    if corrected:
        _link(item, "related", f"{base}/archive/{corrected}", "text/html")
    return _bytes(item).replace(f' xmlns="{ATOM}"'.encode(), b"", 1)  # the feed around it says so


def _bytes(element: ElementTree.Element, *, declared: bool = False) -> bytes:
    ElementTree.register_namespace("", ATOM)
    return bytes(ElementTree.tostring(element, encoding="utf-8", xml_declaration=declared))


def changed(one: shelf.Entry) -> datetime:
    """When there was last something new to see."""
    return max(one.published, one.changed_at) if one.changed_at else one.published


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{ATOM}}}{name}")


def _text(parent: ElementTree.Element, name: str, words: str) -> None:
    _child(parent, name).text = _CONTROL.sub("", words)


def _link(parent: ElementTree.Element, rel: str, href: str, kind: str) -> None:
    _child(parent, "link").attrib.update({"rel": rel, "href": href, "type": kind})


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
