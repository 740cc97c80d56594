"""One connection to a relay, and one mail after another over it, phase by phase."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from newsletter.config import Relay
from newsletter.mail.addresses import parse
from newsletter.sending.transports.opening import Timeouts, Unready, open_relay, reason
from newsletter.sending.transports.outcome import Deferred, Outcome, Phase, Refused
from newsletter.sending.transports.reply import Reply, ReplyReader
from newsletter.sending.transports.session import Extensions, Next, Transaction
from newsletter.sending.transports.wire import Wire

RFC_TIMEOUTS = Timeouts()


class _Lost(Exception):
    """The network or the server let go; an exception of the caller's hook is never mistaken for it."""


class Connection:
    """Sends mails to one relay; opens, and opens anew, by itself. Use it from one thread.

    `context` replaces the system's certificates (tests).
    """

    def __init__(
        self,
        relay: Relay,
        *,
        timeouts: Timeouts = RFC_TIMEOUTS,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._relay, self._timeouts, self._context = relay, timeouts, context
        self._smtp: smtplib.SMTP | None = None
        self._socket: socket.socket | None = None
        self._reader = ReplyReader()
        self._extensions = Extensions()
        self._reset_first = False
        self._patience = -1.0  # the time-out that the socket has now

    def send(self, sender: str, recipient: str, data: bytes, before_body: Callable[[], None] = lambda: None) -> Outcome:
        """Carry one mail to one person and say what became of it. Never raises for what servers and networks do.

        `sender` may be empty (`<>`); else the relay's own_sender, where there is one, takes its place. `data` is CRLF
        throughout and ends in CRLF. `before_body` runs after the server's 354 and before the first byte of the text
        leaves; it must have made "in flight" durable. When it raises, the connection is dropped before any text was
        sent and the exception goes on to the caller.
        """
        if why := unfit(data):
            return Refused(Phase.BUILD, None, why, ours=True)
        try:
            sender = parse(self._relay.own_sender or sender).wire if sender else ""
            recipient = parse(recipient).wire
        except ValueError as error:
            return Refused(Phase.BUILD, None, f"not an address: {error}")
        problem = self.check()
        if problem:
            return problem
        if not recipient.isascii() and not self._extensions.smtputf8:
            why = "the part before the @ is not plain ASCII, and the relay does not offer SMTPUTF8"
            return Refused(Phase.BUILD, None, why)
        if b"\r\n." in data or data.startswith(b"."):
            data = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]
        transaction = Transaction(sender, recipient, len(data), self._extensions, reset_first=self._reset_first)
        try:
            return self._run(transaction, data, before_body)
        except _Lost as error:
            return transaction.lost(str(error))
        finally:
            self._reset_first = transaction.needs_reset
            if transaction.outcome is None or not transaction.usable or self._reader.leftover:
                self._drop()

    def check(self) -> Deferred | None:
        """Open the connection unless it is open; None when all is well, else what is wrong and in which phase."""
        if self._still_there():
            return None
        self._drop()
        try:
            smtp = open_relay(self._relay, self._timeouts, self._context)
        except Unready as error:
            return error.outcome
        assert smtp.sock is not None
        # Without it a text's last packet waits for an acknowledgement that the other side delays.
        smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._smtp, self._socket, self._reset_first, self._patience = smtp, smtp.sock, False, -1.0
        self._extensions = Extensions(smtp.has_extn("smtputf8"), smtp.has_extn("8bitmime"), smtp.has_extn("size"))
        return None

    def open(self) -> Wire[Any]:
        """Open it and hand it over to a loop that carries many mails; may take as long as the time-outs allow.

        Raises Unready with what that means for a mail. This object can open another one afterwards.
        """
        problem = self.check()
        if problem:
            raise Unready(problem)
        assert self._smtp is not None
        smtp, self._smtp, self._socket = self._smtp, None, None
        # Nothing unannounced is ever grouped: some servers break (RFC 2920 asks for the announcement, too).
        grouped = self._relay.pipelining == "auto" and smtp.has_extn("pipelining")
        return Wire(
            smtp,
            self._extensions,
            self._timeouts,
            pipelining=grouped,
            messages=self._relay.messages,
            sender=self._relay.own_sender,
        )

    def close(self) -> None:
        """Say QUIT and hang up; silent whatever the server does."""
        if self._socket is not None:
            try:
                self._socket.settimeout(2)
                self._socket.sendall(b"QUIT\r\n")
                self._socket.recv(512)
            except OSError:
                pass
        self._drop()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, transaction: Transaction, data: bytes, before_body: Callable[[], None]) -> Outcome:
        step: bytes | Next = transaction.start()
        while step is not Next.DONE:
            if isinstance(step, bytes):
                self._write(step, self._timeouts.command)
            elif step is Next.BODY:
                before_body()
                # One write: text and dot in two ran orders of magnitude slower. Where it fails, our own kernel
                # did not take the last bytes, so the server cannot have the dot and trying again is safe.
                self._write(data + b".\r\n", self._timeouts.body)
                transaction.body_sent()
            step = transaction.answer(self._read(transaction.phase))
            if self._reader.leftover and step is not Next.DONE:
                # Its surplus would be read as the answer to the next command, and at last to somebody's dot.
                raise _Lost("the server answered before it was asked")
        assert transaction.outcome is not None
        return transaction.outcome

    def _write(self, data: bytes, seconds: float) -> None:
        assert self._socket is not None
        try:
            self._wait_at_most(seconds)
            self._socket.sendall(data)
        except OSError as error:
            raise _Lost(reason(error)) from error

    def _read(self, phase: Phase) -> Reply:
        assert self._socket is not None
        seconds = {Phase.DATA: self._timeouts.data, Phase.DOT: self._timeouts.dot}.get(phase, self._timeouts.command)
        end = time.monotonic() + seconds
        left = seconds
        while (reply := self._reader.next()) is None:
            if left <= 0:
                raise _Lost(f"no answer within {seconds:g} seconds")
            try:
                self._wait_at_most(left)
                data = self._socket.recv(16384)
            except TimeoutError:
                raise _Lost(f"no answer within {seconds:g} seconds") from None
            except OSError as error:
                raise _Lost(reason(error)) from error
            if not data:
                raise _Lost("the server hung up")
            self._reader.feed(data)
            left = end - time.monotonic()
        return reply

    def _wait_at_most(self, seconds: float) -> None:
        """Set the socket's time-out, unless it is that already: each is a system call, at which other threads get in
        the way; it was done nine times a mail."""
        assert self._socket is not None
        if seconds != self._patience:
            self._socket.settimeout(seconds)
            self._patience = seconds

    def _still_there(self) -> bool:
        """False when not open, hung up, or when the server spoke unasked (421 after a long pause)."""
        if self._socket is None:
            return False
        try:
            self._wait_at_most(0)
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = self._socket = None
        self._reader = ReplyReader()


def unfit(data: bytes) -> str:
    """Why these bytes must not be sent; empty when they may.

    A line break that is not CRLF is how one mail smuggles in another (CVE-2024-27305): servers differ in whether
    `\\n.\\n` ends a text.
    """
    # Counting single bytes is what a processor does fastest: 10 us for 40 KB.
    if not data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        return "the mail holds a line break that is not CRLF"
    if b"\0" in data:
        return "the mail holds a NUL byte"
    if not data.endswith(b"\r\n"):
        return "the mail does not end in a line break"
    return ""
