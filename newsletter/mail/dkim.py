"""A seal on each mail, so that a mailbox provider knows it came from this domain and nobody changed it (DKIM)."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.mail.headers import WANTED_LINE

if TYPE_CHECKING:
    from newsletter.config import Dkim

# What people see or press, and what mailbox providers act on (RFC 6376 5.4.1, RFC 8058 4). Each is named once more
# than it occurs: a second From put in on the way would otherwise be shown under our seal.
SIGNED = (
    "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "List-Id", "List-Unsubscribe",
    "List-Unsubscribe-Post", "Feedback-ID", "MIME-Version", "Content-Type",
)  # fmt: skip
RSA, ED25519 = "rsa-sha256", "ed25519-sha256"  # RFC 8301 forbids SHA-1; RFC 8463 adds the second
_KEYS = {name.lower().encode("ascii"): name for name in SIGNED}
_BLANKS = re.compile(rb"[ \t]+")
_WRAP = 72  # letters of base64 on a line, beside its blank well under 78


@dataclass(frozen=True)
class Seal:
    """One key at work: `selector` says under which name in the DNS its public half stands."""

    algorithm: str
    selector: str
    make: Callable[[bytes], bytes] = field(repr=False)  # what is signed → the signature


class Signer:
    """Signs mails of one domain with one or two keys: rsa-sha256, and ed25519-sha256 beside it.

    c=relaxed/simple. Our bodies are canonical as they are built (CRLF, blanks at a line's end encoded, one CRLF at the
    end), so `simple` needs no pass over the body but the hash; docs/decisions/dkim.md says why not relaxed. No l=
    (text could be added under it), no x=. The same mail and `now` give the same bytes: both algorithms are
    deterministic, so a second attempt is the same mail. Safe to use from several threads.
    """

    def __init__(self, domain: str, *seals: Seal) -> None:
        self.domain, self.seals = domain, seals
        self._named: dict[tuple[int, ...], str] = {}

    @classmethod
    def of(cls, dkim: Dkim) -> Signer | None:
        """The signer that [dkim] asks for; None where it is empty and the mail server signs.

        Raises NewsletterError (exit 3) for a key that is missing, of the wrong kind, too short or open to others.
        """
        if not dkim.domain:
            return None
        from newsletter.mail import dkim_keys as keys

        seals = [Seal(RSA, dkim.selector, keys.signing(keys.load(dkim.key_file, RSA)))]
        if dkim.ed25519_key_file:
            seals.append(Seal(ED25519, dkim.ed25519_selector, keys.signing(keys.load(dkim.ed25519_key_file, ED25519))))
        return cls(dkim.domain, *seals)

    def sign(self, mail: bytes, now: int) -> bytes:
        """The DKIM-Signature lines to be put in front of `mail`, each ended by CRLF; `now` is seconds since 1970.

        `mail` has CRLF line ends throughout; it is signed as it stands and must leave as it stands.
        """
        end = mail.find(b"\r\n\r\n")
        head = mail if end < 0 else mail[:end]
        digest = b64encode(_body_hash(mail, len(mail) if end < 0 else end + 4)).decode("ascii")
        signed, named = self._chosen(head)
        lines = []
        for seal in self.seals:
            line = _folded(
                f"v=1; a={seal.algorithm}; c=relaxed/simple; d={self.domain}; s={seal.selector}; t={now};",
                f"h={named};",
                f"bh={digest};",
            )
            made = seal.make(signed + f"dkim-signature:{line} b=".replace("\r\n", "").encode("ascii"))
            letters = b64encode(made).decode("ascii")
            wrapped = "\r\n ".join(letters[at : at + _WRAP] for at in range(0, len(letters), _WRAP))
            lines.append(f"DKIM-Signature: {line}\r\n b={wrapped}\r\n")
        return "".join(lines).encode("ascii")

    def _chosen(self, head: bytes) -> tuple[bytes, str]:
        """The signed headers in canonical form, and the names for h= in the same order."""
        found: list[tuple[bytes, bytes]] = []
        for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
            name, _, value = line.partition(b":")
            key = name.strip(b" \t").lower()
            if key in _KEYS:
                # Looked at first, since our own headers have single blanks: 16 us a mail instead of 36.
                if b"  " in value or b"\t" in value:
                    value = _BLANKS.sub(b" ", value)
                found.append((key, value.strip(b" ")))
        # RFC 6376 5.4.2: of several headers with one name, h= takes the lowest first.
        found.reverse()
        found.sort(key=lambda one: _PLACE[one[0]])
        counts = Counter(key for key, _ in found)
        times = tuple(counts[key] + 1 for key in _KEYS)
        named = self._named.get(times)
        if named is None:
            words = [name for name, often in zip(SIGNED, times, strict=True) for _ in range(often)]
            named = self._named[times] = _folded_names(words)
        return b"".join([b"%b:%b\r\n" % pair for pair in found]), named


_PLACE = {key: at for at, key in enumerate(_KEYS)}


def _body_hash(mail: bytes, start: int) -> bytes:
    """SHA-256 of the body as `simple` wants it: exactly one CRLF at the end, whatever blank lines stand there."""
    stop = len(mail)
    while stop - 2 >= start and mail.endswith(b"\r\n", start, stop):
        stop -= 2
    if mail.startswith(b"\r\n", stop):
        stop += 2
        return hashlib.sha256(memoryview(mail)[start:stop]).digest()
    return hashlib.sha256(bytes(memoryview(mail)[start:stop]) + b"\r\n").digest()


def _folded(*tags: str) -> str:
    """The tags after `DKIM-Signature:`, broken between words where a line would pass 78."""
    out: list[str] = []
    width = len("DKIM-Signature:")
    for word in " ".join(tags).replace("\r\n", "").split(" "):
        if out and width + 1 + len(word) > WANTED_LINE:
            out.append("\r\n")
            width = 0
        out.append(f" {word}")
        width += 1 + len(word)
    return "".join(out).removeprefix(" ")


def _folded_names(names: list[str]) -> str:
    """The names joined by colons, with a blank where a line may be broken (RFC 6376 3.5 allows it around a colon)."""
    lines, line = [], "h="
    for at, name in enumerate(names):
        more = name + ("" if at == len(names) - 1 else ":")
        if len(line) + len(more) > WANTED_LINE - 2:
            lines.append(line)
            line = ""
        line += more
    return " ".join([*lines, line]).removeprefix("h=")
