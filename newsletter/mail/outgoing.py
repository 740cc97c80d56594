"""One issue becomes one mail per person: compiled once, then joined from ready pieces in microseconds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from itertools import chain
from typing import NamedTuple, Protocol

from newsletter.mail import headers
from newsletter.mail.addresses import Address, parse
from newsletter.mail.plates import TO, Plate
from newsletter.mail.segments import Body, base64_lines, compile_body, join_base64, value
from newsletter.problems import NewsletterError, Problem

CRLF = b"\r\n"


class Picture(Protocol):
    """What is carried inside the mail; `rendering.model.Asset` is one. The HTML says `cid:` and `cid`."""

    @property
    def cid(self) -> str: ...
    @property
    def extension(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True)
class Common:
    """What is the same in every copy.

    `date` has a time zone; it is the mailing's, so that a second attempt is the same mail. `list_id` is
    `key.domain` (RFC 2919). `feedback_id` has at most four parts joined by `:`, the last one constant, none of them
    per person (Gmail's rule). `list_id` empty: not bulk mail, so no list headers and `auto_submitted` is said.
    """

    from_name: str
    from_address: str
    date: datetime
    language: str = ""
    list_id: str = ""
    list_title: str = ""
    feedback_id: str = ""
    reply_name: str = ""  # shown beside Reply-To
    auto_submitted: str = ""  # auto-generated | auto-replied, RFC 3834; never for bulk mail
    in_reply_to: str = ""  # Message-ID with its brackets
    references: tuple[str, ...] = ()


class Person(NamedTuple):
    """What is different in every copy. `message_id` is `token@domain`, without brackets."""

    to: str | Address
    message_id: str
    reply_to: str = ""
    unsubscribe_url: str = ""  # https, answers POST (RFC 8058)
    unsubscribe_mailto: str = ""  # an address; no `mailto:`
    name: str = ""


def compile(
    common: Common,
    subject: Sequence[str | int],
    text: Sequence[str | int],
    html: Sequence[str | int] = (),
    images: Sequence[Picture] = (),
) -> Compiled:
    """Encode once what is the same for everyone (about 6 ms).

    `subject`, `text` and `html` are literals and indexes of values, as in `rendering.model.Variant`; `images` are
    the inline ones. Without `html` the mail is plain text. Raises NewsletterError(bad-header-value | bad-sender).
    """
    plain = compile_body(text)
    rich = compile_body(html) if html else None
    # `=_` cannot stand in quoted-printable or base64: no boundary can be met in a body.
    seed = hashlib.sha256(repr((subject, text, html)).encode("utf-8", "replace")).hexdigest()[:24]
    outer, inner = f"=_a_{seed}", f"=_r_{seed}"
    body: list[bytes | int | Body] = []
    if rich is None:
        body += [_part_head("text/plain", plain).encode("ascii"), plain]
    else:
        body += [f'Content-Type: multipart/alternative; boundary="{outer}"\r\n\r\n'.encode("ascii")]
        body += [f"--{outer}\r\n{_part_head('text/plain', plain)}".encode("ascii"), plain]
        opening = f"\r\n--{outer}\r\n"
        if images:
            opening += f'Content-Type: multipart/related; type="text/html"; boundary="{inner}"\r\n\r\n--{inner}\r\n'
        body += [f"{opening}{_part_head('text/html', rich)}".encode("ascii"), rich]
        if images:
            body += [_image(image, inner) for image in images]
            body += [f"\r\n--{inner}--\r\n".encode("ascii")]
        body += [f"\r\n--{outer}--\r\n".encode("ascii")]
    return Compiled(common, subject, body)


class Compiled:
    """An issue ready to be joined with people. `build` is safe to call from several threads."""

    def __init__(self, common: Common, subject: Sequence[str | int], body: Sequence[bytes | int | Body]) -> None:
        if common.date.tzinfo is None:
            raise ValueError("the date of a mail needs a time zone")
        sender = _sender(common.from_address)
        self._head = "".join(
            (
                f"Date: {format_datetime(common.date)}\r\n",
                headers.mailbox("From", common.from_name, sender),
            )
        )
        self._tail = "".join(_fixed(common))
        self._reply_name = common.reply_name
        self._reply_phrase = headers.phrase("Reply-To", common.reply_name) if common.reply_name else ""
        self._bulk = bool(common.list_id)
        self._subject = tuple(subject)
        holes = [piece for piece in subject if isinstance(piece, int)]
        self._subject_line = "" if holes else headers.text("Subject", "".join(map(str, subject)))
        flat = list(chain.from_iterable(_flat(part) for part in body))
        merged = _merged(flat)
        self._parts: tuple[bytes | Body, ...] = tuple(b"" if isinstance(part, int) else part for part in merged)
        self._holes = tuple((at, part) for at, part in enumerate(merged) if isinstance(part, int))
        self._whole = tuple((at, part) for at, part in enumerate(merged) if isinstance(part, Body))

    def build(self, values: Sequence[str], person: Person) -> bytes:
        """The mail for one person: CRLF, ASCII (UTF-8 only in an address that needs it), lines of at most 998.

        `values` is what `rendering.merge.fill` gives: one escaped text per hole, in order. Raises
        NewsletterError(bad-header-value | bad-address | not-text) for what cannot be written honestly.
        """
        parts: list[bytes] = list(self._parts)  # type: ignore[arg-type]  # the others are filled in below
        known: dict[str, bytes] = {}  # the same link stands in several places
        for at, hole in self._holes:
            text = values[hole]
            encoded = known.get(text)
            if encoded is None:
                encoded = known[text] = value(text)
            parts[at] = encoded
        for at, whole in self._whole:
            parts[at] = join_base64(whole, values)
        return self._headers(values, person) + b"".join(parts)

    def plate(self, values: Sequence[str | None], person: Person, stand_ins: Sequence[str]) -> Plate | None:
        """The mail with gaps: for the line `To:`, for every hole whose value is None, and where `stand_ins` stand in
        `values` and `person`. None where there is more to do for a person than joining (base64, a subject with
        values in it)."""
        if self._whole or not self._subject_line:
            return None
        before, after = self._around((), person)
        body: list[bytes | int] = list(self._parts)  # type: ignore[arg-type]  # there is no Body among them
        for at, hole in self._holes:
            text = values[hole]
            body[at] = hole if text is None else value(text)
        return Plate([before.encode("utf-8"), TO, after.encode("utf-8"), *body], stand_ins)

    def _headers(self, values: Sequence[str], person: Person) -> bytes:
        address = person.to if isinstance(person.to, Address) else _recipient(person.to)
        before, after = self._around(values, person)
        return f"{before}{headers.mailbox('To', person.name, address.wire)}{after}".encode()

    def _around(self, values: Sequence[str], person: Person) -> tuple[str, str]:
        """The headers before the line `To:` and behind it."""
        _, message_id, reply_to, url, mailto, _ = person
        # Checked in one go: a regular expression costs 0.3 us a call, and this is the hot path.
        machine = f"{message_id}{reply_to}{url}{mailto}"
        if len(url) > _LONGEST or len(machine) - len(url) > _LONGEST or not _PRINTABLE.fullmatch(machine):
            raise _first_refusal(person)
        subject = self._subject_line
        if not subject:
            whole = "".join(piece if isinstance(piece, str) else values[piece] for piece in self._subject)
            subject = headers.text("Subject", whole)
        lines = [subject]
        if reply_to:
            lines.append(self._reply_line(reply_to))
        if self._bulk:
            lines.append(_unsubscribe(url, mailto))
        lines.append(self._tail)
        return f"Message-ID: <{message_id}>\r\n{self._head}", "".join(lines)

    def _reply_line(self, address: str) -> str:
        if not self._reply_phrase:
            return f"Reply-To: {address}\r\n"
        if "\n" not in self._reply_phrase and len(self._reply_phrase) + len(address) < 64:
            return f"Reply-To: {self._reply_phrase} <{address}>\r\n"
        return f"Reply-To: {self._reply_phrase}\r\n <{address}>\r\n"


def notice(common: Common, to: str, message_id: str, subject: str, text: str) -> bytes:
    """One plain-text mail of our own, such as doctor's trial mail; `common.auto_submitted` says which kind."""
    return compile(common, (subject,), (text,)).build((), Person(to, message_id))


_PRINTABLE = re.compile("[!-;=?-~]+")  # no blank, no angle bracket
_LONGEST = 900  # letters: each must fit on a line of 998 with its header's name


def _fixed(common: Common) -> list[str]:
    """The headers after the per-person ones, up to MIME-Version."""
    lines: list[str] = []
    if common.list_id:
        list_id = f"<{common.list_id}>"
        if common.list_title:
            headers.structured("List-Id", list_id)  # refuses what a title would hide
            lines.append(headers.mailbox("List-Id", common.list_title, common.list_id))
        else:
            lines.append(headers.structured("List-Id", list_id))
        # FORMATS: bulk mail says so and has no Auto-Submitted; Exchange is asked not to send out-of-office.
        lines += ["Precedence: bulk\r\n", "X-Auto-Response-Suppress: OOF, AutoReply\r\n"]
        if common.feedback_id:
            if common.feedback_id.count(":") > 3:
                raise headers.refusal("Feedback-ID", common.feedback_id)
            lines.append(headers.structured("Feedback-ID", common.feedback_id))
    elif common.auto_submitted:
        lines.append(headers.structured("Auto-Submitted", common.auto_submitted))
        lines.append("X-Auto-Response-Suppress: All\r\n")
    if common.in_reply_to:
        lines.append(headers.structured("In-Reply-To", common.in_reply_to))
    if common.references:
        lines.append(headers.structured("References", *common.references))
    if common.language:
        lines.append(headers.structured("Content-Language", common.language))
    lines.append("MIME-Version: 1.0\r\n")
    return lines


def _unsubscribe(url: str, mailto: str) -> str:
    """RFC 2369 and RFC 8058: an https link for the one click, an address for everybody else."""
    ways = [f"<{url}>"] if url else []
    ways += [f"<mailto:{mailto}?subject=unsubscribe>"] if mailto else []
    line = "List-Unsubscribe: " + ",\r\n ".join(ways) + "\r\n" if ways else ""
    # Only https can be clicked once: a receiver that POSTs to http would be refused by every provider.
    return f"{line}List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https://") else line


