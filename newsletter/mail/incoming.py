"""Mail that came in, read within limits: who, about what, which words. Any bytes give an answer, none an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32
from itertools import islice

from newsletter.mail import header_reading as reading
from newsletter.mail.charsets import decode, one_line
from newsletter.mail.html_text import to_text

# The standard parser needs 14 s for 10,000 parts and breaks off at 300 nested ones; real mail has under 30 parts.
MOST_BYTES = 50 * 1024 * 1024  # what intake takes: a big file must not take the words with it
MOST_HEADER_BYTES, MOST_HEADERS = 65_536, 500
MOST_PARTS, DEEPEST = 500, 40
MOST_LINES_BY_LEVELS = 5_000_000
MOST_TEXT = 1_000_000  # letters
MOST_ATTACHMENTS = 100
FIRST_BYTES = 262_144  # of a mail whose whole cannot be read; programs write the words before the files
WORDS_BEFORE = {"too-big", "too-many-parts", "too-deep", "unreadable"}
_INLINE_PICTURE = re.compile(rb"data:image/[^\"'<>\s]{500,}", re.IGNORECASE)
MOST_LINKS = 200
_HREF = re.compile(r"""href\s{0,9}=\s{0,9}["']?([^"'\s<>]{1,500})""", re.IGNORECASE)
PIECE = 65_536  # bytes that the parser gets at once


@dataclass(frozen=True)
class Attachment:
    """A file that came along. `name` is one safe line; `size` is in bytes after decoding."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True)
class Incoming:
    """What a mail says. Everything in it was written by a stranger: text to show, never markup, never trusted.

    `headers` are (lower-case name, decoded one-line value) in order. `recipients` are the addresses of
    X-Original-To, Delivered-To, Envelope-To, To and Cc, in that order. Identifiers stand without `<>`. `faults` say
    what could not be read: too-big, headers-too-long, too-many-parts, too-deep, unreadable, text-cut.
    """

    headers: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    from_name: str = ""
    from_address: str = ""  # as on the wire; "" when there is not exactly one
    recipients: tuple[str, ...] = ()
    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    content_type: str = "text/plain"
    report_type: str = ""  # of multipart/report: delivery-status, feedback-report, disposition-notification
    parts: tuple[str, ...] = ()  # content types of all parts, in order
    text: str = ""
    text_from_html: bool = False
    html: str = ""  # as written by the stranger: for mail.html_clean only; "" when there is none, or it was cut
    links: tuple[str, ...] = ()  # where links in the HTML lead, as they stand there
    attachments: tuple[Attachment, ...] = ()
    faults: tuple[str, ...] = ()

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header, decoded."""
        return next((value for key, value in self.headers if key == name.lower()), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a header, decoded, in order."""
        return tuple(value for key, value in self.headers if key == name.lower())


def read(raw: bytes) -> Incoming:
    """Read one message. Never raises: what cannot be read is named in `faults`, and the headers still count."""
    faults: list[str] = []
    headers = reading.block(raw[:MOST_HEADER_BYTES])
    start = raw[: MOST_HEADER_BYTES + 1]
    if len(start) > MOST_HEADER_BYTES and b"\n\n" not in start and b"\r\n\r\n" not in start:
        faults.append("headers-too-long")
    if len(headers) > MOST_HEADERS:
        headers = headers[:MOST_HEADERS]
        faults.append("headers-too-long")
    body = _Body()
    fault = too_much(raw)
    if fault:
        faults.append(fault)
    if not faults:
        try:
            policy = _Limited(headers_left=iter(range(MOST_HEADERS * 40)))  # type: ignore[call-arg]
            body.take(_parsed(raw, policy))
        except Exception:
            # RecursionError, LookupError, our own limit: the headers are read already, the raw bytes are kept.
            faults.append("unreadable")
    if not body.parts and set(faults) & WORDS_BEFORE:
        body = _first_words(raw)
    return _message(headers, body, faults + body.faults)


def _first_words(raw: bytes) -> _Body:
    """The words at the beginning of a mail whose whole is too much: what was sent along must not take them with it.

    Only the words: of a part that was cut off nobody could say what it is."""
    words, start = _Body(), raw[:FIRST_BYTES]
    if not too_much(start):
        try:
            words.take(_parsed(start, _Limited(headers_left=iter(range(MOST_HEADERS)))))  # type: ignore[call-arg]
        except Exception:
            return _Body()
    found = _Body()
    found.plain = [words.text()[0]]
    return found


def parse(raw: bytes) -> Message:
    """The parts of a message. Raises ValueError where `read` names a fault, and whatever the parser raises."""
    if fault := too_much(raw):
        raise ValueError(fault)
    return _parsed(raw, _Limited(headers_left=iter(range(MOST_HEADERS * 40))))  # type: ignore[call-arg]


def _parsed(raw: bytes, policy: Compat32) -> Message:
    """The parts of a message. In pieces: parsebytes() makes a second text of four bytes a letter (200 MB for 50)."""
    parser = BytesFeedParser(policy=policy)
    for start in range(0, len(raw), PIECE):
        parser.feed(raw[start : start + PIECE])
    return parser.close()


class _Limited(Compat32):
    """The old policy, which is 10 to 100 times faster on hostile mail; headers are counted, and cut before they are
    looked at (3 million empty headers took 24 s)."""

    headers_left: Iterator[int] = iter(())

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        if next(self.headers_left, None) is None:
            raise ValueError("too many headers")
        name, value = super().header_source_parse([line[: reading.LONGEST_VALUE] for line in sourcelines[:1000]])
        return name, value[: reading.LONGEST_VALUE]

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value  # no Header objects: bytes beyond ASCII stay surrogates, and are decoded by us


class _Body:
    """Text and attachments, collected part by part."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.plain: list[str] = []
        self.html: list[str] = []
        self.attachments: list[Attachment] = []
        self.faults: list[str] = []

    def take(self, part: Message, depth: int = 0) -> None:
        if len(self.parts) >= MOST_PARTS or depth > DEEPEST:
            self._fault("too-many-parts" if depth <= DEEPEST else "too-deep")
            return
        kind, parameters = reading.content_type(_value(part, "content-type") or "text/plain")
        nameless = "/" not in kind  # shown as text (RFC 2045, 5.2), and kept as the file that it may be
        kind = "text/plain" if nameless else kind
        disposition, named = reading.content_type(_value(part, "content-disposition"))
        name = named.get("filename") or parameters.get("name", "")
        self.parts.append(kind)
        if kind.startswith("message/"):
            self._attach(name or "message.eml", kind, part)
        elif part.is_multipart():
            for child in part.get_payload():
                if isinstance(child, Message):
                    self.take(child, depth + 1)
        elif kind in ("text/plain", "text/html") and disposition != "attachment":
            raw = _bytes(part)
            if kind == "text/html" and b"data:image/" in raw:
                raw = _INLINE_PICTURE.sub(b"data:", raw)  # some phones write whole photos there, before the words
            text = decode(raw[: MOST_TEXT * 4], parameters.get("charset", ""))
            if len(text) > MOST_TEXT:
                self._fault("text-cut")
            (self.plain if kind == "text/plain" else self.html).append(text[:MOST_TEXT])
            if nameless:
                self._attach(name, kind, part)
        else:
            self._attach(name, kind, part)

    def text(self) -> tuple[str, bool]:
        plain = "\n".join(self.plain).strip("\n")
        if plain.strip() or not self.html:
            return plain[:MOST_TEXT], False
        return "\n".join(to_text(one) for one in self.html[:20])[:MOST_TEXT], True

    def _attach(self, name: str, kind: str, part: Message) -> None:
        if len(self.attachments) < MOST_ATTACHMENTS:
            size = len(_bytes(part)) if not part.is_multipart() else 0
            self.attachments.append(Attachment(_file_name(name), kind, size))

    def _fault(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def _message(headers: list[tuple[str, str]], body: _Body, faults: list[str]) -> Incoming:
    def first(name: str) -> str:
        return next((value for key, value in headers if key == name), "")

    senders = reading.mailboxes(first("from"))
    wanted = ("x-original-to", "delivered-to", "envelope-to", "to", "cc")
    recipients = [
        box for name in wanted for key, value in headers if key == name for _, box in reading.mailboxes(value)
    ]
    kind, parameters = reading.content_type(first("content-type") or "text/plain")
    text, from_html = body.text()
    return Incoming(
        headers=tuple((name, reading.words(value)) for name, value in headers),
        subject=reading.words(first("subject")),
        from_name=senders[0][0] if len(senders) == 1 else "",
        from_address=senders[0][1] if len(senders) == 1 else "",
        recipients=tuple(dict.fromkeys(filter(None, recipients)))[: reading.MOST_ADDRESSES],
        message_id=next(iter(reading.identifiers(first("message-id"))), ""),
        in_reply_to=reading.identifiers(first("in-reply-to")),
        references=reading.identifiers(first("references")),
        content_type=kind,
        report_type=parameters.get("report-type", "").lower(),
        parts=tuple(body.parts),
        text=text,
        text_from_html=from_html,
        html="" if "text-cut" in body.faults else "\n".join(body.html[:20])[: MOST_TEXT + 1],
        links=tuple(islice((match[1] for one in body.html for match in _HREF.finditer(one)), MOST_LINKS)),
        attachments=tuple(body.attachments),
        faults=tuple(dict.fromkeys(faults)),
    )


def too_much(raw: bytes) -> str:
    """A cheap look before the parser: 0.2 s for 14 MB."""
    if len(raw) > MOST_BYTES:
        return "too-big"
    lowered = raw.lower()
    nests = lowered.count(b"multipart/") + lowered.count(b"message/rfc822")
    # The parser looks at every line once per level: 100,000 lines in 190 levels took 11 s.
    if nests > DEEPEST * 2 or nests * raw.count(b"\n") > MOST_LINES_BY_LEVELS:
        return "too-deep"
    if nests and raw.count(b"\n--") > MOST_PARTS * 4:
        return "too-many-parts"
    return ""


def _value(part: Message, name: str) -> str:
    value = part.get(name, "")
    return decode(str(value).encode("utf-8", "surrogateescape"))


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file_name(name: str) -> str:
    """A name that says what it is and reaches no folder."""
    safe = one_line(name.replace("/", "_").replace("\\", "_")).strip(". ")
    return safe[:150] or "unnamed"
