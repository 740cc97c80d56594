"""Pages that only show: every method but GET and HEAD is answered without doing anything."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from newsletter.web.answers import page

View = Callable[..., HttpResponse]


def reading_only(view: View) -> View:
    """Let GET and HEAD through; OPTIONS names them, anything else is 405."""

    @wraps(view)
    def guarded(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, **arguments)
        return refused(request, "GET, HEAD, OPTIONS")

    return guarded


def refused(request: HttpRequest, allow: str) -> HttpResponse:
    """OPTIONS gets the list of methods; the others a page that says that nothing was changed."""
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": allow})
    answer = page(request, "message.html", "method_title", paragraphs=("method_text",), status=405)
    answer.headers["Allow"] = allow
    return answer
