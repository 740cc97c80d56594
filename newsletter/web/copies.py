"""View in browser: a person's own copy, or the public copy that may be shared.

The link in a mail names its person. It leads on at once to the address of the public copy with a seal behind it that
shows the own copy for ten minutes, and where scripts run, one takes the seal out of the address that is shown. So what
is copied from there shows everybody the public copy, and no cookie is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from newsletter.audience import quickly
from newsletter.mail.tokens import Purpose
from newsletter.sending import archiving, copies, previewing
from newsletter.sending.archiving import Standing
from newsletter.sending.models import Delivery, Mailing
from newsletter.web import frame, links
from newsletter.web.answers import page, unknown_link
from newsletter.web.words import asked, words_for

OWN = timedelta(minutes=10)  # long enough to load, to zoom and to load again
PRIVATE = "private, no-store"
SHARED = "public, max-age=60"  # a note or a withdrawal is seen within a minute


def view(request: HttpRequest, token: str) -> HttpResponse:
    """`/v/<token>`. The mail's HTML without scripts of its own, forms or anything loaded from elsewhere (T6)."""
    found = links.read(token, Purpose.VIEW, Purpose.TEST)
    if found is None:
        return unknown_link(request)
    if found[0] is Purpose.TEST:
        return page(request, "message.html", "test_title", paragraphs=("test_view",))
    # A seal stands behind the address of a shared copy, so that is looked for first.
    shared = copies.light("public_id = %s", [found[1]]) if "own" in request.GET else None
    delivery = None if shared else delivery_of(found[1])
    mailing = delivery.mailing if delivery else shared or copies.light("public_id = %s", [found[1]])
    if mailing is None:
        return gone(request)
    about = archiving.page_of(mailing)
    standing = archiving.standing(mailing, about)
    if standing is Standing.HIDDEN:
        return unknown_link(request)
    if standing is Standing.WITHDRAWN:
        return withdrawn(request)
    if delivery is not None:
        return lead_on(delivery)
    own = owner(request, mailing)
    if own is not None:
        html = frame.noted(copies.personal(own), words_for(request, own.language), frame.around_of(about))
        return frame.shown(html, PRIVATE, hidden=True, own=True)
    if mailing.settings.get("archive") == "none":
        return gone(request)
    html = copies.public(mailing, reader_language(asked(request), copies.languages(mailing).shown))
    html = frame.noted(html, words_for(request), frame.around_of(about))
    cache = PRIVATE if request.GET else SHARED
    answer = frame.shown(html, cache, hidden=mailing.settings.get("archive") != "public" or bool(request.GET))
    answer.headers["Vary"] = "Accept-Language"
    return answer


def lead_on(delivery: Delivery) -> HttpResponse:
    """303 to the public copy's address, with a seal for the own one."""
    ring = links.keyring()
    stored = bytes(delivery.token).hex()
    seal = previewing.seal(ring, previewing.COPY, stored, timezone.now() + OWN)
    shared = ring.make(Purpose.VIEW, bytes(delivery.mailing.public_id))
    where = f"{frame.root()}/v/{shared}?own={stored}-{seal}"
    return HttpResponse(status=303, headers={"Location": where, "Cache-Control": PRIVATE})


def owner(request: HttpRequest, mailing: Mailing) -> Delivery | None:
    """Whose copy the seal in the address shows; None where there is none, or it is forged, of another, or over."""
    stored, _, seal = request.GET.get("own", "").partition("-")
    if not previewing.ends(links.keyring(), previewing.COPY, stored, seal):
        return None
    delivery = quickly.first(Delivery, "token = %s", [bytes.fromhex(stored)])
    if delivery is None or delivery.mailing_id != mailing.pk:
        return None
    delivery.mailing = mailing
    return delivery


def delivery_of(token: bytes) -> Delivery | None:
    """The copy of this token, with its mailing but not with what was rendered for it."""
    delivery = quickly.first(Delivery, "token = %s", [token])
    mailing = copies.light("id = %s", [delivery.mailing_id]) if delivery else None
    if delivery is None or mailing is None:
        return None
    delivery.mailing = mailing
    return delivery


def gone(request: HttpRequest) -> HttpResponse:
    """A right link to what has no page for everybody."""
    return page(request, "message.html", "gone_title", paragraphs=("gone_text",), status=404)


def withdrawn(request: HttpRequest) -> HttpResponse:
    """410: it was here, and it was taken away on purpose."""
    return page(request, "message.html", "withdrawn_title", paragraphs=("withdrawn_text",), status=410)


def reader_language(wanted: Sequence[str], held: Mapping[str, Mapping[str, Any]]) -> str:
    """The key of the translation that the reader asks for first; "" = the one the issue is written in."""
    languages = {key.lower() or str(held[key].get("language", "")).lower(): key for key in held}
    for tag in wanted:
        for language, key in languages.items():
            if tag and tag.split("-")[0] == language.split("-")[0]:
                return key
    return ""
