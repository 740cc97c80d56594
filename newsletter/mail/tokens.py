"""Signed names that a mail carries out and brings back: whose reply, whose bounce, whose unsubscribe."""

from __future__ import annotations

import base64
import hmac
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from newsletter.files import write_atomically
from newsletter.mail.addresses import unwrapped
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where

# 20 bytes = 1 (purpose, key) + 9 (stored id) + 10 (80-bit MAC). 20 bytes fill 32 base32 letters to the last bit:
# a 21-byte layout took three altered last letters for the same token.
LENGTH, ID_LENGTH, MAC_LENGTH = 20, 9, 10
LETTERS = 32
MAX_KEY_ID = 31  # five bits beside the purpose's three
_TOKEN = re.compile(r"[a-z2-7]{32}")
_IN_LOCAL_PART = re.compile(r"(?:.*[^a-z2-7])?([a-z2-7]{32})")
_KEY_LINE = re.compile(r"(\d{1,2}) ([0-9a-f]{64})")
_HEADING = """\
# The secret keys of this newsletter. Whoever reads them can forge addresses; without them every
# reply and unsubscribe address already sent is dead. Keep this file secret AND in your backup.
# One key a line: number, key. The last one signs, all of them are accepted; never remove a line.
"""


class Purpose(StrEnum):
    """What a token is for; it is part of what is signed, so that none can stand in for another."""

    REPLY = "r"
    BOUNCE = "b"
    UNSUBSCRIBE = "u"
    MESSAGE_ID = "m"
    CONFIRM = "c"
    TEST = "t"  # shows pages, changes nothing
    VIEW = "v"


_NUMBERS: Mapping[Purpose, int] = MappingProxyType({purpose: n for n, purpose in enumerate(Purpose, start=1)})
_PURPOSES: Mapping[int, Purpose] = MappingProxyType({n: purpose for purpose, n in _NUMBERS.items()})


