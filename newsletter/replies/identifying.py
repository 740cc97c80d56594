"""Whose copy is being answered: the signed token in the address, else the signed Message-ID, else a quoted link.

A token proves that the writer holds a copy of that mail (mail can be forwarded), never who they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from django.utils import timezone

from newsletter.config import Config
from newsletter.mail import addresses, tokens
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.replies.models import Conversation
from newsletter.sending import finding
from newsletter.sending.models import Delivery

Identified = Conversation.Identified
MOST_RETURNED = 400_000  # bytes of a report that are searched for what came back


@dataclass(frozen=True)
class Copy:
    """What the addresses and references of a message say; `purpose` None = nothing that we signed."""

    purpose: Purpose | None = None
    stored: bytes = b""
    how: Identified = Identified.NOBODY
    address: str = ""  # the address that held the token
    forged: bool = False  # shaped like a token of ours, but the check failed


def identify(incoming: Incoming, recipient: str, config: Config, keyring: Keyring) -> Copy:
    """The copy that `incoming` answers.

    Order: envelope recipient, then the addresses in the headers (they count only where the check holds), then
    In-Reply-To and References, then a signed link in what they quoted. With one shared mailbox at last the latest
    issue that went to the sender's address, and it says so. Never by subject. An envelope recipient that only looks
    like a token stops the search: such a message is kept, but linked to nobody.
    """
    forged = Copy()
    for address in (recipient, *incoming.recipients):
        token = token_in(address, config)
        if token is None:
            continue
        read = keyring.read(token)
        if read:
            return Copy(*read, how=Identified.TOKEN, address=address)
        forged = Copy(address=address, forged=True)
        if address == recipient:
            return forged
    if forged.forged:
        return forged
    found = by_message_id((*incoming.in_reply_to, *reversed(incoming.references)), config, keyring)
    if found.purpose is None:
        found = by_quotation("\n".join((incoming.text, *incoming.links)), keyring)
    if found.purpose is None and config.replies.mode == "shared":
        found = by_address(incoming.from_address)
    return found


_LINK = re.compile(r"(?:/[uvr]/|[+=._-])([A-Za-z2-7]{32})(?![A-Za-z0-9])")
_LINKS = 20  # that are tried: a newsletter has a handful, and each check costs 16 us
RECENT = timedelta(days=60)  # an issue that somebody may still answer; after that it is a letter of its own


def by_quotation(text: str, keyring: Keyring) -> Copy:
    """The delivery whose signed links (read, leave, reply) stand in the text, quoted with the copy.

    It proves that the writer holds a copy, as a reply address does. A link that was made for sharing names no
    delivery.
    """
    for token in dict.fromkeys(match[1].lower() for match in islice(_LINK.finditer(text), _LINKS)):
        read = keyring.read(token)
        if read is None or read[0] in (Purpose.TEST, Purpose.CONFIRM):
            continue
        if Delivery.objects.filter(token=read[1]).exists():
            return Copy(Purpose.MESSAGE_ID, read[1], how=Identified.QUOTED)
    return Copy()


def by_address(address: str) -> Copy:
    """The latest issue that went to this address lately: anybody can write a From, so it proves nothing."""
    try:
        canonical = addresses.canonical(address)
    except ValueError:
        return Copy()
    taken = Delivery.objects.filter(
        canonical=canonical, state=Delivery.State.ACCEPTED, changed__gt=timezone.now() - RECENT
    )
    token = taken.order_by("-changed", "-id").values_list("token", flat=True).first()
    return Copy(Purpose.MESSAGE_ID, bytes(token), how=Identified.ADDRESS) if token else Copy()


def by_message_id(message_ids: Iterable[str], config: Config, keyring: Keyring) -> Copy:
    """The first of these Message-IDs that we signed ourselves, or that a relay gave one of our mails."""
    message_ids = list(message_ids)
    for message_id in message_ids:
        local, _, domain = message_id.strip("<> ").rpartition("@")
        if domain.lower() != config.mail.reply_domain.lower():
            continue
        read = keyring.read(local.lower())
        if read and read[0] in (Purpose.MESSAGE_ID, Purpose.TEST):
            return Copy(*read, how=Identified.MESSAGE_ID)
    for message_id in message_ids:  # where a relay replaces our Message-ID, people answer to its own
        delivery = finding.by_remote_id(config, message_id.strip("<> ").rpartition("@")[0])
        if delivery:
            return Copy(Purpose.MESSAGE_ID, bytes(delivery.token), how=Identified.MESSAGE_ID)
    return Copy()


_SIGNED = re.compile(rb"(?<![A-Za-z2-7])([A-Za-z2-7]{32})(?=@)")
_NAMES_A_MAIL = (Purpose.MESSAGE_ID, Purpose.BOUNCE, Purpose.REPLY)
_MESSAGE_ID = re.compile(rb"^(?:X-Original-)?Message-ID:\s{0,20}<([^<>@\s]{1,200})@", re.IGNORECASE | re.MULTILINE)


def returned(raw: bytes, config: Config, keyring: Keyring) -> Copy:
    """The mail of ours that a bounce or complaint carries back: the first signed name in its returned headers, or the
    Message-ID that a relay gave it.

    It proves that whoever sent this holds a copy of that mail, as every recipient does; so it never suppresses by
    itself, where a bounce address of our own would.
    """
    found = dict.fromkeys(match[1] for match in islice(_SIGNED.finditer(raw[:MOST_RETURNED]), 50))
    for token in found:
        read = keyring.read(token.decode("ascii"))
        if read and read[0] in _NAMES_A_MAIL:
            return Copy(*read, how=Identified.MESSAGE_ID)
    for name in islice(_MESSAGE_ID.finditer(raw[:MOST_RETURNED]), 10):
        delivery = finding.by_remote_id(config, name[1].decode("latin-1"))
        if delivery:
            return Copy(Purpose.MESSAGE_ID, bytes(delivery.token), how=Identified.MESSAGE_ID)
    return Copy()


def token_in(address: str, config: Config) -> str | None:
    """The part of an address of ours that is shaped like a token, or None."""
    own = config.replies.mailbox.rpartition("@")[2]  # plus addresses of one mailbox
    for domain in dict.fromkeys((config.mail.reply_domain, config.mail.bounce_domain, *filter(None, (own,)))):
        token = tokens.in_address(address, domain, config.mail.separator)
        if token:
            return token
    return None
