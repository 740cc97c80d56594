"""How many mails a second can be sealed: bare RSA-2048, our Signer, and dkimpy, in turn in one process. `… ROOT`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.senders import clock
from bench.senders.material import Material

TURNS, SECONDS = 7, 0.15
PART = b"x" * 600  # about what a mail's chosen headers are long


def key(file: Path) -> None:
    """Make an RSA-2048 key that only we can read."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = rsa.generate_private_key(65537, 2048)
    file.touch(mode=0o600)
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def rate(sign: Callable[[int], object]) -> float:
    """Times a CPU second."""
    began, done = time.process_time(), 0
    while (spent := time.process_time() - began) < SECONDS:
        sign(done)
        done += 1
    return done / spent


def main(root: Path) -> None:
    import dkim
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from newsletter.config.shape import Dkim
    from newsletter.mail.dkim import Signer

    mails = Material(root).mails()
    file = root / "dkim.pem"
    if not file.exists():
        key(file)
    pem = file.read_bytes()
    bare, signer = load_pem_private_key(pem, None), Signer.of(Dkim("staffordshire.example", "bench", str(file)))
    assert signer is not None
    ways: dict[str, Callable[[int], object]] = {
        "bare": lambda at: bare.sign(PART, padding.PKCS1v15(), SHA256()),  # type: ignore[union-attr, call-arg, arg-type]
        "ours": lambda at: signer.sign(mails[at % len(mails)], 1_800_000_000),
        "dkimpy": lambda at: dkim.sign(mails[at % len(mails)], b"bench", b"staffordshire.example", pem),
    }
    with clock.measured(1) as said:
        turns = [{name: rate(way) for name, way in ways.items()} for _ in range(TURNS)]
        said.update({name: median(turn[name] for turn in turns) for name in ways})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
