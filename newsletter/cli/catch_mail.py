"""Caught mail as the catcher's page shows it: read from var/mail, nothing trusted, nothing changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.mail import charsets, incoming
from newsletter.mail.header_reading import content_type

_NAME = re.compile(r"[0-9A-Za-z-]{1,80}")
_HEAD = 64_000  # bytes: enough for every header of a mail, and 500 lists of mails stay quick


@dataclass(frozen=True)
class Line:
    """One mail in the list. `at` is `24 November 2026, 10:15:04` in the mailbox's time zone, from the file's name."""

    name: str
    at: str
    sender: str
    to: str
    subject: str

    def matches(self, words: str) -> bool:
        """True when every word stands in sender, address or subject."""
        text = f"{self.sender} {self.to} {self.subject}".casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True)
class Caught:
    """One mail opened. `html` is what the sender wrote, to be shown in a locked frame only."""

    line: Line
    envelope: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    raw: bytes
    pictures: dict[str, tuple[str, bytes]]  # Content-ID → type, bytes
    size: int


class Mailbox:
    """The folder of caught mail. Lines are read once and remembered: a file never changes."""

    def __init__(self, folder: Path, zone: str = "UTC") -> None:
        self.folder, self.zone = folder, zone
        self._lines: dict[str, Line] = {}

    def lines(self) -> list[Line]:
        """Every mail, newest first."""
        names = sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)
        return [line for line in map(self._line, names) if line]

    def open(self, name: str) -> Caught | None:
        """The mail of that name; None where there is none."""
        if not _NAME.fullmatch(name):
            return None
        try:
            stored = (self.folder / f"{name}.eml").read_bytes()
        except OSError:
            return None
        line = self._line(name)
        if line is None:
            return None
        envelope, raw = _envelope(stored)
        found = incoming.read(raw)
        html, pictures = _html(raw)
        return Caught(line, envelope, found.headers, found.text, html, raw, pictures, len(raw))

    def _line(self, name: str) -> Line | None:
        if name not in self._lines:
            try:
                with (self.folder / f"{name}.eml").open("rb") as file:
                    envelope, raw = _envelope(file.read(_HEAD))
            except OSError:
                return None
            found = incoming.read(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            to = [address for key, address in envelope if key == "To"] or list(found.recipients)
            sender = found.from_name or found.from_address or "(no sender)"
            subject = found.subject or "(no subject)"
            self._lines[name] = Line(
                name, _when(name, ZoneInfo(self.zone)), sender, ", ".join(to)[:300] or "(nobody)", subject
            )
        return self._lines[name]


def _envelope(stored: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """The lines that the catcher put on top, and the mail as it came."""
    envelope = []
    while found := re.match(rb"X-Envelope-(From|To): <([^\r\n]*)>\r\n", stored):
        envelope.append((found[1].decode(), charsets.one_line(charsets.decode(found[2]))))
        stored = stored[found.end() :]
    return tuple(envelope), stored


def _html(raw: bytes) -> tuple[str, dict[str, tuple[str, bytes]]]:
    """The HTML part as it came, and the pictures that it may point to by `cid:`."""
    html, pictures = "", {}
    try:
        for part in BytesParser(policy=compat32).parsebytes(raw).walk():
            kind, parameters = content_type(str(part.get("Content-Type", "")))
            if kind == "text/html" and not html:
                html = charsets.decode(_payload(part), parameters.get("charset", ""))
            elif kind.startswith("image/") and kind != "image/svg+xml" and part.get("Content-ID"):
                pictures[str(part["Content-ID"]).strip(" <>")] = (kind, _payload(part))
    except Exception:
        return "", {}  # a mail that no parser likes still shows its text and its source
    return html, pictures


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905


def _when(name: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.strptime(name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).astimezone(zone)
    except (ValueError, OverflowError):
        return ""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S}"
