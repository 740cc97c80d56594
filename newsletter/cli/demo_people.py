"""What the demo's made-up people do with their mail: follow its links, answer it, leave with one click."""

from __future__ import annotations

import html
import re
import smtplib
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from newsletter.cli.demo_workspace import Workspace, stopped
from newsletter.mail import tokens

ANSWERS = (
    "Thank you for this. How do I apply for a Case Review if the council has closed my case already?",
    "We have had this on our street since August. Could somebody ring me, best in the evening?",
    "Diolch! Could we have thirty of these as a leaflet for the community centre?",
    "My mother used Harmony last year and they were very kind. I wanted you to know.",
)
ANSWERED = "Yes, you can still apply: the form is open until the council has answered you in writing."
LATE = "I have left the list, that is not against you. But whom do I ring about the broken street light?"
AWAY = "I am out of the office until Monday and will read your message then."


@dataclass(frozen=True)
class Copy:
    """One caught mail, as its reader's mail program has it."""

    path: Path
    message: EmailMessage

    @property
    def to(self) -> str:
        return str(self.message["To"].addresses[0].addr_spec)

    @property
    def name(self) -> str:
        return self.message["To"].addresses[0].display_name or self.to

    @property
    def reply_to(self) -> str:
        return str(self.message["Reply-To"].addresses[0].addr_spec)

    def links(self) -> list[str]:
        """Every link of the HTML part, once each, in reading order; our own and others'."""
        part = self.message.get_body(("html",))
        text = part.get_content() if part else ""
        found = re.findall(r"<a\b[^>]*?\bhref=(?:\"([^\"]*)\"|'([^']*)')", text)
        return list(dict.fromkeys(html.unescape(one or other) for one, other in found))


def copies(folder: Path) -> list[Copy]:
    """The caught mails in the order in which they came."""
    found = []
    for path in sorted(folder.glob("*.eml")):
        message = BytesParser(policy=default).parsebytes(path.read_bytes())
        assert isinstance(message, EmailMessage)
        found.append(Copy(path, message))
    return found


def answer(workspace: Workspace, copy: Copy, words: str, *, away: bool = False) -> None:
    """Write back over SMTP to the signed address in the mail's own Reply-To, as a mail program does."""
    reply = EmailMessage()
    reply["From"] = copy.message["To"]
    reply["To"] = copy.reply_to
    subject = str(copy.message["Subject"])
    reply["Subject"] = f"{'Automatic reply' if away else 'Re'}: {subject}"
    reply["Message-ID"] = f"<{tokens.new_id().hex()}@{copy.to.rpartition('@')[2]}>"
    reply["In-Reply-To"] = reply["References"] = copy.message["Message-ID"]
    if away:
        reply["Auto-Submitted"] = "auto-replied"
    sender = str(copy.message["From"].addresses[0].display_name)
    reply.set_content(f"{words}\n\n{sender} wrote:\n> {subject}\n")
    try:
        with smtplib.SMTP("127.0.0.1", workspace.smtp, timeout=20) as smtp:
            smtp.send_message(reply, from_addr="" if away else copy.to, to_addrs=[copy.reply_to])
    except (smtplib.SMTPException, OSError) as error:
        raise stopped(f"The catcher did not take the answer of {copy.to}: {error}") from error


def leave(copy: Copy) -> int:
    """One-click unsubscribe as a mail service does it: a POST to the address in the header (RFC 8058 3.1).

    The header List-Unsubscribe-Post, which announces it, belongs to https only; on this computer it is plain http.
    """
    found = re.search(r"<(https?://[^>]+)>", str(copy.message["List-Unsubscribe"]))
    if not found:
        raise stopped("The mail has no link in List-Unsubscribe", "That is our bug: every bulk mail must have it.")
    return _status(found[1], b"List-Unsubscribe=One-Click")


@dataclass(frozen=True)
class Followed:
    """What became of a mail's links: ours answered 200, mailto: verified, others' lie outside this computer."""

    pages: int
    addresses: int
    outside: int

    @property
    def total(self) -> int:
        return self.pages + self.addresses + self.outside


def follow(workspace: Workspace, copy: Copy, ring: tokens.Keyring) -> Followed:
    """Follow every link of one mail. Raises NewsletterError(demo-stopped) at the first dead one."""
    pages = addresses = outside = 0
    for link in copy.links():
        url = urllib.parse.urlsplit(link)
        if url.scheme == "mailto":
            token = tokens.in_address(url.path, url.path.rpartition("@")[2], "+")
            signed = ring.read(token) if token else None
            if signed is None or signed[0] is not tokens.Purpose.REPLY:
                raise stopped(f"A reply link is not signed: {link}")
            addresses += 1
        elif url.netloc == f"127.0.0.1:{workspace.web}":
            if (status := _status(link)) != 200:
                raise stopped(f"A link is dead ({status}): {link}")
            pages += 1
        elif url.scheme in ("http", "https") and (url.hostname or "").endswith((".example", "example.org")):
            outside += 1  # made-up hosts (RFC 2606): nobody is there
        else:
            raise stopped(f"A link leads nowhere we know: {link}")
    if not pages or not addresses:
        raise stopped("The mail has no page of ours or no reply button", f"Links found: {copy.links()}")
    return Followed(pages, addresses, outside)


def _status(url: str, data: bytes | None = None) -> int:
    request = urllib.request.Request(url, data=data)  # noqa: S310 (our own server on this computer)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
