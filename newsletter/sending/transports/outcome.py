"""What became of one mail: accepted, try again later, refused, or nobody can know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.sending.transports.reply import Reply


class Phase(StrEnum):
    """How far the talk with the server had come."""

    BUILD = "build"  # before any talk: the mail or its addresses are not fit to be sent
    CONNECT = "connect"  # reaching the server and its greeting
    HELLO = "hello"
    TLS = "tls"
    AUTH = "auth"
    RESET = "reset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # the text is on its way, the final dot is not
    DOT = "dot"  # everything was sent; only the answer is missing


@dataclass(frozen=True)
class Accepted:
    """The server took responsibility. `remote_id` is its own name for the mail, where it told one."""

    code: int
    text: str
    remote_id: str = ""
    phase: Phase = Phase.DOT


@dataclass(frozen=True)
class Deferred:
    """Surely not delivered; trying again is safe. `ours`: nothing about this person, so put our side right first
    (relay, password, certificate, protocol, reputation)."""

    phase: Phase
    code: int | None
    text: str
    enhanced: str = ""  # RFC 3463 status such as 4.2.2
    ours: bool = False


@dataclass(frozen=True)
class Refused:
    """Surely not delivered, and the same mail would be refused again. `ours`: refused for what we are or sent,
    so never a reason to drop the person."""

    phase: Phase
    code: int | None
    text: str
    enhanced: str = ""
    ours: bool = False


@dataclass(frozen=True)
class Uncertain:
    """The final dot was sent and no understandable answer came: perhaps delivered (RFC 1047). Never sent again
    without a person's decision: with Postfix, 50 of 50 such mails had been delivered."""

    phase: Phase
    code: int | None
    text: str


Outcome = Accepted | Deferred | Refused | Uncertain

# Codes with which a server tells that it does not understand *us*, RFC 5321 4.2.2. They say nothing about a person:
# counting 503 as a bounce once filed 38 of 40 good addresses as dead.
_PROTOCOL = frozenset({500, 501, 502, 503, 504, 555})
# Status codes about the sender's identity, authority or reputation (Gmail 4.7.23 to 4.7.40 and 5.7.26 to 5.7.32,
# Outlook 5.7.515, everybody's 5.7.1; 5.3.4 too big, 5.1.7 and 5.1.8 bad sender): pause and tell staff, never drop
# the person. 4.7.1 is greylisting and goes away by itself; 5.5.0 is how Outlook says "no such mailbox".
_ABOUT_US = re.compile(r"4\.7\.(?:2[3-9]|3\d|40)|5\.7\.\d+|5\.3\.4|5\.1\.[78]")


def refusal(phase: Phase, reply: Reply) -> Deferred | Refused | Uncertain:
    """What an answer other than the hoped-for one means. Call it only with such an answer."""
    code, text, enhanced = reply.code, reply.text, reply.enhanced
    ours = bool(_ABOUT_US.fullmatch(enhanced))
    if code in _PROTOCOL and not enhanced.startswith("5.1."):
        return Deferred(phase, code, text, enhanced, ours=True)
    if 400 <= code <= 499:
        return Deferred(phase, code, text, enhanced, ours=ours)
    if code == 552 and phase is Phase.MAIL:  # the SIZE that we told is too big for them
        return Refused(phase, code, text, enhanced, ours=True)
    if 500 <= code <= 599 and phase not in (Phase.RCPT, Phase.DATA, Phase.DOT):
        # Refused before the person was even named (530 log in first, 550 bad sender): the next one would be too.
        return Deferred(phase, code, text, enhanced, ours=True)
    if 500 <= code <= 599:
        return Refused(phase, code, text, enhanced, ours=ours)
    # Not an answer to what we said. After the dot nobody can know; before it nothing can have been delivered.
    if phase is Phase.DOT:
        return Uncertain(phase, code or None, text)
    return Deferred(phase, code or None, text, enhanced, ours=True)


_QUEUED = re.compile(
    r"queued as ([\w.-]+)"  # Postfix, our catcher
    r"|\bid=([\w.-]+)"  # Exim
    r"|InternalId=(\d+)"  # Exchange
    r"|^(?:2\.0\.0 )?([A-Za-z0-9]{14}|[\w-]{20,64}) Message accepted"  # sendmail
    r"|^(?:2\.0\.0 )?Ok:? ([0-9a-f-]{30,80})$"  # Amazon SES
    r"|^(?:2\.0\.0 )?OK\s+(\d{9,} \S+) - gsmtp",  # Gmail
    re.IGNORECASE,
)


def remote_id(text: str) -> str:
    """The server's own name for the mail, out of the words of its 250; empty where it tells none."""
    found = _QUEUED.search(text)
    return next(filter(None, found.groups()), "")[:200] if found else ""
