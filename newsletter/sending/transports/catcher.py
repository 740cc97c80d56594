"""The catcher: takes mail by SMTP on this computer and keeps it as files. Nothing goes any further."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import ipaddress
import itertools
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter import files
from newsletter.problems import Exit, NewsletterError, Problem

GREETING = "newsletter catcher; mail stays on this computer"
SIZE_LIMIT = 50_000_000  # bytes; Gmail takes 25 MB, Exchange up to 150
MOST_RECIPIENTS = 1000

T = TypeVar("T")
OnMail = Callable[[bytes, str, list[str]], None]


class Catcher:
    """Keeps every mail as `folder/<time>-<number>.eml`, whole before its 250, with the envelope on top.

    `on_mail(raw, sender, recipients)` is called before the mail is acknowledged, one mail at a time, in a thread of
    its own (Django's database refuses to work where an event loop runs); when it raises, the mail is answered 451
    and not kept, so that the sender tries again. Port 0 takes a free one.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 1025, on_mail: OnMail | None = None) -> None:
        self.folder, self.host, self.port = folder, host, port
        self._on_mail = on_mail
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count(1)
        self._hooks: ThreadPoolExecutor | None = None

    def start(self) -> Catcher:
        """Listen. Raises NewsletterError: port-taken, catch-not-local, cannot-write."""
        only_here(self.host)
        _writable(self.folder)
        self._loop = asyncio.new_event_loop()
        # All of it in one thread of its own: whoever calls may have an event loop running, too.
        self._thread = threading.Thread(target=self._loop.run_forever, name="catcher", daemon=True)
        self._thread.start()
        try:
            self._server = self._wait_for(
                self._loop.create_server(self._session, self.host, self.port, reuse_address=True)
            )
        except OSError as error:
            self._end_thread()
            raise _taken(self.host, self.port, self.folder, error) from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._hooks = ThreadPoolExecutor(1, "catcher-hook") if self._on_mail else None
        return self

    def stop(self) -> None:
        """Stop listening; a mail that was answered 250 is on disk, one that was not is the sender's to repeat."""
        if self._loop is None:
            return
        self._wait_for(self._shut())
        self._end_thread()
        if self._hooks is not None:
            self._hooks.shutdown()

    def __enter__(self) -> Catcher:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Every address is taken, up to a number."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail, hand it on, and only then say 250."""
        content = envelope.original_content or b""
        name = f"{_stamp(time.time_ns())}-{next(self._numbers)}"
        sender = (envelope.mail_from or "").strip("<>")
        try:
            if self._hooks is None:
                self._keep(name, content, sender, envelope.rcpt_tos)
            else:
                assert self._loop
                await self._loop.run_in_executor(self._hooks, self._keep, name, content, sender, envelope.rcpt_tos)
        except Exception as error:
            return f"451 4.3.0 Could not keep the mail, try again ({type(error).__name__})"
        return f"250 2.0.0 Ok: queued as {name}"

    def _keep(self, name: str, content: bytes, sender: str, recipients: list[str]) -> None:
        head = f"X-Envelope-From: <{sender}>\r\n" + "".join(f"X-Envelope-To: <{one}>\r\n" for one in recipients)
        temporary, final = self.folder / f".{name}.tmp", self.folder / f"{name}.eml"
        try:
            # No fsync: a caught mail may be lost with the power, not with the process.
            temporary.write_bytes(head.encode("utf-8", "surrogateescape") + content)
            if self._on_mail:
                self._on_mail(content, sender, list(recipients))
            temporary.rename(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _wait_for(self, work: Coroutine[object, object, T]) -> T:
        assert self._loop
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def _end_thread(self) -> None:
        assert self._loop and self._thread
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
        self._loop = self._thread = None

    def _session(self) -> SMTP:
        return _FastSMTP(
            self,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident=f"{GREETING}; {_fingerprint(self.folder)}",
            timeout=600,
            loop=self._loop,
        )

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # who was just let in has a session then, which ends like the others
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # closed connections let their sockets go


_PLAIN = re.compile(r"<([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+)>([ -~]*)")


class _FastSMTP(SMTP):
    """aiosmtpd with a quick look at plain addresses, for which it took 0.6 ms of a mail, and reading a text in
    chunks: line by line it took 4 ms of a 40 KB mail, this takes 0.2.

    Only CRLF.CRLF ends a text (RFC 5321 4.1.1.4); a lone CR or LF is content, so nothing can be smuggled in.
    """

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        plain = _PLAIN.fullmatch(arg)
        return (plain[1], plain[2]) if plain else super()._getaddr(arg)

    async def smtp_DATA(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._text()
        if content is None:
            await self.push(f"552 5.3.4 Too big: more than {SIZE_LIMIT // 1_000_000} MB")
        else:
            self.envelope.content = self.envelope.original_content = content
            await self.push(await self._call_handler_hook("DATA"))
        self._set_post_data_state()  # type: ignore[no-untyped-call]

    async def _text(self) -> bytes | None:
        """The text without its dot and dot-stuffing; None when it was too big."""
        seen = bytearray(b"\r\n")  # so that a text of a lone dot is found like any other
        too_big = False
        while True:
            start = max(0, len(seen) - 4)
            chunk = await self._reader.read(1 << 20)
            if not chunk:
                raise ConnectionResetError("the sender hung up before the final dot")
            seen += chunk
            end = seen.find(b"\r\n.\r\n", start)
            if end >= 0:
                break
            if len(seen) > SIZE_LIMIT + 2:
                too_big = True
                del seen[:-4]
        if rest := bytes(seen[end + 5 :]):
            self._reader.feed_data(rest)  # the next command, sent along (RFC 2920)
        if too_big or end > SIZE_LIMIT:
            return None
        text = bytes(seen[:end]) + b"\r\n"
        return text.replace(b"\r\n..", b"\r\n.")[2:]


def _stamp(nanoseconds: int) -> str:
    """`20261124T101500-123456789`, UTC: names sort as the mails came."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}-{rest:09d}"


def is_ours(host: str, port: int, folder: Path) -> bool:
    """True when a catcher that keeps its mail in `folder`, of this or another process, answers there.

    The catcher of another workspace is not ours: its mail would land, unseen, in a folder that nobody looks into.
    """
    return _greeting(host, port).endswith(_fingerprint(folder))


def _greeting(host: str, port: int) -> str:
    """What a catcher there says first; empty when nothing answers, or something else does."""
    with contextlib.suppress(OSError, UnicodeDecodeError), socket.create_connection((host, port), timeout=2) as sock:
        said = sock.recv(200).decode("ascii").strip()
        return said if GREETING in said else ""
    return ""


def _fingerprint(folder: Path) -> str:
    return hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def only_here(host: str) -> None:
    """Raise NewsletterError(catch-not-local) for a place that other computers can reach."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return
    if host == "localhost":
        return
    raise NewsletterError(
        Problem(
            "catch-not-local",
            f"The catcher listens on this computer only, not on {host}",
            hint="Set [catch] smtp and web to 127.0.0.1 with a port: it shows its mail to anybody.",
        ),
        exit=Exit.CONFIG,
    )


def _writable(folder: Path) -> None:
    try:
        files.private(folder.parent)
        files.private(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise NewsletterError(
            Problem(
                "cannot-write",
                f"Cannot keep mail in {folder}: {error.strerror}",
                hint="Check that the folder exists, that you may write to it, and that the disk is not full.",
            ),
            exit=Exit.CONFIG,
        ) from None


def _taken(host: str, port: int, folder: Path, error: OSError) -> NewsletterError:
    if error.errno != errno.EADDRINUSE:
        message, hint = f"Cannot listen on {host}:{port}: {error.strerror or error}", "Choose a port from 1024 up."
    elif (greeting := _greeting(host, port)).endswith(_fingerprint(folder)):
        message = f"A catcher is already running on port {port}"
        hint = "Use that one, or stop it first (Ctrl-C where it runs)."
    else:
        who = "The catcher of another newsletter folder" if greeting else "Another program"
        message = f"{who} is using port {port}"
        hint = f'Stop it, or choose another port: [catch] smtp = "{host}:{port + 1}" in newsletter.toml.'
    return NewsletterError(Problem("port-taken", message, hint=hint), exit=Exit.TRY_AGAIN)
