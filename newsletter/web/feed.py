"""The Atom feed of the archive (RFC 4287): the newest public messages, with names that stay and times that move when a
message gets a note, is corrected, or comes back."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from django.db.models import Max
from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.sending import archiving
from newsletter.sending.models import ArchivePage

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
    rows = list(archiving.published()[:ENTRIES])
    times = [changed(one) for one in rows]
    # What was withdrawn is not an entry any more, but its going is a change.
    moved = ArchivePage.objects.filter(listed=True, mailing__in=archiving.reached()).aggregate(at=Max("changed_at"))
    ElementTree.register_namespace("", ATOM)
    top = ElementTree.Element(f"{{{ATOM}}}feed", {XML_LANG: config.site.language})
    _text(top, "id", f"{base}/feed.xml")
    _text(top, "title", config.site.name)
    _text(top, "updated", _time(max([BEGAN, *times, *filter(None, (moved["at"],))])))
    _link(top, "self", f"{base}/feed.xml", "application/atom+xml")
    _link(top, "alternate", f"{base}/archive", "text/html")
    _text(_child(top, "author"), "name", config.site.name)
    for one in rows:
        _entry(top, one, base)
    return bytes(ElementTree.tostring(top, encoding="utf-8", xml_declaration=True))


def _entry(top: ElementTree.Element, one: ArchivePage, base: str) -> None:
    title = one.titles.get("") or {}
    item = _child(top, "entry")
    if title.get("language"):
        item.set(XML_LANG, title["language"])
    _text(item, "id", archiving.name_of(one.mailing))
    _text(item, "title", title.get("title") or one.mailing.slug)
    _link(item, "alternate", f"{base}/archive/{one.mailing.slug}", "text/html")
    _text(item, "published", _time(one.published))  # type: ignore[attr-defined]  # annotated by archiving.published
    _text(item, "updated", _time(changed(one)))
    _text(_child(item, "author"), "name", str(one.mailing.settings.get("sender_name") or one.mailing.slug))
    summary = "\n".join(filter(None, (one.note, title.get("summary", ""))))
    if summary:
        _text(item, "summary", summary)
    if one.corrects_id and archiving.published().filter(pk=one.corrects_id).exists():
        _link(item, "related", f"{base}/archive/{one.corrects.slug}", "text/html")  # type: ignore[union-attr]


def changed(one: ArchivePage) -> datetime:
    """When there was last something new to see."""
    published: datetime = one.published  # type: ignore[attr-defined]  # annotated by archiving.published
    return max(published, one.changed_at) if one.changed_at else published


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{ATOM}}}{name}")


def _text(parent: ElementTree.Element, name: str, words: str) -> None:
    _child(parent, name).text = _CONTROL.sub("", words)


def _link(parent: ElementTree.Element, rel: str, href: str, kind: str) -> None:
    _child(parent, "link").attrib.update({"rel": rel, "href": href, "type": kind})


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
