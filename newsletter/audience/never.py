"""May this address be mailed? Asked everywhere; of erased people it knows only keyed hashes of their addresses.

A hash without a key could be undone by trying all likely addresses; with the key of this workspace (var/secret.key)
only we can tell. Whoever asks about an address asks for it and for its hashes under every key we ever had.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from newsletter import settings
from newsletter.audience import quickly
from newsletter.audience.models import Subscriber, Suppression
from newsletter.mail.tokens import Keyring

MARK = "erased:"  # no address begins so: a local part may hold no colon unless it is quoted
_USE = "erased address"


def hashed(canonical: str) -> str:
    """What stands for an erased address in every table: the mark and 64 digits. Raises NewsletterError(lost-key)."""
    if canonical.startswith(MARK):
        return canonical
    return MARK + _keyring().sign(_USE, canonical.encode())


def keys_of(canonical: str) -> tuple[str, ...]:
    """The address itself and its hashes under each of our keys: what it may be called in a table.

    Without a key file there is no hash of ours, unless somebody was erased: then raises NewsletterError(lost-key),
    for who must never be mailed is not known any more.
    """
    if canonical.startswith(MARK):
        return (canonical,)
    ring = _keyring() if _path().exists() or _any() else None
    return (canonical, *(MARK + one for one in ring.signatures(_USE)(canonical.encode()))) if ring else (canonical,)


def found(canonical: str) -> Suppression | None:
    """Why this address must not be mailed; the widest, where there are several; None: it may be."""
    keys = keys_of(canonical)
    rows = quickly.every(Suppression, f"canonical IN ({quickly.marks(keys)})", keys)
    return min(rows, key=lambda row: (row.scope != Suppression.Scope.ALL, row.pk), default=None)


def held(canonical: str) -> Suppression | None:
    """The same, and the row is ours until the caller's transaction ends."""
    list(Suppression.objects.select_for_update().filter(canonical__in=keys_of(canonical)).order_by("pk").values("pk"))
    return found(canonical)


def is_erased(name: str) -> bool:
    """True where a table knows only the hash: its person was forgotten."""
    return name.startswith(MARK)


class Erased:
    """All erased people at once, for whoever asks about a million addresses: without any, asking costs nothing."""

    def __init__(self) -> None:
        rows = Suppression.objects.filter(canonical__startswith=MARK)
        self._hashes = frozenset(rows.values_list("canonical", flat=True))
        self._sign = _keyring().signatures(_USE) if self._hashes else None

    def __len__(self) -> int:
        return len(self._hashes)

    def hash_of(self, canonical: str) -> str:
        """What this address is called in the table of suppressions, when its person was erased; else ""."""
        if self._sign is None:
            return ""
        names = (MARK + one for one in self._sign(canonical.encode()))
        return next((name for name in names if name in self._hashes), "")

    def among(self, canonicals: Iterable[str]) -> dict[str, str]:
        """Which of these are erased: address → its hash."""
        if self._sign is None:
            return {}
        return {one: name for one in canonicals if (name := self.hash_of(one))}


def sweep() -> int:
    """Suppress, under their plain address too, people who stand in the list though they were erased; returns how many.

    Nobody should: each door asks before it lets somebody in. A row that came past them (an SQL statement, a restored
    table) is found here before every freeze, which compares plain addresses only. Without erased people it costs one
    look at an index; with them 2 us a person.
    """
    erased = Erased()
    if not erased:
        return 0
    people = Subscriber.objects.values_list("canonical", flat=True)
    back = [one for one in people.iterator(10_000) if erased.hash_of(one)]
    rows = [Suppression(canonical=one, scope=Suppression.Scope.ALL, reason="erased") for one in back]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)
    return len(back)


def _any() -> bool:
    return Suppression.objects.filter(canonical__startswith=MARK).exists()


def _path() -> Path:
    return settings.current().var / "secret.key"


def _keyring() -> Keyring:
    return Keyring.kept(_path())
