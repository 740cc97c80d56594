"""Whether a mail's sender was checked: what our own mail server wrote of SPF, DKIM and DMARC (RFC 8601).

Anybody can write Authentication-Results into a mail. So only headers under the name of our own server count, which
must take off those that come from outside under its name (RFC 8601, 5).
"""

from __future__ import annotations

import re
from enum import StrEnum

from newsletter.mail.incoming import Incoming

MOST_HEADERS, LONGEST = 20, 4_000  # a server writes one to four of some 300 letters
SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
INLINE = "-----BEGIN PGP SIGNED MESSAGE-----"
_COMMENT = re.compile(r"\([^()]{0,1000}\)")
_RESULT = re.compile(r"\s*([a-z0-9-]{1,20})(?:/\d{1,3})?\s*=\s*([a-z]{1,20})", re.IGNORECASE)
_PROPERTY = re.compile(r"\b([a-z]{1,10}\.[a-z0-9-]{1,20})\s*=\s*\"?([^\s;\"]{1,320})", re.IGNORECASE)


class Vouched(StrEnum):
    """What is known of the sender: nothing, that the domain stands behind it, or that it denies it."""

    UNKNOWN = ""
    PROVED = "proved"
    FAILED = "failed"


def vouched(incoming: Incoming, server: str) -> Vouched:
    """What `server`, our own mail server, found out about the domain in From; UNKNOWN without a server's name.

    DMARC decides where it was looked at. Else a DKIM signature or an envelope sender of the same domain proves it. That
    these fail without DMARC says nothing: every mailing list and every forwarding mailbox breaks them.
    """
    domain = incoming.from_address.rpartition("@")[2].lower()
    if not server or not domain:
        return Vouched.UNKNOWN
    found = [result for value in incoming.all("authentication-results")[:MOST_HEADERS]
             for result in results(value, server)]  # fmt: skip
    for method, result, facts in found:
        if method == "dmarc" and _domain(facts.get("header.from", domain)) == domain and result in ("pass", "fail"):
            return Vouched.PROVED if result == "pass" else Vouched.FAILED
    for method, result, facts in found:
        who = {"dkim": facts.get("header.d", facts.get("header.i", "")), "spf": facts.get("smtp.mailfrom", "")}
        if result == "pass" and _stands_behind(_domain(who.get(method, "")), domain):
            return Vouched.PROVED
    return Vouched.UNKNOWN


def results(value: str, server: str) -> list[tuple[str, str, dict[str, str]]]:
    """(method, result, properties) of one Authentication-Results header; [] where another server wrote it."""
    plain, before = value[:LONGEST], ""
    while plain != before:  # comments may stand in comments
        plain, before = _COMMENT.sub(" ", plain), plain
    name, *parts = plain.split(";")
    if [word.lower() for word in name.split()[:1]] != [server.lower()]:
        return []
    found = []
    for part in parts:
        match = _RESULT.match(part)
        if match:
            facts = {key.lower(): said.lower() for key, said in _PROPERTY.findall(part)}
            found.append((match[1].lower(), match[2].lower(), facts))
    return found


def signed(incoming: Incoming) -> bool:
    """True where the writer signed the mail (S/MIME, OpenPGP). We do not check signatures, and say so."""
    types = (incoming.content_type, *incoming.parts)
    return "multipart/signed" in types or any(kind in SIGNATURES for kind in types) or INLINE in incoming.text


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip("<>").lower()


def _stands_behind(signer: str, domain: str) -> bool:
    """The same domain, or one above it; never one below, which may belong to somebody else."""
    return "." in signer and (domain == signer or domain.endswith(f".{signer}"))
