"""What somebody wrote on our page, as a mail: so it walks through the same door as every other answer, kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from newsletter.mail.charsets import one_line

# 998: a shorter limit would fold Message-IDs into encoded words (RELIABILITY: EmailMessage breaks long tokens).
POLICY = SMTP.clone(max_line_length=998, utf8=True)
FACTS = ("name", "phone", "write", "call", "language", "trap")  # X-Page-…: believed only of mail that the page made


@dataclass(frozen=True)
class File:
    """A file that was sent along; `name` is what their browser called it."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Written:
    """One press of the button. `once` names that press: the same again is the same mail.

    `to` is the reply address behind the link (or that of the page itself), `address` where they want an answer ("" =
    nowhere by mail), `write` and `call` what they said about safety (yes | no | ""), `follows` the Message-ID of
    what they wrote before, when only files come.
    """

    words: str
    once: str
    to: str
    domain: str
    at: datetime
    subject: str = ""
    name: str = ""
    address: str = ""
    phone: str = ""
    write: str = ""
    call: str = ""
    language: str = ""
    trap: str = ""  # what stood in the field that people do not see
    follows: str = ""
    files: Sequence[File] = ()


def message_id(once: str, domain: str) -> str:
    """The Message-ID, without brackets, of one press of the button."""
    return f"{once}.page@{domain}"


def build(written: Written) -> bytes:
    """The mail. Never raises for what people type: control letters become spaces, broken letters question marks."""
    mail = EmailMessage(policy=POLICY)
    mail["Date"] = format_datetime(written.at)
    mail["Message-ID"] = f"<{message_id(written.once, written.domain)}>"
    mail["To"] = written.to
    if written.address:
        mail["From"] = written.address
    mail["Subject"] = _line(written.subject)
    if written.follows:
        mail["In-Reply-To"] = mail["References"] = f"<{written.follows}>"
    for fact in FACTS:
        if value := _line(getattr(written, fact)):
            mail[f"X-Page-{fact.title()}"] = value
    mail.set_content(_text(written.words) + "\n", cte="base64")
    for file in written.files:
        # What it really is, its first bytes say later; what a browser claims is never believed.
        name = _line(file.name) or "file"
        mail.add_attachment(file.data, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def _line(text: str) -> str:
    return one_line(_text(text))[:300].strip()


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