def new_id(random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Nine random bytes to store beside a token. Never a counter: after a restored backup a counter would
    hand one person's address to another."""
    return random(ID_LENGTH)


@dataclass(frozen=True)
class Keyring:
    """The keys of `var/secret.key`: the highest number signs, every one is accepted (reply keys never retire)."""

    keys: Mapping[int, bytes] = field(repr=False)
    problems: tuple[Problem, ...] = ()  # warnings about the file, for doctor and `send`

    @classmethod
    def create(cls, path: Path, random: Callable[[int], bytes] = os.urandom) -> Keyring:
        """Make the key file (mode 0600). Raises NewsletterError(key-exists) rather than replace one."""
        if path.exists():
            raise NewsletterError(
                Problem(
                    "key-exists",
                    f"There is already a key in {path.name}",
                    hint="Keep it: a new one would make every reply address already sent dead.",
                    where=Where(str(path)),
                ),
                exit=Exit.REFUSED,
            )
        keyring = cls(MappingProxyType({1: random(32)}))
        keyring._write(path)
        return keyring

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Read the key file.

        Raises NewsletterError(lost-key) when it is missing and (bad-key) when it is damaged; a file that other
        users of this computer may read gives the warning `key-readable-by-others` in `problems`.
        """
        try:
            text = path.read_text(encoding="ascii")
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise _lost(path) from None
        except (OSError, UnicodeDecodeError) as error:
            raise _bad(path, f"it cannot be read ({getattr(error, 'strerror', None) or 'not a text file'})") from None
        keys: dict[int, bytes] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _KEY_LINE.fullmatch(line.strip())
            if not found or not 1 <= int(found[1]) <= MAX_KEY_ID or int(found[1]) in keys:
                raise _bad(path, f"line {number} is not a key", number)
            keys[int(found[1])] = bytes.fromhex(found[2])
        if not keys:
            raise _bad(path, "it holds no key")
        return cls(MappingProxyType(keys), _warnings(path, mode))

    def rotated(self, path: Path, random: Callable[[int], bytes] = os.urandom) -> Keyring:
        """Add a key that signs from now on; what the old ones signed stays good."""
        number = max(self.keys) + 1
        if number > MAX_KEY_ID:
            raise NewsletterError(
                Problem(
                    "too-many-keys",
                    f"There are already {MAX_KEY_ID} keys; a token has room for no more",
                    hint="Keep the last key. Old ones cannot be removed without killing addresses already sent.",
                ),
                exit=Exit.REFUSED,
            )
        keyring = Keyring(MappingProxyType({**self.keys, number: random(32)}), self.problems)
        keyring._write(path)
        return keyring

    def make(self, purpose: Purpose, stored: bytes) -> str:
        """The token for nine stored bytes: 32 lower-case letters and digits 2 to 7."""
        if len(stored) != ID_LENGTH:
            raise ValueError(f"a stored id has {ID_LENGTH} bytes, not {len(stored)}")
        number = max(self.keys)
        body = bytes((_NUMBERS[purpose] << 5 | number,)) + stored
        return _base32(body + _mac(self.keys[number], body))

    def read(self, token: str) -> tuple[Purpose, bytes] | None:
        """Purpose and stored id of a token that one of our keys made, in any letter case; else None."""
        token = token.strip().lower()
        if not _TOKEN.fullmatch(token):
            return None
        raw = base64.b32decode(token.upper())
        body, mac = raw[:-MAC_LENGTH], raw[-MAC_LENGTH:]
        purpose, key = _PURPOSES.get(body[0] >> 5), self.keys.get(body[0] & 31)
        if not hmac.compare_digest(mac, _mac(key or b"no such key", body)) or key is None or purpose is None:
            return None
        return purpose, body[1:]

    def sign(self, what: str, data: bytes) -> str:
        """64 hex digits that only this installation can make; `what` keeps different uses apart."""
        number = max(self.keys)
        return hmac.digest(self.keys[number], f"newsletter:{what}:".encode() + data, "sha256").hex()

    def _write(self, path: Path) -> None:
        lines = [f"{number} {key.hex()}\n" for number, key in sorted(self.keys.items())]
        write_atomically(path, _HEADING + "".join(lines), mode=0o600)


def address(prefix: str, token: str, domain: str, separator: str = "+") -> str:
    """`reply+<token>@domain`. An empty separator means a domain of its own for them: `<token>@domain`."""
    return f"{prefix}{separator}{token}@{domain}" if separator else f"{token}@{domain}"


def in_address(address: str, domain: str, separator: str = "+") -> str | None:
    """The token that an address of ours carries, lower case and unchecked; None for any other address.

    Case, BATV and SRS wrappings are ignored. Any separator counts, not only today's: addresses never die, so one
    that was sent before the setting changed must still be understood.
    """
    local, at, host = unwrapped(address).lower().rpartition("@")
    if not at or host.rstrip(".") != domain.lower().rstrip("."):
        return None
    if separator and separator in local and _TOKEN.fullmatch(local.rpartition(separator)[2]):
        return local.rpartition(separator)[2]
    found = _IN_LOCAL_PART.fullmatch(local)
    return found[1] if found else None


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(first + second for first in _LETTERS for second in _LETTERS)  # of 10 bits


def _base32(twenty: bytes) -> str:
    """RFC 4648 base32 of 20 bytes in lower case: 5 tokens a mail made base64.b32encode a tenth of its cost."""
    bits = int.from_bytes(twenty, "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in range(150, -1, -10)])


@cache
def _signer(key: bytes) -> hmac.HMAC:
    # Copied for each token: hmac.digest() lets go of the GIL every time, which cost sending threads 219 us against 4.
    return hmac.new(key, b"newsletter:token:1:", "sha256")


def _mac(key: bytes, body: bytes) -> bytes:
    signer = _signer(key).copy()
    signer.update(body)
    return signer.digest()[:MAC_LENGTH]


def _warnings(path: Path, mode: int) -> tuple[Problem, ...]:
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ()
    return (
        Problem(
            "key-readable-by-others",
            f"Other users of this computer can open {path.name}",
            hint=f"Close it: chmod 600 {path}",
            where=Where(str(path)),
            severity=Severity.WARNING,
        ),
    )


def _lost(path: Path) -> NewsletterError:
    return NewsletterError(
        Problem(
            "lost-key",
            f"The key file {path.name} is missing",
            hint="Put it back from your backup. Without one, take var/secret.key of a new folder "
            "(`newsletter init DIR`): it works for new mail, but every reply and unsubscribe address already sent is "
            "dead.",
            where=Where(str(path)),
        ),
        exit=Exit.CONFIG,
    )


def _bad(path: Path, why: str, line: int | None = None) -> NewsletterError:
    return NewsletterError(
        Problem(
            "bad-key",
            f"The key file {path.name} is damaged: {why}",
            hint="Put it back from your backup; nothing was changed.",
            where=Where(str(path), line),
        ),
        exit=Exit.CONFIG,
    )
