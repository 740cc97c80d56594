"""Reaching a relay: connect, greet, encrypt, log in. Whatever goes wrong is said in words and never half-open."""

from __future__ import annotations

import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from newsletter.config import Relay
from newsletter.problems import NewsletterError
from newsletter.sending.transports.outcome import Deferred, Phase, refusal
from newsletter.sending.transports.reply import parse_lines


@dataclass(frozen=True)
class Timeouts:
    """Seconds per phase, RFC 5321 4.5.3.2. Each is a deadline for the whole answer, so that a server sending one
    byte a minute cannot hold a connection for ever. `opening` covers greeting, EHLO, TLS and login together."""

    connect: float = 30
    opening: float = 300
    command: float = 300
    data: float = 120
    body: float = 600
    dot: float = 600


class Unready(Exception):
    """The relay could not be reached as configured; `outcome` is what that means for a mail."""

    def __init__(self, outcome: Deferred) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def open_relay(relay: Relay, timeouts: Timeouts, context: ssl.SSLContext | None) -> smtplib.SMTP:
    """A session ready for MAIL, by smtplib. Raises Unready.

    TLS that was asked for and cannot be had is a failure, never a reason to go on in clear; certificates are always
    checked. A password leaves only over TLS or to this computer itself.
    """
    if relay.tls != "none" and context is None:
        context = ssl.create_default_context()
    smtp = _Session(relay, timeouts, context)
    watchdog = threading.Timer(timeouts.opening, smtp.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        _greet(smtp, relay)
        _encrypt(smtp, relay, context)
        _log_in(smtp, relay)
    except BaseException:
        smtp.close()
        raise
    finally:
        watchdog.cancel()
    return smtp


class _Session(smtplib.SMTP):
    """smtplib with a time to connect apart from the time to answer, and TLS from the first byte where wanted."""

    def __init__(self, relay: Relay, timeouts: Timeouts, context: ssl.SSLContext | None) -> None:
        self._timeouts, self._context = timeouts, context if relay.tls == "implicit" else None
        name = socket.gethostname()
        # A name to say hello with, without asking the DNS (which may take 30 s where it is broken).
        super().__init__(local_hostname=name if "." in name else "[127.0.0.1]")
        self._host = relay.host  # what the certificate must be for

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        raw = socket.create_connection((host, port), self._timeouts.connect)
        raw.settimeout(self._timeouts.opening)
        return self._context.wrap_socket(raw, server_hostname=host) if self._context else raw

    def cut(self) -> None:
        """End a session that takes too long to open, from another thread."""
        try:
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _greet(smtp: smtplib.SMTP, relay: Relay) -> None:
    with _phase(Phase.CONNECT, relay):
        code, words = smtp.connect(relay.host, relay.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
    with _phase(Phase.HELLO, relay):
        _hello(smtp)


def _hello(smtp: smtplib.SMTP) -> None:
    code, words = smtp.ehlo()
    if 500 <= code <= 599:  # a server from before 1995
        code, words = smtp.helo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, words)


def _encrypt(smtp: smtplib.SMTP, relay: Relay, context: ssl.SSLContext | None) -> None:
    if relay.tls != "starttls":
        return
    with _phase(Phase.TLS, relay):
        if not smtp.has_extn("starttls"):
            # Stripped on the way, or not set up there: going on in clear is what an attacker would like.
            raise _unready(Phase.TLS, "the relay does not offer STARTTLS")
        smtp.starttls(context=context)
        _hello(smtp)


def _log_in(smtp: smtplib.SMTP, relay: Relay) -> None:
    if not relay.user:
        return
    with _phase(Phase.AUTH, relay):
        assert smtp.sock is not None
        if not isinstance(smtp.sock, ssl.SSLSocket) and not _is_loopback(smtp.sock):
            raise _unready(Phase.AUTH, 'a password never goes out in clear: set tls = "starttls" or "implicit"')
        try:
            secret = relay.secret()
        except NewsletterError as error:
            raise _unready(Phase.AUTH, error.problems[0].message) from error
        if not secret:
            raise _unready(Phase.AUTH, "the relay has a user but no password")
        if relay.auth == "xoauth2":
            bearer = f"user={relay.user}\x01auth=Bearer {secret}\x01\x01"
            # A challenge means "no", with the reason in it; the protocol wants an empty answer to it.
            smtp.auth("XOAUTH2", lambda challenge=None: "" if challenge else bearer)
        else:
            smtp.login(relay.user, secret)


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getpeername()[0].split("%")[0]).is_loopback


@contextmanager
def _phase(phase: Phase, relay: Relay) -> Iterator[None]:
    """Turns what smtplib and the network raise into Unready, saying in which phase."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of {relay.host} is not good: {error.verify_message}"
        raise _unready(Phase.TLS, why) from error
    except ssl.SSLError as error:
        raise _unready(Phase.TLS, f"no encrypted connection to {relay.host}: {reason(error)}") from error
    except smtplib.SMTPAuthenticationError as error:
        temporary = 400 <= error.smtp_code <= 499
        said = parse_lines(error.smtp_error, error.smtp_code)  # smtplib calls bytes that are no answer code -1
        raise Unready(Deferred(phase, said.code or None, f"login failed: {said.text}", ours=not temporary)) from error
    except smtplib.SMTPResponseException as error:
        outcome = refusal(phase, parse_lines(error.smtp_error, error.smtp_code))
        assert isinstance(outcome, Deferred)
        raise Unready(outcome) from error
    except smtplib.SMTPNotSupportedError as error:
        raise _unready(phase, str(error)) from error
    except (OSError, EOFError, smtplib.SMTPException) as error:
        # A name that does not exist is a slip in newsletter.toml; a server that is away comes back.
        why = f"{relay.host}:{relay.port}: {reason(error)}"
        raise Unready(Deferred(phase, None, why, ours=isinstance(error, socket.gaierror))) from error


def _unready(phase: Phase, why: str) -> Unready:
    return Unready(Deferred(phase, None, why, ours=True))


def reason(error: BaseException) -> str:
    """A network error in words."""
    if isinstance(error, EOFError):
        return "the server hung up"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
