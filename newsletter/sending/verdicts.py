"""What an answer of a mail server means: for the person, for the sender, for the connection; in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.sending.models import Delivery
from newsletter.sending.transports.outcome import Accepted, Deferred, Outcome, Phase, Refused, Uncertain

# When to try again after the first, second … "not now". RFC 5321 4.5.4.1 asks for 30 minutes between tries to
# strangers; the first ones are short because a greylisting server wants to see a second try. Postfix's postscreen takes
# it at once, and 30 s is within the minute that `newsletter send` stays for; postgrey wants 300 s, which the second
# delay gives. The envelope sender of a delivery never changes, so it is the same try to both.
DELAYS = tuple(timedelta(seconds=s) for s in (30, 5 * 60, 15 * 60, 30 * 60, 3600, 2 * 3600))
LATER = timedelta(hours=4)
GIVE_UP = timedelta(hours=72)  # [sending] give_up unless it says otherwise (RFC 5321 allows 4 to 5 days)
LOST_AT_MOST = 3  # connections lost over one message before that message, not the relay, is thought to be the cause


class Fault(StrEnum):
    """Whose matter the answer is, which decides what a sender does next."""

    NONE = "none"
    PERSON = "person"  # this one address: the others go on
    SENDER = "sender"  # our name, address or set-up is refused: pause and say so, never a bounce
    RELAY = "relay"  # the connection or the server as a whole: wait, then go on
    SETUP = "setup"  # the sign-in or the encryption: trying again changes nothing, and may lock the account


@dataclass(frozen=True)
class Verdict:
    """The new state of a delivery, why in words, whose fault, and after how long to try again."""

    state: str
    reason: str = ""
    fault: Fault = Fault.NONE
    wait: timedelta | None = None
    tried: bool = False  # counts towards the retry schedule
    day_used: bool = False  # the relay says that its day is used up: another relay, or tomorrow


# Enhanced status codes (RFC 3463) that people meet, in their words. X.1.1 and so on: class 4 and 5 alike.
WORDS = {
    "1.1": "address does not exist",
    "1.2": "the address's domain does not exist",
    "1.3": "the address is not written as their server wants it",
    "1.6": "the mailbox has moved",
    "1.10": "the address's domain takes no mail",
    "2.0": "their mailbox refused it",
    "2.1": "mailbox is switched off",
    "2.2": "mailbox is full",
    "2.3": "message is too large for that mailbox",
    "3.2": "their server takes no mail at the moment",
    "3.4": "message is too large for their server",
    "4.1": "their server does not answer",
    "4.4": "no way to their server was found",
    "4.7": "their server could not be reached for too long",
}
# Before any person was named: what goes wrong here says nothing about anybody.
BEFORE_ANYONE = (Phase.CONNECT, Phase.HELLO, Phase.TLS, Phase.AUTH, Phase.RESET)
PROTOCOL = (500, 501, 502, 503, 504, 555)  # RFC 5321 4.2.2: the command was not understood
# 5.7.x that is about one mailbox: Exchange's for mailboxes that take no mail from outside, or not from everybody.
THEIR_RULES = re.compile(r"5\.7\.(124|129|133|134|136)\b|5\.7\.1 .*(RESOLVER\.RST|AuthRequired)", re.IGNORECASE)
# Words about us where the status code says nothing: block lists and reputation (Outlook's S3140, 3150; Yahoo's TS03,
# BL21; Spamhaus), whoever the mail was for.
ABOUT_US = re.compile(
    r"block.?list|black.?list|spamhaus|\(S3\d{3}\)|\[(TSS?|IPTS|BL)\d+\]|reputation|\bSPF\b|\bDKIM\b|\bDMARC\b",
    re.IGNORECASE,
)
# The relay's own quota. Google Workspace: 550 5.4.5 and 5.7.1 "Daily SMTP relay limit exceeded"; Amazon SES: 454
# "Throttling failure: Daily message quota exceeded"; Microsoft 365: 5.1.90, 5.2.1 … "daily limit".
DAY_USED = re.compile(
    r"daily .{0,40}(limit|quota)|(limit|quota) .{0,30}(per|a|for the) day|5\.4\.5\b.*limit|5\.1\.90", re.IGNORECASE
)
# The relay asks us to go slower; nobody's bounce, whatever its class.
TOO_FAST = re.compile(r"maximum sending rate|sender thread limit|concurrent connection limit", re.IGNORECASE)


ACCEPTED = Verdict(Delivery.State.ACCEPTED)


def judge(outcome: Outcome, tries: int) -> Verdict:
    """What follows from one outcome, for a person who has been told "not now" `tries` times before."""
    match outcome:
        case Accepted():
            return ACCEPTED
        case Uncertain():
            why = "the connection broke after the whole message was handed over; it may have arrived"
            return Verdict(Delivery.State.UNCERTAIN, why)
        case Refused():
            return _refused(outcome)
        case Deferred():
            return _deferred(outcome, tries)


def _refused(outcome: Refused) -> Verdict:
    if outcome.phase is Phase.BUILD:
        return Verdict(Delivery.State.FAILED, outcome.text, Fault.PERSON)
    said = f"{outcome.enhanced} {outcome.text}"
    if quota := _quota(outcome):
        return quota
    # MAIL names nobody but us: 552 there is about the size that we told it, or a stray answer to nothing.
    if _about_us_for_good(outcome, said) or outcome.phase is Phase.MAIL:
        return Verdict(Delivery.State.DEFERRED, words(outcome), Fault.SENDER, delay(0), tried=True)
    return Verdict(Delivery.State.FAILED, words(outcome), Fault.PERSON)


def _deferred(outcome: Deferred, tries: int) -> Verdict:
    reason = words(outcome)
    if quota := _quota(outcome):
        return quota
    if outcome.phase in BEFORE_ANYONE:
        settled = outcome.phase in (Phase.TLS, Phase.AUTH) and not 400 <= (outcome.code or 0) <= 499
        return Verdict(Delivery.State.PENDING, reason, Fault.SETUP if settled else Fault.RELAY)
    for_good = outcome.phase is Phase.MAIL and (outcome.code or 0) >= 500 and outcome.code not in PROTOCOL
    if for_good or _is_about_us(outcome.enhanced):  # MAIL FROM names nobody but us
        return Verdict(Delivery.State.DEFERRED, reason, Fault.SENDER, delay(tries), tried=True)
    if outcome.code in (None, 0, 421) or outcome.code in PROTOCOL or outcome.phase is Phase.MAIL:
        # Lost, hung up on or not understood before the final dot: surely not sent. Straight back, unless it keeps
        # happening to this one message (a filter that hangs up on it), which must not block the others.
        if tries + 1 < LOST_AT_MOST:
            return Verdict(Delivery.State.PENDING, reason, Fault.RELAY, tried=True)
        return Verdict(Delivery.State.DEFERRED, reason, Fault.RELAY, delay(tries), tried=True)
    # 4.3.x is about the server as a whole (its disk is full, it is shutting down): let it rest.
    fault = Fault.RELAY if outcome.enhanced.startswith("4.3.") else Fault.PERSON
    return Verdict(Delivery.State.DEFERRED, reason, fault, delay(tries), tried=True)


def _quota(outcome: Refused | Deferred) -> Verdict | None:
    """The relay has had enough from us today, or for the moment: this person goes back, nobody is refused."""
    said = f"{outcome.enhanced} {outcome.text}"
    if outcome.enhanced[1:4] == ".2.":  # about one mailbox, which may have a limit of its own
        return None
    day_used = bool(DAY_USED.search(said))
    if not day_used and not TOO_FAST.search(said):
        return None
    return Verdict(Delivery.State.PENDING, words(outcome), Fault.RELAY, day_used=day_used)


def _about_us_for_good(outcome: Refused, said: str) -> bool:
    """True when the refusal is about the sender: authentication, reputation, policy, our address, the mail's size."""
    if THEIR_RULES.match(said):
        return False
    if outcome.ours or outcome.enhanced.startswith("5.7."):
        return True
    return not outcome.enhanced.startswith(("5.1.", "5.2.")) and bool(ABOUT_US.search(outcome.text))


