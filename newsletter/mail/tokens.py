"""Signed names that a mail carries out and brings back: whose reply, whose bounce, whose unsubscribe."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
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
_DOMAIN = b"newsletter:token:1:"  # keeps these apart from everything else that the key signs
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

    @classmethod
    def kept(cls, path: Path) -> Keyring:
        """As `load`, but read again only when another file lies there or this one has changed: 3 us instead of 17."""
        try:
            seen = path.stat()
        except OSError:
            return cls.load(path)  # says what is wrong
        return _kept(path, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino)

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
        return _letters(_ROOM + body + _mac(self.keys[number], body)).decode("ascii")

    def minter(self, *purposes: Purpose) -> Callable[[Sequence[bytes]], list[bytes]]:
        """Makes what `make` makes, one token for each purpose from the stored id in its place, as bytes.

        What is the same for every delivery is hashed once and what is left goes through base32 together: 7 us for
        five tokens instead of 33, of the 100 us that a mail cost.
        """
        number = max(self.keys)
        heads = [bytes((_NUMBERS[purpose] << 5 | number,)) for purpose in purposes]
        # HMAC by its definition (RFC 2104 2): hmac.HMAC.copy() alone costs as much as both of these hashes.
        key = self.keys[number].ljust(hashlib.sha256().block_size, b"\0")
        starts = [hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + _DOMAIN + head) for head in heads]
        ends = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        places = [(_ROOM + head, start.copy) for head, start in zip(heads, starts, strict=True)]
        cuts = [slice(at * LETTERS, (at + 1) * LETTERS) for at in range(len(purposes))]
        end_copy = ends.copy

        def mint(stored: Sequence[bytes]) -> list[bytes]:
            raw: list[bytes] = []
            for (head, copy), id_ in zip(places, stored, strict=True):
                if len(id_) != ID_LENGTH:
                    raise ValueError(f"a stored id has {ID_LENGTH} bytes, not {len(id_)}")
                inner, outer = copy(), end_copy()
                inner.update(id_)
                outer.update(inner.digest())
                raw += (head, id_, outer.digest()[:MAC_LENGTH])
            letters = _letters(b"".join(raw))
            return [letters[cut] for cut in cuts]

        return mint

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

    def signatures(self, what: str) -> Callable[[bytes], tuple[str, ...]]:
        """For any data: what `sign` makes of it now, and what it made under each earlier key; the newest first.

        HMAC by its definition, as in `minter`: hmac.digest() lets go of the GIL, 30 us each time on a busy machine.
        """
        starts = []
        for _, key in sorted(self.keys.items())[::-1]:
            block = key.ljust(hashlib.sha256().block_size, b"\0")
            inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + f"newsletter:{what}:".encode())
            starts.append((inner.copy, hashlib.sha256(bytes(byte ^ 0x5C for byte in block)).copy))

        def sign(data: bytes) -> tuple[str, ...]:
            made = []
            for begun, ended in starts:
                inner, outer = begun(), ended()
                inner.update(data)
                outer.update(inner.digest())
                made.append(outer.hexdigest())
            return tuple(made)

        return sign

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


@lru_cache(maxsize=4)
def _kept(path: Path, *_state: int) -> Keyring:
    return Keyring.load(path)


# Base32 (RFC 4648, lower case) of whole tokens: each stands in a room of 32 bytes, its 160 bits at the end, and every
# five bits are moved to the end of a byte of their own, all at once.
_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256, b"?")
_ROOM = bytes(LETTERS - LENGTH)


@cache
def _moves(tokens: int) -> tuple[tuple[int, int, int], ...]:
    """What to keep, what to move and how far, from halves of 80 bits down to five."""
    moves = []
    for half in (80, 40, 20, 10, 5):
        far, room = half * 3 // 5, half * 16 // 5
        low = sum((1 << half) - 1 << at for at in range(0, tokens * LETTERS * 8, room))
        moves.append((low, low << half, far))
    return tuple(moves)


def _letters(rooms: bytes) -> bytes:
    """The letters of the tokens that stand in these rooms."""
    bits = int.from_bytes(rooms, "big")
    for low, high, far in _moves(len(rooms) // LETTERS):
        bits = (bits & high) << far | bits & low
    return bits.to_bytes(len(rooms), "big").translate(_ALPHABET)


@cache
def _signer(key: bytes) -> hmac.HMAC:
    # Copied for each token: hmac.digest() lets go of the GIL every time, which cost sending threads 219 us against 4.
    return hmac.new(key, _DOMAIN, "sha256")


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
