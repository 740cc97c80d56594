"""The mail side of `newsletter doctor`: reach the relay, log in, and carry one mail to you."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from newsletter.cli.doctor_checks import Finding, failed
from newsletter.problems import NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.config import Config, Relay
    from newsletter.sending.transports.opening import Timeouts, Unready

# Seconds. A person waits for this, a mailing does not: RFC 5321's minutes are for servers under load.
CONNECT, ANSWER = 10.0, 20.0


def transport(config: Config) -> Iterator[Finding]:
    """Where mail goes now, and whether the way there is open."""
    if config.mail.transport == "catcher":
        yield from _catcher(config)
    for name in config.relays:
        in_use = config.mail.transport == "smtp" and config.relays[name] is config.relay()
        for finding in _relay(config, name):
            yield finding if in_use or not finding.problem else _not_in_use(finding)


def _not_in_use(finding: Finding) -> Finding:
    """A relay that no mail goes through yet may be wrong without anything being broken."""
    problem = finding.problem
    assert problem is not None
    softer = Problem(problem.code, problem.message, problem.hint, problem.where, Severity.WARNING)
    return Finding(finding.area, f"{finding.text} (not in use: [mail] transport is catcher)", softer)


def _catcher(config: Config) -> Iterator[Finding]:
    from newsletter.sending.transports.catcher import is_ours

    host, _, port = config.catch.smtp.rpartition(":")
    if is_ours(host, int(port), config.var / "mail"):
        yield Finding("Mail", f"stays on this computer; the catcher is running on {config.catch.smtp}")
        return
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), int(port)))
    except OSError as error:
        text = f"The catcher cannot listen on {config.catch.smtp}: {error.strerror or error}"
        hint = f"Stop the program that uses it, or choose another port: [catch] smtp = {'127.0.0.1:2025'!r}."
        yield Finding("Mail", text, Problem("port-taken", text, hint, config.where("catch.smtp")))
        return
    yield Finding("Mail", f"stays on this computer: the catcher takes it on {config.catch.smtp} while you send")


def _relay(config: Config, name: str) -> Iterator[Finding]:
    """Connect, greet, encrypt, log in; no mail yet."""
    from newsletter.sending.transports.opening import Unready, open_relay

    relay = config.relays[name]
    began = time.monotonic()
    area, where = "Relay", config.where(f"relays.{name}.host")
    try:
        relay.secret()
        open_relay(relay, _timeouts(), None).close()
    except NewsletterError as error:
        yield from failed(area, error)
        return
    except Unready as error:
        code, text, hint = in_words(relay, error, waited=time.monotonic() - began)
        yield Finding(area, text, Problem(code, text, hint, where))
        return
    safe = {"none": "in clear", "starttls": "encrypted (STARTTLS)", "implicit": "encrypted (TLS)"}[relay.tls]
    login = f", logged in as {relay.user}" if relay.user else ", no login"
    yield Finding(area, f"{relay.host}:{relay.port} answers, {safe}{login}")


def in_words(relay: Relay, error: Unready, waited: float) -> tuple[str, str, str]:
    """(code, what is wrong, what to do) for a relay that could not be reached, by what the network really said;
    `waited` seconds tell a server that hung up at once from one that we cut off."""
    cause, place = error.__cause__, f"{relay.host}:{relay.port}"
    if isinstance(cause, smtplib.SMTPAuthenticationError):
        text = f"{relay.host} refused the login of {relay.user}: {error.outcome.text}"
        hint = "Check user and password; many providers want an app password made for this program."
        return "relay-login", text, hint
    if isinstance(cause, socket.gaierror):
        text = f"There is no computer called {relay.host}, as far as the network here knows"
        return "relay-unknown-host", text, "Check the spelling of host, and that this computer is online."
    if isinstance(cause, ConnectionRefusedError):
        text = f"{place} refuses the connection: no mail server listens there"
        return "relay-refused", text, "Check the port: 587 with starttls and 465 with implicit are usual."
    if isinstance(cause, TimeoutError) or waited >= ANSWER:
        text = f"{place} did not answer in time (we waited {waited:.0f} seconds)"
        hint = "A firewall may be in the way; many networks block port 25. Try 587, or ask who runs the network."
        return "relay-timeout", text, hint
    if isinstance(cause, ssl.SSLCertVerificationError):
        text = f"{relay.host} showed a certificate that cannot be trusted: {cause.verify_message}"
        hint = (
            "Use the name the certificate is for as host. The check is never switched off: it keeps the password safe."
        )
        return "relay-certificate", text, hint
    if isinstance(cause, ssl.SSLError):
        text = f"No encrypted connection to {place}: {error.outcome.text}"
        return "relay-tls", text, 'Port 465 goes with tls = "implicit", port 587 with tls = "starttls".'
    if error.outcome.phase == "tls":
        text = f"{place} offers no encryption: {error.outcome.text}"
        return "relay-tls", text, 'Ask for the port with STARTTLS (587) or set tls = "implicit" with port 465.'
    text = f"{place} cannot be used: {error.outcome.text}"
    return "relay-unreachable", text, f"It went wrong at this step: {error.outcome.phase}."


def _timeouts() -> Timeouts:
    from newsletter.sending.transports.opening import Timeouts

    return Timeouts(connect=CONNECT, opening=ANSWER, command=ANSWER, data=ANSWER, body=60, dot=60)


def trial(config: Config, to: str) -> Iterator[Finding]:
    """Send one plain mail to `to` the way a mailing would go, and say what the server answered."""
    from newsletter.config import Relay
    from newsletter.sending.transports.catcher import Catcher, is_ours

    if config.mail.transport == "smtp":
        yield _carry(config, config.relay(), to)
        return
    host, _, port = config.catch.smtp.rpartition(":")
    relay = Relay(host=host, port=int(port))
    if is_ours(host, int(port), config.var / "mail"):
        yield _carry(config, relay, to)
        return
    try:
        with Catcher(config.var / "mail", host, int(port)):
            yield _carry(config, relay, to)
    except NewsletterError as error:
        yield from failed("Trial", error)


def _carry(config: Config, relay: Relay, to: str) -> Finding:
    from newsletter.sending.transports.connection import Connection
    from newsletter.sending.transports.outcome import Accepted

    try:
        data, sender = _mail(config, to)
    except NewsletterError as error:
        problem = error.problems[0]
        return Finding("Trial", problem.message, problem)
    with Connection(relay, timeouts=_timeouts()) as connection:
        outcome = connection.send(sender, to, data)
    if isinstance(outcome, Accepted):
        kept = " and kept it in var/mail" if config.mail.transport == "catcher" else ""
        return Finding("Trial", f"{relay.host} took the mail to {to}{kept}: {outcome.code} {outcome.text}")
    text = f"The mail to {to} did not leave ({outcome.phase}): {outcome.text}"
    hint = "The words are the server's own. 550 or 554 often means that it does not know the sender's address."
    return Finding("Trial", text, Problem("mail-not-taken", text, hint))


def _mail(config: Config, to: str) -> tuple[bytes, str]:
    """The trial mail and its envelope sender: the first of [senders], as a mailing would say."""
    from datetime import UTC, datetime

    from newsletter.mail import outgoing, tokens
    from newsletter.mail.dkim import Signer

    if not config.senders:
        raise NewsletterError(
            Problem("nothing-set", "There is no section [senders.…] yet", "Add one; `init` shows how.")
        )
    sender = next(iter(config.senders.values()))
    ring = tokens.Keyring.load(config.var / "secret.key")
    message_id = f"{ring.make(tokens.Purpose.TEST, tokens.new_id())}@{config.mail.reply_domain}"
    text = (
        f"This mail was sent by `newsletter doctor` of {config.site.name}.\n\n"
        "It has arrived, so the way to a mailbox is open. Nobody else got it.\n"
    )
    common = outgoing.Common(sender.name, sender.address, datetime.now(UTC), auto_submitted="auto-generated")
    data = outgoing.notice(common, to, message_id, "newsletter doctor: this mail arrived", text)
    signer = Signer.of(config.dkim)
    return (signer.sign(data, int(common.date.timestamp())) if signer else b"") + data, sender.address
