"""Serving the public pages with waitress."""

from __future__ import annotations

import errno
import logging
from typing import Any

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

BIGGEST_REQUEST = 64 * 1024  # bytes; the largest honest request, a one-click POST, has 26
THREADS = 8


def make(config: Config, listen: str = "") -> Any:
    """A waitress server on `host:port` (port 0 = any free one), bound and ready; `.run()` serves until Ctrl-C.

    The database must be ready. Raises NewsletterError: bad-listen, port-taken.
    """
    from django.core.handlers.wsgi import WSGIHandler
    from waitress.server import create_server

    # Django and waitress would log addresses, and an address here holds a person's token.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    host, port = place(listen or config.web.listen)
    try:
        return create_server(
            WSGIHandler(),
            host=host,
            port=port,
            threads=THREADS,
            ident=None,
            max_request_body_size=BIGGEST_REQUEST,
            max_request_header_size=32 * 1024,
            clear_untrusted_proxy_headers=True,
        )
    except OSError as error:
        raise NewsletterError(refusal(host, port, error), exit=Exit.CONFIG) from error


def place(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8000` → ("127.0.0.1", 8000); `[::1]:8000` works too."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        hint = "Write host and port, such as 127.0.0.1:8000."
        raise NewsletterError(
            Problem("bad-listen", f"{listen!r} is not an address to listen on", hint=hint), exit=Exit.USAGE
        )
    return host.strip("[]"), int(port)


def refusal(host: str, port: int, error: OSError) -> Problem:
    """Why the port could not be had, in words."""
    if error.errno == errno.EADDRINUSE:
        return Problem(
            "port-taken",
            f"Another program already listens on {host}:{port}",
            hint="Is `newsletter web` running in another window? Else choose a port: --listen 127.0.0.1:8001",
        )
    return Problem(
        "bad-listen",
        f"Cannot listen on {host}:{port}: {error.strerror or error}",
        hint="Ports below 1024 need more rights, and the host must be an address of this computer.",
    )
