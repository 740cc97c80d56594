"""The pages about this address itself: a neutral front page, the sign of life, and the proof that it is ours."""

from __future__ import annotations

import re

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from newsletter import __version__, settings
from newsletter.web import links
from newsletter.web.answers import contact, page, unknown_link

NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


def home(request: HttpRequest) -> HttpResponse:
    """`/`. Says whose address this is, and nothing that a stranger could use."""
    return page(request, "message.html", "home_title", paragraphs=("home_text",))


def accessibility(request: HttpRequest) -> HttpResponse:
    """`/accessibility`. What public bodies must say about their pages (PSBAR 2018); who enforces it, in Britain."""
    config = settings.current()
    return page(
        request,
        "access.html",
        "access_title",
        can=("access_zoom", "access_keys", "access_reader", "access_colours", "access_scripts"),
        address=config.base_url,
        version=__version__,
        contact=contact(),
        british=config.site.time_zone == "Europe/London",
    )


def health(request: HttpRequest) -> HttpResponse:
    """`/healthz`. 200 when the database answers; the middleware makes a 503 of it when not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    return HttpResponse("ok\n", "text/plain; charset=utf-8")


def well_known(request: HttpRequest) -> HttpResponse:
    """`/.well-known/newsletter?nonce=…`. Proves that this address is served with our key; `send` asks before it
    starts. The signature has a label of its own, so it can never become a token."""
    nonce = request.GET.get("nonce", "")
    if not NONCE.fullmatch(nonce):
        return JsonResponse({"newsletter": 1, "problem": "nonce must be 16 to 64 letters, digits, _ or -"}, status=400)
    proof = links.keyring().sign("well-known", nonce.encode("ascii"))
    return JsonResponse({"newsletter": 1, "nonce": nonce, "proof": proof})


def robots(request: HttpRequest) -> HttpResponse:
    """`/robots.txt`. Pages carry noindex; here only the personal ones are kept out of the crawl itself."""
    return HttpResponse(
        "User-agent: *\n" + "".join(f"Disallow: /{one}/\n" for one in ("u", "r", "c", "p", "rate", "preview")),
        "text/plain; charset=utf-8",
    )


def no_icon(request: HttpRequest) -> HttpResponse:
    """`/favicon.ico`. Browsers ask by themselves; an empty answer keeps them from asking again."""
    headers = {"Cache-Control": "public, max-age=86400", "Cross-Origin-Resource-Policy": "cross-origin"}
    return HttpResponse(status=204, headers=headers)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Every other address."""
    return unknown_link(request)
