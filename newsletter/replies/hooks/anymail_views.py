"""django-anymail's checks and readings of events, without its pages: they get a request that we made ourselves."""

from __future__ import annotations

import warnings
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict

from newsletter.replies.hooks.calls import Call, Forged, Unusable


def checked(view: Any, call: Call) -> HttpRequest:
    """The request, after every check that the view knows. Raises Forged."""
    request = request_of(call)
    try:
        view.run_validators(request)
    except SuspiciousOperation as error:  # anymail's validation failure is one
        raise Forged(str(error)) from error
    return request


def events(view: Any, request: HttpRequest) -> list[Any]:
    """What the call tells, in the same words for every provider. Raises Unusable."""
    try:
        return list(view.parse_events(request))
    except Exception as error:  # whatever its reading stumbles over: the text is not as its provider writes it
        raise Unusable(f"{type(error).__name__}: {error}") from error


def made(view: Any, **settings: Any) -> Any:
    """A view of anymail with these settings; its warning that SendGrid is no longer tested there is known to us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return view(**settings)


def request_of(call: Call) -> HttpRequest:
    """A POST of Django's. Forms are read by us: Django would refuse a mail of more than 2.5 MB in a field."""
    request = HttpRequest()
    request.method = "POST"
    request.META = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
    request.META["CONTENT_TYPE"] = call.headers.get("content-type", "")
    request.content_type = request.META["CONTENT_TYPE"].partition(";")[0].strip().lower()
    request.content_params = {}
    request._body = call.body
    post = QueryDict(mutable=True, encoding="utf-8")
    if not call.is_json:
        for name, value in call.form.items():
            post[name] = value.decode("utf-8", "replace")
    request.POST = post  # type: ignore[assignment]
    return request
