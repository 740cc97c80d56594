"""Who asks: the address of a request, also behind a web server that passes requests on."""

from __future__ import annotations

from django.http import HttpRequest

from newsletter import settings


def address(request: HttpRequest) -> str:
    """The visitor's IP address. What `X-Forwarded-For` says counts only when `[web] proxy` sent it, and of it only the
    last entry, which that proxy wrote itself; anybody can write the others."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if peer and peer == settings.current().web.proxy:
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or peer
    return peer
