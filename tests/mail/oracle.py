"""The standard library as the judge: the same mail built by EmailMessage, and what a parser reads out of bytes."""

from __future__ import annotations

import email
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage, Message
from email.utils import format_datetime

from newsletter.mail.addresses import parse
from newsletter.mail.outgoing import Common, Person, Picture

# With its default of 78 EmailMessage itself encodes long links (RELIABILITY: the 77-column trap).
POLICY = policy.SMTP.clone(max_line_length=998)


def with_email_message(
    common: Common, subject: str, text: str, html: str, person: Person, images: Sequence[Picture] = ()
) -> bytes:
    """The mail that `outgoing.compile(…).build(…)` makes, made by EmailMessage."""
    message = EmailMessage(policy=POLICY)
    message["Message-ID"] = f"<{person.message_id}>"
    message["Date"] = format_datetime(common.date)
    message["From"] = _mailbox(common.from_name, common.from_address)
    message["To"] = _mailbox(person.name, str(person.to))
    message["Subject"] = subject
    if person.reply_to:
        message["Reply-To"] = _mailbox(common.reply_name, person.reply_to)
    if common.list_id:
        ways = f"<{person.unsubscribe_url}>, <mailto:{person.unsubscribe_mailto}?subject=unsubscribe>"
        message["List-Unsubscribe"] = ways
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["List-Id"] = f"{common.list_title} <{common.list_id}>"
        message["Precedence"] = "bulk"
        message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
        message["Feedback-ID"] = common.feedback_id
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # Afterwards, or EmailMessage moves it into the first part.
    if common.language:
        message["Content-Language"] = common.language
    for image in images:
        kind, _, subtype = image.content_type.partition("/")
        rich = message.get_payload()[1]  # type: ignore[index]
        rich.add_related(image.data, kind, subtype, cid=f"<{image.cid}>")  # type: ignore[union-attr, arg-type]
    return message.as_bytes()


def _mailbox(name: str, address: str) -> HeaderAddress:
    return HeaderAddress(name, addr_spec=parse(address).wire)


@dataclass(frozen=True)
class Read:
    """What a reader sees of a mail."""

    headers: dict[str, str]  # decoded; names in lower case
    text: str
    html: str
    images: dict[str, bytes]  # by Content-ID


def read(raw: bytes) -> Read:
    """Parse with the standard library. A header that comes twice, or a defect anywhere, fails the test."""
    message = email.message_from_bytes(raw)
    for part in message.walk():
        assert not part.defects, part.defects
    names = [name.lower() for name in message]
    assert len(names) == len(set(names)), names
    bodies = {"text/plain": "", "text/html": ""}
    images: dict[str, bytes] = {}
    for part in message.walk():
        if part.is_multipart():
            continue
        if part.get_content_type() in bodies:
            bodies[part.get_content_type()] = _payload(part).decode("utf-8")
        else:
            images[str(part["Content-ID"])] = _payload(part)
    headers = {name.lower(): decoded(value) for name, value in message.items()}
    return Read(headers, bodies["text/plain"], bodies["text/html"], images)


def decoded(value: str) -> str:
    """A header as its reader sees it, by the older functions: 3.11's newer ones keep the blank between words."""
    unfolded = str(value).replace("\r\n", "").replace("\n", "")
    return str(make_header(decode_header(unfolded))) if "=?" in unfolded else unfolded


def lines(text: str) -> str:
    """Line breaks as mail has them."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload
