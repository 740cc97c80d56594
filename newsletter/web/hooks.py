"""`/hooks/KEY/`: where a mail service calls us. Only what it can prove is taken; nothing is told to anybody else."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse

from newsletter import settings
from newsletter.replies import hooks

PLAIN = "text/plain; charset=utf-8"
log = logging.getLogger(__name__)


def hook(request: HttpRequest, key: str) -> HttpResponse:
    """200: it is on our disk, or we knew it. 4xx: not taken. What our disk or database refuses becomes 503, and the
    provider calls again (web.middleware)."""
    if request.method == "HEAD":
        return HttpResponse(status=200)  # some providers try the address so
    if request.method != "POST":
        return HttpResponse("Only a mail service calls here.\n", PLAIN, 405, headers={"Allow": "POST, HEAD"})
    config = settings.current()
    if key not in config.hooks:
        return HttpResponse("Nothing is called so here.\n", PLAIN, 404)
    body = request.read(hooks.BIGGEST + 1)
    if len(body) > hooks.BIGGEST:
        return HttpResponse("Too big.\n", PLAIN, 413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        taken = hooks.take(config, key, hooks.Call(headers, body))
    except hooks.Forged as error:
        log.warning("a call at /hooks/%s/ was refused: %s", key, error)
        return HttpResponse("Refused.\n", PLAIN, 403)
    except hooks.Unusable as error:
        log.error("a call at /hooks/%s/ could not be read: %s", key, error)
        return HttpResponse("Not understood.\n", PLAIN, 400)
    return HttpResponse(f"{taken} new.\n", PLAIN)
