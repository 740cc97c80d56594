"""The DKIM side of `newsletter doctor`: do the keys work, does the domain fit, does the DNS show the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from newsletter.cli.doctor_checks import Finding, failed, worth_a_look
from newsletter.problems import NewsletterError, Problem, Severity, Where

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.mail.dkim_keys import Record

AREA = "DKIM"
PATIENCE = 5.0  # seconds for all tries; a person waits for this
SMALL = 2048  # bits; RFC 8301 3.2 asks signers for at least so many
Ask = Callable[[str], list[str]]  # name → its TXT records, strings joined; OSError when nobody could be asked


def dkim(config: Config, ask: Ask | None = None) -> Iterator[Finding]:
    """Each key with its record; `ask` is the way to the DNS (default: this computer's own)."""
    from newsletter.mail import dkim_keys as keys
    from newsletter.mail.dkim import ED25519, RSA

    settings = config.dkim
    if not settings.domain:
        yield Finding(AREA, "off: the mail server signs, or nobody does ([dkim] is empty)")
        return
    yield from _alignment(config)
    yield from _rewriting(config)
    pairs = [(settings.key_file, settings.selector, RSA)]
    if settings.ed25519_key_file:
        pairs.append((settings.ed25519_key_file, settings.ed25519_selector, ED25519))
    for file, selector, algorithm in pairs:
        try:
            key = keys.load(file, algorithm)
        except NewsletterError as error:
            yield from failed(AREA, error)
            continue
        if getattr(key, "key_size", SMALL) < SMALL:
            text = f"The key {selector} has fewer than {SMALL} bits"
            yield worth_a_look(AREA, "dkim-key-small", text, "Make a new one: newsletter dkim new", Where(file))
        yield _published(config, keys.record(key, selector, settings.domain), ask or ask_txt)


def aligned(domain: str, signed: str) -> bool:
    """Does a signature of domain `signed` speak for mail from `domain`? DMARC's relaxed alignment: one is the other,
    or lies in it. (Two sisters under one organisation align as well; without a list of such we do not guess.)"""
    domain, signed = domain.lower().rstrip("."), signed.lower().rstrip(".")
    return domain == signed or domain.endswith(f".{signed}") or signed.endswith(f".{domain}")


def _alignment(config: Config) -> Iterator[Finding]:
    signed = config.dkim.domain
    for key, sender in config.senders.items():
        domain = sender.address.rpartition("@")[2]
        if not aligned(domain, signed):
            text = f"Mail from {sender.address} is signed for {signed}, which does not speak for {domain} (DMARC)"
            hint = f"Sign for {domain}, or send from an address of {signed}."
            yield worth_a_look(AREA, "dkim-not-aligned", text, hint, config.where(f"senders.{key}.address"))


def _rewriting(config: Config) -> Iterator[Finding]:
    """Message-ID is signed: a relay that writes its own breaks every seal of ours."""
    for name, relay in config.relays.items():
        if "message_id" not in relay.keeps:
            text = f"The relay {name} writes a Message-ID of its own, and that breaks our signature"
            hint = "Let that relay sign: switch DKIM on there, and empty [dkim]."
            yield worth_a_look(AREA, "dkim-relay-rewrites", text, hint, config.where(f"relays.{name}.keeps"))


def _published(config: Config, record: Record, ask: Ask) -> Finding:
    try:
        answers = ask(record.name)
    except OSError as error:
        text = f"{record.name} could not be asked ({error}); `newsletter dkim show` prints what must stand there"
        return Finding(AREA, text)
    if any(_same(answer, record.value) for answer in answers):
        return Finding(AREA, f"{record.name} is published and fits our key")
    leaves = config.mail.transport == "smtp"
    severity = Severity.ERROR if leaves else Severity.WARNING
    where = config.where("dkim.selector")
    if answers:
        text = f"{record.name} shows another key than ours: our signatures do not count"
        hint = (
            "Publish the record that `newsletter dkim show` prints, one record and no more; or sign with the old key."
        )
        return Finding(AREA, text, Problem("dkim-record-differs", text, hint, where, severity))
    text = f"{record.name} is not published: our signatures do not count"
    hint = f"Put this TXT record into the DNS (newsletter dkim show prints it): {record.value}"
    return Finding(AREA, text, Problem("dkim-record-missing", text, hint, where, severity))


def _same(published: str, ours: str) -> bool:
    """The same kind of key and the same key, however the record is written (blanks, other tags)."""

    def tags(text: str) -> dict[str, str]:
        pairs = (part.partition("=") for part in "".join(text.split()).split(";") if part)
        return {"k": "rsa"} | {name: value for name, _, value in pairs}

    theirs, mine = tags(published), tags(ours)
    return theirs.get("v", "DKIM1") == "DKIM1" and (theirs["k"], theirs.get("p")) == (mine["k"], mine["p"])


def ask_txt(name: str, servers: tuple[str, ...] = (), port: int = 53) -> list[str]:
    """The TXT records of `name`, empty when there is none; `servers` are IP addresses (default: the system's).

    Raises OSError, with words for a person, when the DNS cannot be asked.
    """
    from dns import exception, resolver

    try:
        asking = resolver.Resolver(configure=not servers)
        if servers:
            asking.nameservers, asking.port = list(servers), port
        asking.lifetime = PATIENCE
        found = asking.resolve(f"{name}.", "TXT")
    except (resolver.NXDOMAIN, resolver.NoAnswer):
        return []
    except (exception.DNSException, OSError):
        raise OSError("no answer from the DNS") from None
    return [b"".join(row.strings).decode("ascii", "replace") for row in found]
