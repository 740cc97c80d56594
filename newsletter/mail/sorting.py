"""What a mail is: the ordered rules, each with its reason in words. The first one that holds decides.

Pure: bytes and facts in, a verdict out; nothing is stored. When in doubt it is a person, for a person who is taken for
a machine waits for ever, and a machine that is taken for a person costs a colleague ten seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from newsletter.mail import bounces, complaints, incoming, leaving, quoting, signs
from newsletter.mail.bounces import Parts, Recipient
from newsletter.mail.complaints import Complained
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Purpose

MOST_HOPS = 25  # Received lines; real mail has under 15, RFC 5321 6.3 calls 100 a loop
MOST_TIMES_DELIVERED = 3  # to one address that is not ours
LIST_SERVERS = ("x-mlserver", "x-ml-server", "x-majordomo-version", "x-mailman-version", "x-listserver")
UNREADABLE_TYPES = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "message/partial")

MORE = "wrote-more"  # detail of a wish to leave that stands beside words for a person


class Kind(StrEnum):
    """The kinds of `newsletter replies sort`."""

    PERSON = "person"
    AUTO = "auto"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    ASK = "ask"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Facts:
    """What is known of a mail besides its bytes; all of it may be unknown."""

    purpose: Purpose | None = None  # of a token whose check holds, in the address it came to
    ours: bool = False  # its own Message-ID is one that we signed, or its From is an address with our token
    recipient_wrote_it: bool = False  # its From is the address that the token's copy went to
    no_sender: bool = False  # the envelope says MAIL FROM:<>
    recipient: str = ""  # the envelope recipient, an address of ours
    test: bool = False  # the unsubscribe address of a test copy


@dataclass(frozen=True)
class Sorted:
    """A verdict. `detail` says what kind of automatic mail: out-of-office, acknowledgement, list, loop, receipt,
    calendar, challenge, moved, delivered, no-reply; of a person's, `unreadable` = the words cannot be read."""

    kind: Kind
    reason: str
    detail: str = ""
    recipients: tuple[Recipient, ...] = ()
    complaint: Complained | None = None
    words: str = ""  # the new words of a person's reply


@dataclass
class _Mail:
    """One mail being sorted; its parts are taken apart when the first rule asks for them."""

    raw: bytes
    incoming: Incoming
    facts: Facts
    robot: bool = field(init=False)
    null_path: bool = field(init=False)

    def __post_init__(self) -> None:
        self.robot = bounces.daemon(self.incoming)
        self.null_path = self.facts.no_sender or bounces.null_path(self.incoming)

    @cached_property
    def parts(self) -> Parts:
        return bounces.read_parts(self.raw)

    @cached_property
    def words(self) -> str:
        return quoting.new_words(self.incoming.text)


def sort(raw: bytes, read: Incoming | None = None, facts: Facts | None = None) -> Sorted:
    """The verdict on one mail; `read` is the same mail read already. Raises nothing for any bytes."""
    mail = _Mail(raw, incoming.read(raw) if read is None else read, facts or Facts())
    for rule in RULES:
        verdict = rule(mail)
        if verdict is not None:
            return verdict
    return Sorted(Kind.PERSON, "nothing says that a machine wrote it", words=mail.words)


def _leaves_by_address(mail: _Mail) -> Sorted | None:
    """Before every sign of a machine: Apple's Mail sends its wish to leave as auto-replied."""
    if mail.facts.purpose is Purpose.UNSUBSCRIBE or mail.facts.test:
        apple = mail.incoming.header("x-apple-unsubscribe")
        more = not (mail.facts.test or apple or signs.automatic(mail.incoming) or mail.null_path)
        if more and leaving.says_more(mail.incoming.subject, mail.words):
            return Sorted(Kind.UNSUBSCRIBE, "sent to the unsubscribe address", MORE, words=mail.words)
        return Sorted(Kind.UNSUBSCRIBE, "sent to the unsubscribe address")
    if mail.incoming.header("x-apple-unsubscribe").strip().lower() == "true":
        return Sorted(Kind.UNSUBSCRIBE, "Apple Mail asks to leave for its user")
    return None


