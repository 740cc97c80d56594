"""The parts of a report that says what became of a mail: words, fields and the mail it is about, within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from newsletter.mail import header_reading
from newsletter.mail.charsets import decode
from newsletter.mail.html_text import to_text

# A report says what it has to say at its beginning; the returned mail behind it may have 50 MB of pictures.
MOST_BYTES = 400_000
MOST_LINES = 20_000  # the parser makes a message of every empty line of a status part: 400,000 took 2.5 s
MOST_PARTS, DEEPEST = 100, 10
MOST_TEXT = 100_000  # letters
# The standard parser looks at each line once for each level.
MOST_NESTS, MOST_LINES_BY_LEVELS = 30, 300_000
STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status", "text/delivery-status")
ORIGINAL_TYPES = (
    "message/rfc822",
    "message/global",
    "message/partial",
    "text/rfc822-headers",
    "message/rfc822-headers",
)

Fields = dict[str, str]


@dataclass
class Parts:
    """What a mail is made of, the way reports are read. `original` are the headers of the mail that came back."""

    types: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # in front of the returned mail
    status: list[list[Fields]] = field(default_factory=list)  # of each delivery-status part: its blocks
    feedback: list[Fields] = field(default_factory=list)  # of message/feedback-report
    original: list[tuple[str, str]] = field(default_factory=list)
    calendar: str = ""  # METHOD of a text/calendar part

    @property
    def text(self) -> str:
        """The words of the notice itself."""
        return "\n".join(self.texts)[:MOST_TEXT]

    def of_original(self, name: str) -> str:
        """A header of the returned mail, or ""."""
        return next((value for key, value in self.original if key == name), "")


def read(raw: bytes) -> Parts:
    """The parts of `raw`. Never raises: what cannot be taken apart counts as one text."""
    raw, parts = b"\n".join(raw[:MOST_BYTES].split(b"\n", MOST_LINES)[:MOST_LINES]), Parts()
    lowered = raw.lower()
    nests = lowered.count(b"multipart/") + lowered.count(b"message/rfc822")
    if nests <= MOST_NESTS and nests * raw.count(b"\n") <= MOST_LINES_BY_LEVELS:
        try:
            _take(BytesParser(policy=compat32).parsebytes(raw), parts, 0)
        except Exception:  # RecursionError, LookupError, ValueError … of the standard parser: the words still count
            parts = Parts()
    if not parts.types:
        body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        parts.types.append("text/plain")
        parts.texts.append(decode(body[: MOST_TEXT * 2]))
    return parts


def _take(part: Message, parts: Parts, depth: int) -> None:
    if len(parts.types) >= MOST_PARTS or depth > DEEPEST:
        return
    kind, parameters = header_reading.content_type(_header(part, "content-type") or "text/plain")
    parts.types.append(kind)
    if kind in STATUS_TYPES:
        parts.status.append(blocks(_flat(part)))
    elif kind == "message/feedback-report":
        parts.feedback += blocks(_flat(part))[:1] or [{}]
    elif kind in ORIGINAL_TYPES:
        parts.original = parts.original or _headers_of(part)
    elif part.is_multipart():
        for child in part.get_payload():
            if isinstance(child, Message):
                _take(child, parts, depth + 1)
    elif kind == "text/calendar":
        parts.calendar = parts.calendar or parameters.get("method", "").upper() or _method(_text(part, parameters))
    elif kind.startswith(("text/", "multipart/")) or "/" not in kind:
        text = _text(part, parameters)
        parts.texts.append(to_text(text) if kind == "text/html" else text)


def blocks(text: str) -> list[Fields]:
    """Groups of `Name: value` lines between empty lines (RFC 3464 2.1), folded lines joined, names in lower case."""
    found: list[Fields] = []
    for group in re.split(r"\n[ \t]*\n", text.strip("\n"))[:400]:
        fields: Fields = {}
        name = ""
        for line in group.split("\n")[:200]:
            if line[:1] in (" ", "\t") and name:
                fields[name] = f"{fields[name]} {line.strip()}"[:4000]
            elif match := re.match(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:(.*)", line):
                name = match[1].lower()
                if name in fields:
                    name = ""  # the first one counts
                else:
                    fields[name] = match[2].strip()[:4000]
        if fields:
            found.append(fields)
    return found


def _flat(part: Message) -> str:
    """A part as text again, whatever the parser made of it; base64 and quoted-printable undone."""
    if not part.is_multipart():
        return decode(_payload(part))
    pieces: list[str] = []
    for child in part.get_payload():
        if isinstance(child, Message):
            lines = [f"{name}: {value}" for name, value in child.items()]
            rest = child.get_payload()
            pieces.append("\n".join([*lines, *([f"\n{rest}"] if isinstance(rest, str) and rest.strip() else [])]))
    text = decode("\n\n".join(pieces).encode("utf-8", "surrogateescape"))
    encoding = _header(part, "content-transfer-encoding").strip().lower()
    if encoding in ("base64", "quoted-printable") and ":" not in text[:200]:
        holder = Message()
        holder["Content-Transfer-Encoding"] = encoding
        holder.set_payload(text.strip())
        text = decode(_payload(holder))
    return text


def _headers_of(part: Message) -> list[tuple[str, str]]:
    child = next(iter(_children(part)), None)
    if child is not None:
        return [(name.lower(), decode(str(value).encode("utf-8", "surrogateescape"))) for name, value in child.items()]
    return header_reading.block(_payload(part)[:65_536])


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    return (child for child in payload if isinstance(child, Message)) if isinstance(payload, list) else iter(())


def _text(part: Message, parameters: Fields) -> str:
    return decode(_payload(part)[: MOST_TEXT * 4], parameters.get("charset", ""))[:MOST_TEXT]


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(part: Message, name: str) -> str:
    return decode(str(part.get(name, "")).encode("utf-8", "surrogateescape"))


def _method(text: str) -> str:
    match = re.search(r"^METHOD:([A-Za-z]{1,20})\s*$", text[:20_000], re.MULTILINE)
    return match[1].upper() if match else ""
