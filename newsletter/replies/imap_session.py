"""Reaching a mailbox by IMAP: connect, encrypt, log in. What goes wrong is said in words, and never in clear."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError

from newsletter.config.inward import Mailbox
from newsletter.problems import Exit, NewsletterError, Problem

CONNECT, ANSWER = 30.0, 120.0  # seconds; a server that packs 50 MB is silent for a while


@contextmanager
def opened(key: str, mailbox: Mailbox) -> Iterator[IMAPClient]:
    """A session that is logged in. Raises NewsletterError, also for what breaks inside the block:

    imap-unreachable, imap-certificate, imap-tls, imap-login, imap-broke. TLS that was asked for and cannot be had is
    a failure, never a reason to go on in clear; a password leaves only over TLS or to this computer itself.
    """
    client: IMAPClient | None = None
    try:
        client = _connect(key, mailbox)
        _log_in(key, mailbox, client)
        yield client
    except ssl.SSLCertVerificationError as error:
        text = f"{mailbox.host} showed a certificate that cannot be trusted: {error.verify_message}"
        raise _problem("imap-certificate", key, text, "Use the name that the certificate is for as host.") from error
    except ssl.SSLError as error:
        text = f"no encrypted connection to {mailbox.host}:{mailbox.port}: {error.reason or error}"
        hint = 'Port 993 goes with tls = "implicit", port 143 with tls = "starttls".'
        raise _problem("imap-tls", key, text, hint) from error
    except LoginError as error:
        text = f"{mailbox.host} refused the login of {mailbox.user}: {said(error)}"
        hint = "Check the password or token; it is tried again by itself, and nothing that waits there is lost."
        raise _problem("imap-login", key, text, hint) from error
    except (IMAPClientError, OSError, EOFError) as error:
        code, words = ("imap-broke", "the connection ended") if client else ("imap-unreachable", "it cannot be reached")
        text = f"{mailbox.host}:{mailbox.port}: {words} ({said(error)})"
        raise _problem(code, key, text, "It is tried again; what waits in the mailbox stays there.") from error
    finally:
        if client is not None:
            _close(client)


def _connect(key: str, mailbox: Mailbox) -> IMAPClient:
    context = ssl.create_default_context()
    client = IMAPClient(
        mailbox.host,
        mailbox.port,
        ssl=mailbox.tls == "implicit",
        ssl_context=context if mailbox.tls == "implicit" else None,
        timeout=SocketTimeout(CONNECT, ANSWER),
    )
    if mailbox.tls == "starttls":
        try:
            client.starttls(context)
        except CapabilityError as error:
            _close(client)
            text = f"{mailbox.host}:{mailbox.port} does not offer STARTTLS; nothing was sent in clear"
            raise _problem("imap-tls", key, text, 'Set tls = "implicit" with port 993.') from error
        except BaseException:
            _close(client)
            raise
    return client


def _log_in(key: str, mailbox: Mailbox, client: IMAPClient) -> None:
    if mailbox.tls == "none" and not _is_loopback(client.socket()):
        text = "a password never goes out in clear"
        raise _problem("imap-tls", key, text, 'Set tls = "implicit" with port 993.')
    secret = mailbox.secret()  # read anew each time: a token in a file is replaced every half hour
    if not secret:
        hint = "Name the file that holds it as password_file."
        raise _problem("imap-login", key, "there is no password", hint)
    try:
        if mailbox.auth == "xoauth2":
            client.oauth2_login(mailbox.user, secret)
        else:
            client.login(mailbox.user, secret)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        raise LoginError(said(error)) from error


def said(error: BaseException) -> str:
    """What a server or the network said, on one line, without the `b''` that the library leaves around it."""
    if isinstance(error, socket.gaierror):
        return "no computer of that name is known here"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    text = " ".join(text.split())
    return text[2:-1] if text[:2] in ("b'", 'b"') else text


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getpeername()[0].split("%")[0]).is_loopback


def _close(client: IMAPClient) -> None:
    """Say goodbye where that is possible; a server that is gone must not hide what really happened."""
    try:
        client.logout()
    except (IMAPClientError, OSError, EOFError):
        with suppress(IMAPClientError, OSError, EOFError):
            client.shutdown()


def _problem(code: str, key: str, text: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem(code, f"Mailbox {key}: {text}", hint), exit=Exit.FAILURES)