def _loops(mail: _Mail) -> Sorted | None:
    if mail.facts.ours:
        return Sorted(Kind.AUTO, "our own mail came back to us", "loop")
    if len(mail.incoming.all("received")) > MOST_HOPS:
        return Sorted(Kind.AUTO, f"it went through more than {MOST_HOPS} servers: a loop", "loop")
    # Other people's servers write the same Delivered-To twice when mail is handed on inside (LaPoste, qmail, 4 of 300
    # real bounces): twice is a loop only where it is our own address, which a mail reaches once.
    passed = Counter(value.strip(" <>").lower() for value in mail.incoming.all("delivered-to") if "@" in value)
    if passed and (passed[mail.facts.recipient.lower()] > 1 or max(passed.values()) > MOST_TIMES_DELIVERED):
        return Sorted(Kind.AUTO, "it was delivered to the same address again: a loop", "loop")
    return None


def _complains(mail: _Mail) -> Sorted | None:
    """A report of a provider. None comes to the reply address of one person's copy: whoever holds that copy could take
    them off with three lines, so there it is somebody's mail like any other."""
    if mail.facts.purpose is Purpose.REPLY:
        return None
    reports = mail.incoming.report_type == "feedback-report"
    if not reports and not any(kind.startswith("message/") for kind in mail.incoming.parts):
        return None
    found = complaints.read(mail.incoming, mail.parts)
    return Sorted(Kind.COMPLAINT, found.how, complaint=found) if found else None


def _receipts(mail: _Mail) -> Sorted | None:
    if signs.report(mail.incoming) == "disposition-notification":
        return Sorted(Kind.AUTO, "a read receipt", "receipt")
    return None


def _reports(mail: _Mail) -> Sorted | None:
    """A delivery status, whatever the outer type says. A person who sends one on to us is a person."""
    said = mail.incoming.report_type == "delivery-status"
    maybe = said or mail.incoming.faults or any(kind in bounces.STATUS_TYPES for kind in mail.incoming.parts)
    if not maybe or not (said or mail.parts.status):
        return None
    evidence = mail.incoming.report_type or mail.robot or mail.null_path or mail.facts.purpose is Purpose.BOUNCE
    if not evidence and (mail.incoming.in_reply_to or incoming_forward(mail.incoming.subject)):
        return None
    found = bounces.read(mail.raw, mail.incoming, mail.parts, sure=said)
    if found is None:
        return Sorted(Kind.AUTO, "a report that says that our mail was delivered", "delivered")
    return Sorted(Kind.BOUNCE, found.how, recipients=found.recipients)


def incoming_forward(subject: str) -> bool:
    """True for a subject that says that somebody sends something on or answers."""
    return subject.strip().lower().startswith(("fw:", "fwd:", "re:", "wg:", "tr:"))


def _server_says(mail: _Mail) -> Sorted | None:
    """A mail server writes (MAILER-DAEMON, X-Failed-Recipients): before the automatic signs, which bounces have too.

    A bare postmaster@ as envelope sender proves nothing: Microsoft 365 sends absence notices so (38 of 38)."""
    named = bool(mail.incoming.header("x-failed-recipients").strip())
    # The program of a mailing list that hands a mail back to its sender: it says so, and the mail stands below.
    listed = any(mail.incoming.header(name) for name in LIST_SERVERS) and bounces.hands_back(mail.parts)
    if not (mail.robot or named or listed):
        return _notification(mail)
    sure = mail.facts.purpose is Purpose.BOUNCE or listed
    found = bounces.read(mail.raw, mail.incoming, mail.parts, sure=sure)
    return Sorted(Kind.BOUNCE, found.how, recipients=found.recipients) if found else None


