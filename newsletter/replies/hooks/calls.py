"""One call of a provider as values, and what it may tell us."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from newsletter.mail import header_reading

MOST_FIELDS = 200
# Seconds that a signed call may be old. Mailgun calls again for 8 hours, SendGrid for 24; what comes twice within
# that time is known by its event, so this only ends the life of a copied call.
OLDEST = 48 * 3600.0


class Forged(Exception):
    """Nothing proves that the provider sent this; the words are for our log, never for the caller."""


class Unusable(Exception):
    """The provider sent it, but it is nothing that we can read."""


@dataclass(frozen=True)
class Call:
    """A request: header names in small letters. `now` is the clock (seconds since 1970)."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    now: float = field(default_factory=time.time)

    @property
    def is_json(self) -> bool:
        return self.body.lstrip()[:1] in (b"{", b"[")

    @cached_property
    def json(self) -> Any:
        """The body. Raises Unusable."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unusable("it is no JSON") from error

    @cached_property
    def form(self) -> dict[str, bytes]:
        """The fields of a form, byte for byte: a mail in it may be in any encoding. Of a repeated field the last."""
        kind, parameters = header_reading.content_type(self.headers.get("content-type", ""))
        if kind == "application/x-www-form-urlencoded":
            pairs = parse_qsl(
                self.body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MOST_FIELDS
            )
            return {name: value.encode("latin-1") for name, value in pairs}
        boundary = parameters.get("boundary", "").encode("latin-1")
        if kind != "multipart/form-data" or not boundary:
            raise Unusable("it is neither JSON nor a form")
        found: dict[str, bytes] = {}
        for part in (b"\r\n" + self.body).split(b"\r\n--" + boundary)[1 : MOST_FIELDS + 1]:
            if part.startswith(b"--"):
                break
            head, _, value = part.partition(b"\r\n\r\n")
            if name := re.search(rb'\bname="([^"\r\n]{1,100})"', head):
                found[name[1].decode("latin-1")] = value
        return found

    def text(self, name: str) -> str:
        """A field of the form as text, "" when it is not there."""
        return self.form.get(name, b"").decode("utf-8", "replace")

    def log_in(self, proof: str) -> None:
        """Check user:password of the address that was called. Raises Forged; also where none is set."""
        kind, _, said = self.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(said.strip(), validate=True) if kind.lower() == "basic" else b""
        except ValueError:
            given = b""
        if not proof or ":" not in proof or not hmac.compare_digest(given, proof.encode()):
            raise Forged("user and password of the address are not ours")


@dataclass(frozen=True)
class Letter:
    """Mail that came in. `sender` is the envelope sender, "" = `<>`; `event` the provider's number of it, or ""."""

    raw: bytes = field(repr=False)
    recipient: str
    sender: str
    event: str = ""
    unreadable: str = ""  # why this is no mail but the call itself, to be looked at by a person


@dataclass(frozen=True)
class Told:
    """A bounce or complaint about a mail of ours. `body` is what was said, as JSON; `names` may name our mail."""

    kind: str  # bounce | complaint
    event: str
    address: str
    body: bytes = field(repr=False)
    names: tuple[str, ...] = ()
    status: str = ""  # 5.1.1
    words: str = ""
    permanent: bool = False  # the provider says that it will never work
    ours: bool = False  # the provider says that it is about us, not about the person
    feedback: str = "abuse"  # of a complaint, RFC 5965


def dump(event: Any) -> bytes:
    """What was said, to be kept."""
    return json.dumps(event, ensure_ascii=False, sort_keys=True, indent=1).encode("utf-8", "surrogatepass")


def mail_bytes(text: str) -> bytes:
    """A mail that came as text in JSON; what was no UTF-8 on the way is lost by then."""
    return text.encode("utf-8", "replace")
