"""Serving the public pages with waitress."""

from __future__ import annotations

import contextlib
import copy
import errno
import logging
import socket
from typing import Any

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

BIGGEST_REQUEST = 64 * 1024  # bytes; the largest honest request, a one-click POST as multipart, has about 200
# The reply page takes files. What is larger than this is refused as a whole; each file has a limit of its own, and
# the words went with an earlier request, so they are safe.
BIGGEST_REPLY = 110 * 1024 * 1024
THREADS = 8
# Connections that send one letter a minute cost waitress a little memory, but at its own limit of 100 it takes no
# others for two minutes: with 150 of them nobody could leave. 800 stays below the usual 1,024 files of a process.
CONNECTIONS = 800
SLOWEST = 30  # seconds without a letter, then a connection is closed; people and mail services need one


class Server:
    """A waitress server, bound and ready. `url` is where it listens; `run` serves until Ctrl-C or `stop`."""

    def __init__(self, config: Config, listen: str = "") -> None:
        """`listen` is `host:port`, port 0 = any free one; "" = [web] listen. The database must be ready.

        Raises NewsletterError: bad-listen, port-taken.
        """
        from django.core.handlers.wsgi import WSGIHandler
        from waitress.channel import HTTPChannel
        from waitress.server import create_server

        from newsletter.web import kept

        kept.keep_open()
        # Django would log the addresses of faulty requests, and an address here holds a person's token.
        logging.getLogger("django.request").setLevel(logging.CRITICAL)
        # "Task queue depth is 1" only says that a request waits for a moment; nobody at the terminal can use it.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        host, port = place(listen or config.web.listen)
        bound = bind(host, port)
        roomy = type("Channel", (HTTPChannel,), {"parser_class": _parser_with_room(config)})
        self._config = config
        self._map: dict[int, Any] = {}
        self._waitress = create_server(
            WSGIHandler(),
            map=self._map,
            sockets=[bound],
            _dispatcher=_threads(),
            connection_limit=CONNECTIONS,
            channel_timeout=SLOWEST,
            cleanup_interval=10,
            asyncore_use_poll=True,  # select() ends at file 1,024
            ident=None,
            max_request_body_size=BIGGEST_REQUEST,
            max_request_header_size=32 * 1024,
            clear_untrusted_proxy_headers=True,
            **_proxy(config),
        )
        self._waitress.channel_class = roomy
        self.host, self.port = bound.getsockname()[:2]
        self.url = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def run(self, *, carrying: bool = False) -> None:
        """Serve; at Ctrl-C the requests in hand are finished. `carrying`: the mails that are asked for go out from
        here while no worker is there."""
        from newsletter.web.carrying import Carrying

        try:
            with Carrying(self._config) if carrying else contextlib.nullcontext():
                self._waitress.run()
        finally:
            self._close()

    def stop(self) -> None:
        """End `run` from another thread, after the requests in hand."""
        from waitress.trigger import trigger

        self._waitress.task_dispatcher.shutdown()
        waker = next((one for one in list(self._map.values()) if isinstance(one, trigger)), None)
        if waker is not None:
            with contextlib.suppress(OSError):  # the loop woke by itself and has closed everything already
                waker.pull_trigger(self._close)

    def _close(self) -> None:
        from waitress import wasyncore

        wasyncore.close_all(self._map)


def _threads() -> Any:
    """waitress's threads, each of which closes its connection to the database when it ends."""
    from django.db import connections
    from waitress.task import ThreadedTaskDispatcher

    class Threads(ThreadedTaskDispatcher):  # type: ignore[misc]
        def handler_thread(self, thread_no: int) -> None:
            try:
                super().handler_thread(thread_no)
            finally:
                connections.close_all()

    made = Threads()
    made.set_thread_count(THREADS)
    return made


def _proxy(config: Config) -> dict[str, Any]:
    """waitress then puts the visitor's address in the proxy's place, and takes that header away from all others."""
    if not config.web.proxy:
        return {}
    return {"trusted_proxy": config.web.proxy, "trusted_proxy_headers": {"x-forwarded-for"}}


def _parser_with_room(config: Config) -> type:
    """waitress's parser with larger limits for the reply page and for mail services that bring whole mails; waitress
    itself has one limit for every address."""
    from waitress.parser import HTTPRequestParser

    from newsletter.replies import hooks

    room = {"/r/": BIGGEST_REPLY, **({"/hooks/": hooks.BIGGEST} if config.hooks else {})}

    class Parser(HTTPRequestParser):  # type: ignore[misc]
        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            most = next((size for path, size in room.items() if self.path.startswith(path)), 0)
            if most and self.command == "POST":
                roomy = copy.copy(vars(self)["adj"])
                roomy.max_request_body_size = most
                self.adj = roomy

    return Parser


def place(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8000` → ("127.0.0.1", 8000); `[::1]:8000` works too."""
    host, _, port = listen.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare) != (host != bare) or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        hint = "Write host and port, such as 127.0.0.1:8000."
        raise NewsletterError(
            Problem("bad-listen", f"{listen!r} is not an address to listen on", hint=hint), exit=Exit.USAGE
        )
    return bare, int(port)


def bind(host: str, port: int) -> socket.socket:
    """The listening socket, taken before any thread starts, so that a refusal leaves nothing behind."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            # Two sockets may be bound to one port as long as neither listens; only now is it ours.
            bound.listen(1024)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise NewsletterError(refusal(host, port, error), exit=Exit.CONFIG) from error
    return bound


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