def _notification(mail: _Mail) -> Sorted | None:
    """A notification of Amazon SNS that a subscription sends by mail."""
    text = mail.incoming.text.lstrip()
    if not text.startswith("{") or "amazonaws" not in mail.incoming.from_address + text[:20_000]:
        return None
    kind, people = bounces.of_json(text)
    if kind == "Bounce":
        return Sorted(Kind.BOUNCE, "a notification of Amazon SES", recipients=tuple(people))
    if kind == "Complaint":
        return Sorted(Kind.COMPLAINT, "a notification of Amazon SES", complaint=Complained("abuse", "", "Amazon SES"))
    return Sorted(Kind.AUTO, "a notification of Amazon SES", "delivered") if kind else None


def _calendar(mail: _Mail) -> Sorted | None:
    if "text/calendar" not in mail.incoming.parts or mail.incoming.text.strip():
        return None
    if mail.parts.calendar in ("REPLY", "COUNTER"):
        return Sorted(Kind.AUTO, "a calendar's answer without words", "calendar")
    return None


def _automatic(mail: _Mail) -> Sorted | None:
    why = signs.automatic(mail.incoming)
    return Sorted(Kind.AUTO, why, signs.detail(mail.incoming)) if why else None


def _at_bounce_address(mail: _Mail) -> Sorted | None:
    """What a server sends to a bounce address is a bounce. With a return address and words of no failure it is a
    person, whoever they are: some programs answer to the Return-Path, and some people write from another address."""
    if mail.facts.purpose is not Purpose.BOUNCE:
        return None
    server = mail.robot or mail.null_path
    if not server and mail.facts.recipient_wrote_it:
        return None
    found = bounces.read(mail.raw, mail.incoming, mail.parts, sure=server)
    if not server and (found is None or not found.recipients):
        return None
    return Sorted(Kind.BOUNCE, "sent to the bounce address", recipients=found.recipients if found else ())


def _no_return(mail: _Mail) -> Sorted | None:
    """No return address and a person's From: a bounce only where it says so and names somebody, else automatic."""
    if not mail.null_path:
        return None
    found = None if mail.incoming.in_reply_to else bounces.read(mail.raw, mail.incoming, mail.parts)
    if found and found.recipients:
        return Sorted(Kind.BOUNCE, found.how, recipients=found.recipients)
    if mail.robot:
        return Sorted(Kind.AUTO, "a mail server wrote it", "notice")
    return Sorted(Kind.AUTO, "it has no return address", signs.detail(mail.incoming))


def _automatic_by_words(mail: _Mail) -> Sorted | None:
    why = signs.by_words(mail.incoming)
    if why:
        return Sorted(Kind.AUTO, why, signs.detail(mail.incoming))
    return Sorted(Kind.AUTO, "a mail server wrote it", "notice") if mail.robot else None


def _leaves_in_words(mail: _Mail) -> Sorted | None:
    wish = leaving.wish(mail.incoming.subject, mail.words)
    if wish == leaving.COMMAND:
        return Sorted(Kind.UNSUBSCRIBE, "the whole reply is a command to leave", words=mail.words)
    if wish == leaving.ASK:
        return Sorted(Kind.ASK, "it may ask to leave: a colleague decides", words=mail.words)
    return None


def _cannot_be_read(mail: _Mail) -> Sorted | None:
    types = (mail.incoming.content_type, *mail.incoming.parts)
    if any(kind in UNREADABLE_TYPES for kind in types) and not mail.incoming.text.strip():
        return Sorted(Kind.PERSON, "encrypted or in pieces: it cannot be read here", "unreadable")
    fault = signs.unreadable(mail.incoming)
    return Sorted(Kind.QUARANTINE, fault) if fault else None


RULES: tuple[Callable[[_Mail], Sorted | None], ...] = (
    _loops,
    _leaves_by_address,
    _complains,
    _receipts,
    _reports,
    _calendar,
    _server_says,
    _automatic,
    _at_bounce_address,
    _no_return,
    _automatic_by_words,
    _leaves_in_words,
    _cannot_be_read,
)
