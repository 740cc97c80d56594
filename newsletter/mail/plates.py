"""A mail in its last bytes, with gaps where copies differ: joining them is all that is left to do for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

TO = -1  # the piece that is the whole line `To:`
_BREAK = b"=\r\n"  # a soft break of quoted-printable, which may stand in the middle of a token
_MAY_BREAK = b"(?:=\r\n)?"


class Plate:
    """Cast from a mail in which stand-ins were put where the tokens belong.

    A token has always the same length and the same kind of letters, so no line breaks elsewhere and nothing is
    escaped otherwise for being another token: what surrounds it can be encoded once. 6 us a mail of 40 KB.
    """

    def __init__(self, pieces: Sequence[bytes | int], stand_ins: Sequence[str]) -> None:
        """`pieces`: bytes with stand-ins in them, TO, and the numbers of holes that the person's own values fill."""
        self._parts: list[bytes] = []
        self._to, self._own = -1, list[tuple[int, int]]()
        self._whole, self._torn = list[tuple[int, int]](), list[tuple[int, int, slice]]()
        self.holes: tuple[int, ...] = tuple(dict.fromkeys(piece for piece in pieces if _is_hole(piece)))  # type: ignore[misc]
        for piece in _joined(pieces):
            if isinstance(piece, bytes):
                self._cut(piece, stand_ins)
            elif piece == TO:
                self._to = self._gap()
            else:
                self._own.append((self._gap(), self.holes.index(piece)))

    def build(self, to: bytes, own: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
        """One copy: the line `To:`, the encoded values of `holes` in order, and the tokens in the order of their
        stand-ins."""
        parts = self._parts.copy()
        parts[self._to] = to
        for at, which in self._own:
            parts[at] = own[which]
        for at, which in self._whole:
            parts[at] = tokens[which]
        for at, which, part in self._torn:
            parts[at] = tokens[which][part]
        return b"".join(parts)

    def _gap(self) -> int:
        self._parts.append(b"")
        return len(self._parts) - 1

    def _cut(self, piece: bytes, stand_ins: Sequence[str]) -> None:
        for found in _found(piece, stand_ins):
            if isinstance(found, bytes):
                self._parts.append(found)
                continue
            which, seen = found
            if _BREAK not in seen:
                self._whole.append((self._gap(), which))
                continue
            at = 0
            for number, part in enumerate(seen.split(_BREAK)):
                if number:
                    self._parts.append(_BREAK)
                self._torn.append((self._gap(), which, slice(at, at + len(part))))
                at += len(part)


def _found(piece: bytes, stand_ins: Sequence[str]) -> Iterator[bytes | tuple[int, bytes]]:
    """The literals, and for each stand-in its number and how it stands there, soft breaks included."""
    torn = [b"(" + _MAY_BREAK.join(letter.encode("ascii") for letter in word) + b")" for word in stand_ins]
    at = 0
    for match in re.finditer(b"|".join(torn), piece):
        yield piece[at : match.start()]
        assert match.lastindex is not None
        yield match.lastindex - 1, match[0]
        at = match.end()
    yield piece[at:]


def _joined(pieces: Sequence[bytes | int]) -> list[bytes | int]:
    out: list[bytes | int] = []
    for piece in pieces:
        if out and isinstance(piece, bytes) and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _is_hole(piece: bytes | int) -> bool:
    return isinstance(piece, int) and piece != TO
