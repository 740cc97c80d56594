"""What every answer carries: no cookie but that of the sign-up page, nothing from elsewhere; plain words for faults."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError

from newsletter.audience.database import explained
from newsletter.problems import NewsletterError
from newsletter.web import signup_cookie
from newsletter.web.look import CSS_HASH

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src '{CSS_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}


def headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: adds what a page has not decided itself."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        for name in [name for name in response.cookies if name != signup_cookie.NAME]:
            del response.cookies[name]
        if not response.streaming and response.status_code not in (204, 304):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    middleware.process_exception = apologise  # type: ignore[attr-defined]
    return middleware


def apologise(request: HttpRequest, error: Exception) -> HttpResponse:
    """A page instead of a traceback. The address is not logged: it holds a person's token."""
    from newsletter.web.answers import page

    # DataError: PostgreSQL keeps no text with a NUL in it, which no browser sends.
    if isinstance(error, BadRequest | SuspiciousOperation | MultiPartParserError | DataError):
        return page(request, "message.html", "method_title", paragraphs=("method_text",), status=400)
    known = error if isinstance(error, NewsletterError) else explained(error)
    if known:
        log.error("a page could not be made: %s", known)
    else:
        log.error("a page failed", exc_info=error)
    answer = page(request, "message.html", "error_title", paragraphs=("error_text",), status=503 if known else 500)
    answer.headers["Retry-After"] = "120"
    return answer
