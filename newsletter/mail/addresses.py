"""E-mail addresses: what a person typed, what the wire needs, and when two of them are the same."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Plain ASCII addresses, all but a handful in any list, need no validator: 43 us against 2 us each.
# RFC 5321 4.5.3.1: local part 64 octets, a label 63, the whole 254. `xn--` goes the long way round.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])|localhost)")
# Special-use names (RFC 6761, RFC 2606) that no mail can reach, but `.example`, `.test` and `.localhost`
# are what demos, tests and this very computer use.
_UNREACHABLE = (".invalid", ".arpa", ".onion", ".local")


class Address(NamedTuple):
    """One address.

    `typed` is as the person wrote it (outer blanks cut); `domain` is in ASCII (A-labels, RFC 5891), lower case;
    `local` is as typed in NFC; `canonical` tells two spellings apart from two people; `needs_smtputf8` is true
    when the part before the @ is not ASCII, so that only a server with SMTPUTF8 (RFC 6531) can take it.
    """

    typed: str
    canonical: str
    local: str
    domain: str
    needs_smtputf8: bool

    @property
    def wire(self) -> str:
        """The address as it stands in an envelope or a header."""
        return f"{self.local}@{self.domain}"


def parse(text: str) -> Address:
    """Read one address. Raises ValueError, in words for the person who typed it, for anything else.

    Never asks the DNS. Quoted local parts and address literals (`"a b"@x`, `a@[10.0.0.1]`) are refused:
    they are legal (RFC 5321) and in real lists always a slip.
    """
    typed = text.strip()
    plain = _PLAIN.fullmatch(typed)
    if plain and len(typed) <= 254:
        local, domain = plain[1], plain[2].lower()
        if len(local) <= 64 and "xn--" not in domain and not domain.endswith(_UNREACHABLE):
            return Address(typed, f"{local.lower()}@{domain}", local, domain, False)
    return _parse_slowly(typed)


def canonical(text: str) -> str:
    """The form under which a person is counted once: Unicode NFC, case ignored, domain in A-labels.

    Dots and `+tags` stay: whether `a.b@` is `ab@` is known to the provider alone. Raises ValueError.
    """
    return parse(text).canonical


def domain_to_ascii(domain: str) -> str:
    """The domain in A-labels and lower case (`münchen.example` → `xn--mnchen-3ya.example`). Raises ValueError."""
    return parse(f"x@{domain}").domain


def unwrapped(address: str) -> str:
    """The address without what gateways put round it: BATV (`prvs=…=`) and SRS0/SRS1 (forwarders)."""
    local, at, domain = address.strip().strip("<>").rpartition("@")
    for _ in range(4):  # a forwarder may wrap what a gateway has wrapped
        rewritten = re.match(r"SRS1[=+-][^=]*=[^=]+==?(?:[^=]*=)([^=]+=[^=]+=.+)", local, re.IGNORECASE)
        if rewritten:
            local = f"SRS0=x={rewritten[1]}"
        if found := re.match(r"SRS0[=+-][^=]*=[^=]*=([^=]+)=(.+)", local, re.IGNORECASE):
            domain, local = found[1], found[2]
        elif found := re.match(r"(?:prvs=[^=]{1,20}=|btv1==[^=]{1,20}==)(.+)", local, re.IGNORECASE):
            local = found[1]
        else:
            break
    return f"{local}{at}{domain}"


def _parse_slowly(typed: str) -> Address:
    _refuse_common_slips(typed)
    from email_validator import EmailNotValidError, validate_email  # imports in 60 ms: only for those who need it

    try:
        found = validate_email(typed, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(str(error).rstrip(".")) from None
    domain = found.ascii_domain.lower()
    if "." not in domain and domain != "localhost":
        raise ValueError(f"“{found.domain}” is not a whole domain: it has no dot")
    if f".{domain}".endswith(_UNREACHABLE):
        raise ValueError(f"no mail can reach “{found.domain}”: that ending is reserved")
    local = unicodedata.normalize("NFC", found.local_part)
    return Address(typed, f"{local.casefold()}@{domain}", local, domain, not local.isascii())


def _refuse_common_slips(typed: str) -> None:
    if not typed:
        raise ValueError("there is no address")
    if typed.count("@") > 1:
        raise ValueError("there is more than one @: one address is wanted")
    if typed.startswith("mailto:"):
        raise ValueError("“mailto:” does not belong to the address")
    if "<" in typed or ">" in typed:
        raise ValueError("only the address is wanted, without name and angle brackets")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in typed):
        raise ValueError("it holds an invisible character")


def comparable(text: str) -> str:
    """As `canonical`; what is no address at all is compared as it stands, in small letters."""
    try:
        return canonical(text)
    except ValueError:
        return text.strip().lower()
