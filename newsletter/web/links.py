"""Reading the token of an address: what it is for, or that it is none of ours."""

from __future__ import annotations

from newsletter import settings
from newsletter.mail.tokens import Keyring, Purpose


def read(token: str, *purposes: Purpose) -> tuple[Purpose, bytes] | None:
    """Purpose and stored id when one of our keys made this token for one of these purposes, else None.

    Mail programs that end a link too late add a dot, bracket or quote, so those are cut off first.
    """
    found = keyring().read(token.strip(" .,;:!?'\"<>()[]"))
    return found if found and found[0] in purposes else None


def keyring() -> Keyring:
    """The keys of this workspace; a key put back from a backup works at once."""
    return Keyring.kept(settings.current().var / "secret.key")


def masked(address: str) -> str:
    """`ameera.k@example.net` → `a•••@e•••.net`: its owner knows it, the finder of a forwarded mail does not."""
    local, _, domain = address.rpartition("@")
    name, dot, ending = domain.rpartition(".")
    return f"{local[:1]}•••@{name[:1]}•••{dot}{ending}" if dot else f"{local[:1]}•••@{domain[:1]}•••"
