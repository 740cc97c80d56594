"""Signing each mail with DKIM: ours, against the bare RSA signature that nothing can beat, and against dkimpy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import dkim as dkimpy
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.mail import dkim_keys as keys
from newsletter.mail.dkim import ED25519, RSA, SIGNED, Seal, Signer
from newsletter.mail.outgoing import compile
from tests.mail.examples import COMMON, person

ROUNDS, OURS_EACH, THEIRS_EACH = 9, 60, 3
FLOOR, AIM = 0.7, 15
DOMAIN, NOW, SIZE = "staffordshire.example", 1_795_514_400, 40_000


def run() -> list[dict[str, object]]:
    """In turn, so that a busy machine slows all alike; medians of the rounds' ratios."""
    key, small = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    seal, second = Seal(RSA, "n1", keys.signing(key)), Seal(ED25519, "n1e", keys.signing(small))
    bare, one, two = seal.make, Signer(DOMAIN, seal), Signer(DOMAIN, seal, second)
    paragraphs = "<p>Your neighbourhood team meets on Tuesday at seven.</p>\n" * (SIZE // 62)
    mail = compile(COMMON, ("News",), ("hello",), (paragraphs,)).build((), person())
    names = [name.encode() for name in SIGNED]

    def theirs() -> None:
        dkimpy.sign(mail, b"n1", DOMAIN.encode(), pem, canonicalize=(b"relaxed", b"simple"), include_headers=names)

    rounds = [
        (
            _each(lambda: one.sign(mail, NOW), OURS_EACH),
            _each(lambda: bare(b"x" * 1000), OURS_EACH),
            _each(lambda: two.sign(mail, NOW), OURS_EACH),
            _each(theirs, THEIRS_EACH),
        )
        for _ in range(ROUNDS)
    ]
    size = f"{len(mail) / 1000:.0f} KB"
    ours, floor, both, other = (statistics.median(side) for side in zip(*rounds, strict=True))
    rate = statistics.median(lowest / mine for mine, lowest, _, _ in rounds)
    faster = statistics.median(slow / mine for mine, _, _, slow in rounds)
    pair = statistics.median(slow / mine for _, _, mine, slow in rounds)
    return [
        _row(f"sign {size} with RSA-2048, against the bare signature", ours, floor, f"{rate:.2f}", FLOOR, rate),
        _row(f"sign {size} with RSA-2048, against dkimpy", ours, other, f"{faster:.0f} ×", AIM, faster),
        _row("the same with Ed25519 beside it, against dkimpy's RSA alone", both, other, f"{pair:.0f} ×", AIM, pair),
    ]


def _row(what: str, ours: float, other: float, ratio: str, aim: float, got: float) -> dict[str, object]:
    shown = f"≥ {aim}" if aim < 1 else f"≥ {aim} ×"
    times = {"ours": f"{ours * 1e6:.0f} µs", "other": f"{other * 1e6:.0f} µs"}
    return {"what": what, **times, "ratio": ratio, "aim": shown, "ok": got >= aim}


def _each(make: Callable[[], object], count: int) -> float:
    """Seconds of processor time for one signature."""
    began = time.process_time()
    for _ in range(count):
        make()
    return (time.process_time() - began) / count
