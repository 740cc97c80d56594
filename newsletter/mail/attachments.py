"""The files of a mail with their bytes: within limits, typed by what they are, programs refused."""

from __future__ import annotations

import io
from dataclasses import dataclass
from email.generator import BytesGenerator
from email.message import Message

from newsletter.mail import file_names, file_types
from newsletter.mail import header_reading as reading
from newsletter.mail.charsets import decode
from newsletter.mail.incoming import DEEPEST, MOST_PARTS, parse

MB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one message may bring. A mail of 50 MB holds about 37 MB of files."""

    each: int = 25 * MB  # bytes
    in_all: int = 50 * MB
    files: int = 20


BY_MAIL = Limits()


@dataclass(frozen=True)
class File:
    """One file. `content_type` is by its first bytes; `refused` says in words why `data` is empty."""

    name: str
    content_type: str
    size: int  # bytes, also of a refused one
    data: bytes = b""
    refused: str = ""


def extract(raw: bytes, limits: Limits = BY_MAIL) -> tuple[File, ...]:
    """The files of a message in order, unaltered. Never raises; of a message that cannot be read there are none.

    A file that is too big, one too many, or a program is refused alone. A mail sent along is a file when its bytes
    stand in the message as they are. Runs for seconds on hostile mail: call it where it can be ended.
    """
    try:
        message = parse(raw)
    except Exception:  # as in incoming.read, which has said what is wrong
        return ()
    found = _Files(raw, limits)
    found.take(message)
    return tuple(found.files)


class _Files:
    """Files being collected, part by part, as incoming reads them."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw, self.limits = raw, limits
        self.files: list[File] = []
        self._parts = self._bytes = 0

    def take(self, part: Message, depth: int = 0) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS or depth > DEEPEST or len(self.files) > 100:
            return
        kind, parameters = reading.content_type(_value(part, "content-type") or "text/plain")
        disposition, named = reading.content_type(_value(part, "content-disposition"))
        name = named.get("filename") or parameters.get("name", "")
        if kind.startswith("message/"):
            self._add(name or "message.eml", _sent_along(part, self.raw))
        elif part.is_multipart():
            for child in part.get_payload():
                if isinstance(child, Message):
                    self.take(child, depth + 1)
        elif kind not in ("text/plain", "text/html") or disposition == "attachment" or "/" not in kind:
            payload = part.get_payload(decode=True)
            self._add(name, payload if isinstance(payload, bytes) else b"")

    def _add(self, name: str, data: bytes | None) -> None:
        safe = file_names.safe(name, [file.name for file in self.files])
        if data is None:
            why = "It is a mail that was sent along; it stands in the whole message."
            self.files.append(File(safe, "message/rfc822", 0, refused=why))
            return
        kind = "message/rfc822" if safe.endswith(".eml") else file_types.sniff(data)
        kept = sum(1 for file in self.files if not file.refused)
        if len(data) > self.limits.each:
            why = f"It is larger than {self.limits.each // MB} MB. It can still be found in the whole message."
        elif self._bytes + len(data) > self.limits.in_all:
            why = f"The files are larger than {self.limits.in_all // MB} MB in all. It is in the whole message."
        elif kept >= self.limits.files:
            why = f"There are more than {self.limits.files} files. It can still be found in the whole message."
        else:
            why = file_types.refusal(name or safe, data)
        if not why:
            self._bytes += len(data)
        self.files.append(File(safe, kind, len(data), b"" if why else data, why))


def _value(part: Message, name: str) -> str:
    return decode(str(part.get(name, "")).encode("utf-8", "surrogateescape"))


def _sent_along(part: Message, raw: bytes) -> bytes | None:
    """The bytes of a mail inside the mail; None unless they are found in `raw` exactly, for a copy must be exact."""
    payload = part.get_payload()
    if not isinstance(payload, list) or len(payload) != 1 or not isinstance(payload[0], Message):
        data = part.get_payload(decode=True)
        return data if isinstance(data, bytes) else None
    out = io.BytesIO()
    linesep = "\r\n" if b"\r\n" in raw[:2000] else "\n"
    try:
        policy = payload[0].policy.clone(linesep=linesep, max_line_length=0)
        BytesGenerator(out, mangle_from_=False, policy=policy).flatten(payload[0], linesep=linesep)
    except Exception:
        return None
    return out.getvalue() if out.getvalue() in raw else None
