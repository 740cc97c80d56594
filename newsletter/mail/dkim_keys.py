"""The keys that seal our mail: made once, kept in a file only we can read, their public half shown in the DNS."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter import files
from newsletter.mail.dkim import ED25519, RSA
from newsletter.problems import Exit, NewsletterError, Problem, Where

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    Key = RSAPrivateKey | Ed25519PrivateKey

BITS, FEWEST_BITS = 2048, 1024  # RFC 8301 3.2: sign with at least 1024, better 2048; 4096 do not fit many DNS forms
LONGEST_STRING = 255  # octets in one string of a TXT record, RFC 1035 3.3.14
SELECTOR = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """The TXT record that the world checks our seal with."""

    name: str  # selector._domainkey.domain
    value: str  # v=DKIM1; k=rsa; p=…

    @property
    def strings(self) -> list[str]:
        """The value in pieces of at most 255 letters, as the DNS wants them; a receiver joins them again."""
        return [self.value[at : at + LONGEST_STRING] for at in range(0, len(self.value), LONGEST_STRING)]

    @property
    def zone(self) -> str:
        """The line of a zone file."""
        inner = " ".join(f'"{piece}"' for piece in self.strings)
        return f"{self.name}. IN TXT ( {inner} )"


def load(file: str | Path, algorithm: str) -> Key:
    """The private key in a PEM file, fit for `algorithm`.

    Raises NewsletterError, exit 3: dkim-key-missing, dkim-key-open (others can read it), dkim-key-bad (not a PEM key,
    locked by a password, of the other kind), dkim-key-short.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = Path(file)
    raw = _read(path)
    try:
        key = load_pem_private_key(raw, password=None)
    except TypeError:
        raise _bad(path, "it is locked by a password, and nobody types one while we send") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _bad(path, "it holds no private key in PEM form that can be used") from None
    if isinstance(key, rsa.RSAPrivateKey) and algorithm == RSA:
        if key.key_size < FEWEST_BITS:
            problem = Problem(
                "dkim-key-short",
                f"The DKIM key {path} has {key.key_size} bits; receivers ignore keys under {FEWEST_BITS}",
                hint="Make a new one: newsletter dkim new",
                where=Where(str(path)),
            )
            raise NewsletterError(problem, exit=Exit.CONFIG)
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey) and algorithm == ED25519:
        return key
    wanted = "an RSA" if algorithm == RSA else "an Ed25519"
    raise _bad(path, f"it is not {wanted} key")


def kind(file: str | Path) -> str:
    """Which algorithm the key in a file is for; raises as `load` does."""
    try:
        load(file, ED25519)
    except NewsletterError as error:
        if error.problems[0].code != "dkim-key-bad":
            raise
        load(file, RSA)
        return RSA
    return ED25519


def signing(key: Key) -> Callable[[bytes], bytes]:
    """What is signed → the signature (RFC 6376 3.3; RFC 8463 3: Ed25519 over the SHA-256 of it)."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, rsa.RSAPrivateKey):
        make, pad, sha256 = key.sign, padding.PKCS1v15(), SHA256()  # looked up once: this is the hot path
        return lambda data: make(data, pad, sha256)
    plain = key.sign
    return lambda data: plain(hashlib.sha256(data).digest())


def record(key: Key, selector: str, domain: str) -> Record:
    """The TXT record for the public half of `key`."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        word, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        word, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = b64encode(raw).decode("ascii")
    return Record(f"{selector}._domainkey.{domain}", f"v=DKIM1; k={word}; p={text}")


def create(path: Path, algorithm: str) -> Key:
    """Make a key in a file of mode 0600, whole or not at all.

    Raises NewsletterError: dkim-key-exists (exit 4) rather than replace one, cannot-write (exit 3).
    """
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if path.exists():
        raise exists(path)
    key: Key = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm == ED25519
        else rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
        with os.fdopen(handle, "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        os.link(temporary, path)  # unlike a rename it fails where a file is, also one made this very moment
    except FileExistsError:
        raise exists(path) from None
    except OSError as error:
        raise files.unwritable(path, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return key


def exists(path: Path) -> NewsletterError:
    """The refusal to write over a key: mail signed with it is still on its way."""
    return NewsletterError(
        Problem(
            "dkim-key-exists",
            f"There is already a key in {path}",
            hint="Keep it, and name another selector: newsletter dkim new --selector NAME",
            where=Where(str(path)),
        ),
        exit=Exit.REFUSED,
    )


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NewsletterError(
            Problem(
                "dkim-key-missing",
                f"The DKIM key {path} is not there",
                hint="Put it back from your backup, or make a new one: newsletter dkim new",
                where=Where(str(path)),
            ),
            exit=Exit.CONFIG,
        ) from None
    except OSError as error:
        raise _bad(path, f"it cannot be read ({error.strerror})") from None
    if mode & stat.S_IRWXO:
        raise NewsletterError(
            Problem(
                "dkim-key-open",
                f"Every user of this computer can open the DKIM key {path}",
                hint=f"Close it: chmod 600 {path}. If strangers work on this computer, make a new key as well.",
                where=Where(str(path)),
            ),
            exit=Exit.CONFIG,
        )
    return raw


def _bad(path: Path, why: str) -> NewsletterError:
    return NewsletterError(
        Problem(
            "dkim-key-bad",
            f"The DKIM key {path} cannot be used: {why}",
            hint="[dkim] key_file names an RSA key in PEM form, ed25519_key_file an Ed25519 one.",
            where=Where(str(path)),
        ),
        exit=Exit.CONFIG,
    )
