"""View in browser: a person's own copy, or the public copy that may be shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.mail.tokens import Purpose
from newsletter.sending import copies
from newsletter.sending.models import Delivery, Mailing
from newsletter.web import links
from newsletter.web.answers import page, unknown_link
from newsletter.web.words import asked


def view(request: HttpRequest, token: str) -> HttpResponse:
    """`/v/<token>`. The mail's HTML without scripts, forms or anything loaded from elsewhere (T6)."""
    found = links.read(token, Purpose.VIEW, Purpose.TEST)
    if found is None:
        return unknown_link(request)
    if found[0] is Purpose.TEST:
        return page(request, "message.html", "test_title", paragraphs=("test_view",))
    delivery = Delivery.objects.select_related("mailing").filter(token=found[1]).first()
    if delivery is not None:
        return shown(copies.personal(delivery), "private, no-store", hidden=True)
    mailing = Mailing.objects.filter(public_id=found[1]).first()
    if mailing is None or mailing.settings.get("archive") == "none":
        return page(request, "message.html", "gone_title", paragraphs=("gone_text",), status=404)
    html = copies.public(mailing, reader_language(asked(request), mailing.public or mailing.rendered))
    answer = shown(html, "public, max-age=300", hidden=mailing.settings.get("archive") != "public")
    answer.headers["Vary"] = "Accept-Language"
    return answer


def reader_language(wanted: Sequence[str], held: Mapping[str, Mapping[str, Any]]) -> str:
    """The key of the translation that the reader asks for first; "" = the one the issue is written in."""
    languages = {key.lower() or str(held[key].get("language", "")).lower(): key for key in held}
    for tag in wanted:
        for language, key in languages.items():
            if tag and tag.split("-")[0] == language.split("-")[0]:
                return key
    return ""


def shown(html: str, cache: str, *, hidden: bool) -> HttpResponse:
    """The copy in a sandbox: even a script that got past every other wall would not run, nor read this origin."""
    answer = HttpResponse(html, headers={"Content-Security-Policy": policy(), "Cache-Control": cache})
    if not hidden:
        answer.headers["X-Robots-Tag"] = "all"
    return answer


def policy() -> str:
    """Pictures from here only; styles inline, as mail has them; links work, `mailto:` included."""
    base = urlsplit(settings.current().base_url)
    return (
        f"default-src 'none'; img-src 'self' {base.scheme}://{base.netloc} data:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    )
