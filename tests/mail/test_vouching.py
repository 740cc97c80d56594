"""Who stands behind a sender: only our own mail server's word counts, and a signature is never called checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail import vouching
from newsletter.mail.incoming import Incoming, read

OURS = "mx.council.example"


def came(*results: str, sender: str = "ameera@example.net") -> Incoming:
    head = "".join(f"Authentication-Results: {one}\n" for one in results)
    return read(f"{head}From: {sender}\nSubject: x\n\nHello\n".encode())


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (f"{OURS}; dmarc=pass header.from=example.net", "proved"),
        (f"{OURS} 1; spf=fail smtp.mailfrom=list@other.example; dmarc=pass (p=reject dis=none) header.from=example.net",
         "proved"),
        (f"{OURS.upper()}; dkim=pass header.d=example.net header.s=a", "proved"),
        (f"{OURS}; dkim=pass (2048-bit key; (unprotected)) header.i=@example.net", "proved"),
        (f"{OURS}; spf=pass smtp.mailfrom=ameera@example.net", "proved"),
        (f"{OURS}; dmarc=fail (p=none) header.from=example.net; dkim=pass header.d=example.net", "failed"),
        (f"{OURS}; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=x@evil.example", ""),
        (f"{OURS}; dkim=pass header.d=mail.example.net", ""),
        (f"{OURS}; dkim=pass header.d=net", ""),
        (f"{OURS}; dkim=fail header.d=example.net; spf=softfail smtp.mailfrom=example.net", ""),
        (f"{OURS}; dmarc=pass header.from=evil.example", ""),
        (f"{OURS}; dmarc=none header.from=example.net", ""),
        (f"{OURS}; none", ""),
        ("mx.elsewhere.example; dmarc=pass header.from=example.net", ""),
        (f"mx.elsewhere.example ({OURS}); dmarc=pass header.from=example.net", ""),
        (f'"; {OURS}; dmarc=pass header.from=example.net', ""),
        ("", ""),
    ],
)  # fmt: skip
def test_our_own_servers_word_counts_and_nobody_elses(said: str, known: str) -> None:
    assert vouching.vouched(came(said), OURS) == known


def test_a_header_of_another_server_beside_ours_changes_nothing() -> None:
    forged = "mx.evil.example; dmarc=pass header.from=example.net"
    assert vouching.vouched(came(forged, f"{OURS}; dmarc=fail header.from=example.net"), OURS) == "failed"


def test_without_the_servers_name_nothing_is_known() -> None:
    assert vouching.vouched(came(f"{OURS}; dmarc=pass header.from=example.net"), "") == ""
    assert vouching.vouched(came("; dmarc=pass header.from=example.net"), "") == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.example\nContent-Type: multipart/signed; boundary=x\n\n--x\n\nHi\n--x\n"
        b"Content-Type: application/pgp-signature\n\nabc\n--x--\n",
        b"From: a@b.example\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHi\n",
    ],
    ids=["multipart/signed", "inline"],
)
def test_a_signature_is_seen_and_the_words_are_read(raw: bytes) -> None:
    incoming = read(raw)
    assert vouching.signed(incoming) and "Hi" in incoming.text
    assert not vouching.signed(came())


@given(st.text(max_size=400))
def test_any_header_gives_an_answer(said: str) -> None:
    incoming = Incoming(headers=(("authentication-results", said),), from_address="a@b.example")
    assert vouching.vouched(incoming, OURS) in ("", "proved", "failed")