def _is_about_us(status: str) -> bool:
    """True for a "not now" that time alone will not mend: SPF, DKIM, DMARC, PTR at Gmail are 4.7.20 to 4.7.40.

    Not 4.7.28, which only asks to go slower, and not 4.7.1: that is how greylisting servers say "not now".
    """
    detail = re.fullmatch(r"4\.7\.(\d+)", status)
    return bool(detail and 20 <= int(detail[1]) <= 40 and detail[1] != "28")


def delay(tries: int) -> timedelta:
    """How long to wait after the `tries`-th earlier "not now" (0 = this is the first)."""
    return DELAYS[tries] if tries < len(DELAYS) else LATER


def too_late(due: datetime, started: datetime, hours: float, useful_until: datetime | None = None) -> bool:
    """True when a try at `due` would come after the mailing is given up (`hours` after it started) or after the issue
    is of no use any more: then the delivery is expired."""
    last = started + timedelta(hours=hours)
    return due > (min(last, useful_until) if useful_until else last)


def words(outcome: Refused | Deferred) -> str:
    """The outcome for a person: plain words first, the server's own in brackets."""
    said = _one_line(f"{outcome.code} {outcome.text}" if outcome.code else outcome.text)
    plain = WORDS.get(outcome.enhanced.partition(".")[2], "")
    if not plain:
        lost = "the connection was lost" if not outcome.code else "not now, said the mail server"
        plain = "refused by the mail server" if isinstance(outcome, Refused) else lost
    return f"{plain} ({said})" if said else plain


def _one_line(text: str) -> str:
    """The server's words on one line, without what could move a cursor, at most 200 letters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:200]