def _part_head(content_type: str, body: Body) -> str:
    return f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: {body.encoding}\r\n\r\n"


def _image(image: Picture, boundary: str) -> bytes:
    head = (
        f"\r\n--{boundary}\r\n"
        f"Content-Type: {image.content_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{image.cid}>\r\n"
        f'Content-Disposition: inline; filename="{image.cid[:16]}.{image.extension}"\r\n\r\n'
    )
    return head.encode("ascii") + base64_lines(image.data)


def _flat(part: bytes | int | Body) -> Sequence[bytes | int | Body]:
    return part.pieces if isinstance(part, Body) and part.encoding != "base64" else (part,)


def _merged(parts: Sequence[bytes | int | Body]) -> list[bytes | int | Body]:
    """Neighbouring literals as one: fewer pieces to join for each person."""
    out: list[bytes | int | Body] = []
    for part in parts:
        if out and isinstance(part, bytes) and isinstance(out[-1], bytes):
            out[-1] += part
        else:
            out.append(part)
    return out


def _sender(typed: str) -> str:
    try:
        address = parse(typed)
    except ValueError as error:
        raise _bad_sender(typed, str(error)) from None
    if address.needs_smtputf8:
        raise _bad_sender(typed, "the part before the @ must be plain ASCII, or most servers will refuse it")
    return address.wire


def _bad_sender(typed: str, why: str) -> NewsletterError:
    hint = "Put it right in [senders] of newsletter.toml."
    return NewsletterError(Problem("bad-sender", f"Mail cannot come from {typed!r}: {why}", hint=hint))


def _recipient(typed: str) -> Address:
    try:
        return parse(typed)
    except ValueError as error:
        raise NewsletterError(
            Problem("bad-address", f"Mail cannot go to {typed!r}: {error}", hint="Put the address right and try again.")
        ) from None


def _first_refusal(person: Person) -> NewsletterError:
    named = (
        ("Message-ID", person.message_id),
        ("Reply-To", person.reply_to),
        ("List-Unsubscribe", person.unsubscribe_url),
        ("List-Unsubscribe", person.unsubscribe_mailto),
    )
    longest = max(named, key=lambda pair: len(pair[1]))
    return headers.refusal(*next((pair for pair in named if pair[1] and not _PRINTABLE.fullmatch(pair[1])), longest))
