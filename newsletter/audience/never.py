"""May this address be mailed? Asked everywhere; of erased people it knows only keyed hashes of their addresses.

A hash without a key could be undone by trying all likely addresses; with the key of this workspace (var/secret.key)
only we can tell. Whoever asks about an address asks for it and for its hashes under every key we ever had.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from newsletter import settings
from newsletter.audience import quickly
from newsletter.audience.models import KeyProof, Subscriber, Suppression
from newsletter.mail.tokens import Keyring
from newsletter.problems import Exit, NewsletterError, Problem, Where

MARK = "erased:"  # no address begins so: a local part may hold no colon unless it is quoted
_USE = "erased address"
_PROOF = "key of erased addresses"


def hashed(canonical: str) -> str:
    """What stands for an erased address in every table: the mark and 64 digits. Raises NewsletterError(lost-key)."""
    if canonical.startswith(MARK):
        return canonical
    return MARK + _keyring().sign(_USE, canonical.encode())


def keys_of(canonical: str) -> tuple[str, ...]:
    """The address itself and its hashes under each of our keys: what it may be called in a table.

    Without a key file there is no hash of ours, unless somebody was erased: then raises NewsletterError(lost-key),
    for who must never be mailed is not known any more; and (other-key), where they were erased under another one.
    """
    if canonical.startswith(MARK):
        return (canonical,)
    ring = _right() if _path().exists() or _any() else None
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
        self._sign = _right().signatures(_USE) if self._hashes else None

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


def prove() -> None:
    """Remember, in the transaction that erases somebody, which key their hash is made with."""
    KeyProof.objects.get_or_create(proof=_right().sign(_PROOF, b""))


def other_key() -> list[str]:
    """The proofs of keys that people were erased with and that are not in the key file."""
    known = set(_keyring().signatures(_PROOF)(b""))
    return [one for one in KeyProof.objects.values_list("proof", flat=True) if one not in known]


def key_is_lost() -> int:
    """Somebody says that the earlier key is lost for good; gives back how many people may be erased under it, whom
    nothing here recognises any more."""
    KeyProof.objects.filter(proof__in=other_key()).delete()
    return Suppression.objects.filter(canonical__startswith=MARK).count()


def _right() -> Keyring:
    """The key file, if it is the one that people were erased with. Raises NewsletterError: lost-key, other-key."""
    ring = _keyring()
    if id(ring) not in _looked:
        if other_key():
            hint = "Put the right key back from your backup, beside or in place of this one."
            message = "People were erased with another key than that of secret.key: nobody here would know them again"
            raise NewsletterError(Problem("other-key", message, hint, Where(str(_path()))), exit=Exit.CONFIG)
        _looked.clear()
        _looked[id(ring)] = ring
    return ring


_looked: dict[int, Keyring] = {}  # the one that was found right: asked by every page


def _any() -> bool:
    return Suppression.objects.filter(canonical__startswith=MARK).exists()


def _path() -> Path:
    return settings.current().var / "secret.key"


def _keyring() -> Keyring:
    return Keyring.kept(_path())
