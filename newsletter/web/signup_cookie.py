"""The one cookie: the browser that filled in the sign-up form may confirm by opening the link, without a button.

It holds a random word, we keep its hash beside the request, and it is sent to /c/ only. Without it everything works.
"""

from __future__ import annotations

import hashlib
import secrets

from django.http import HttpRequest, HttpResponse

from newsletter import settings

NAME = "signup"
LASTS = 24 * 3600  # seconds


def word() -> str:
    """A new random word."""
    return secrets.token_urlsafe(24)


def hashed(word: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(word.encode()).hexdigest()


def give(answer: HttpResponse, word: str) -> None:
    """Send it with this answer; the middleware clears every other cookie."""
    secure = settings.current().base_url.startswith("https:")
    answer.set_cookie(NAME, word, max_age=LASTS, path="/c/", httponly=True, samesite="Lax", secure=secure)


def fits(request: HttpRequest, kept: str) -> bool:
    """True when the browser that opens the link is the one that asked."""
    word = request.COOKIES.get(NAME, "")
    return bool(word and kept) and secrets.compare_digest(hashed(word), kept)
