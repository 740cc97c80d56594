"""The pieces of which a segment's SQL is made, and in which order and in which form they are asked."""

# ruff: noqa: S608 - the pieces are constants of ours, numbers of rows, and placeholders

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.audience import dialect

Sql = tuple[str, list[object]]

NOBODY: Sql = ("1 = 0", [])
NO_ONE: Sql = ("SELECT id FROM audience_subscriber WHERE 1 = 0", [])
MANY = 400_000  # people; SQLite counts no further (16 ms): any other condition is as good to begin with
MANY_ON_A_SERVER = 100_000  # the same for PostgreSQL (10 ms), whose planner knows the large traits by itself
# What SQLite takes, in us a person: to walk over an index, to look up in it, to put into a list of its own in order or
# out of order, to find in such a list. Measured with traits of 200,000 and 500,000 among a million people.
WALKED, LOOKED_UP, LISTED, LISTED_MIXED, FOUND = 0.05, 0.36, 0.15, 0.5, 0.15


@dataclass(frozen=True)
class Piece:
    """One condition, ready: `holds` with {who} for a person's number, and `people` where they can be listed.

    `looked_up` is the same as `holds`, by so many look-ups (`look_ups`) in an index; None where that is no way.
    """

    holds: Sql
    people: Sql | None = None  # column id, each once, never NULL
    size: int = MANY + 1  # at most so many people; MANY + 1: nobody counted them, or they are more than are counted
    is_list: bool = False
    looked_up: Sql | None = None
    look_ups: int = 1

    def of(self, who: str) -> Sql:
        return self.holds[0].replace("{who}", who), self.holds[1]


Pieces = list[Piece]


def either(pieces: Sequence[Piece]) -> Piece:
    """One of them is true; their people together can be listed when those of each can."""
    holds = f"({' OR '.join(piece.holds[0] for piece in pieces) or NOBODY[0]})"
    params = [value for piece in pieces for value in piece.holds[1]]
    people: Sql | None = None
    if pieces and all(piece.people for piece in pieces):
        listed = [piece.people for piece in pieces if piece.people]
        people = (
            "SELECT either.id FROM (" + " UNION ".join(sql for sql, _ in listed) + ") AS either",
            [value for _, more in listed for value in more],
        )
    lists = bool(pieces) and all(piece.is_list for piece in pieces)
    size, look_ups = sum(piece.size for piece in pieces), sum(piece.look_ups for piece in pieces)
    return Piece((holds, params), people, size, is_list=lists, look_ups=look_ups)


def not_true(piece: Piece) -> Piece:
    """Of whom it is not true; they cannot be listed."""
    return Piece((f"(NOT {piece.holds[0]})", piece.holds[1]))


def most_selective(pieces: Sequence[Piece]) -> Piece | None:
    """The one to begin with; None where none of them can be listed. PostgreSQL orders its joins anew anyway; SQLite
    keeps to ours: half of the wards and then who of them reads Welsh (150 ms) instead of the other way round (380)."""
    listed = [piece for piece in pieces if piece.people]
    if not dialect.is_sqlite():
        return min(listed, key=lambda piece: piece.size, default=None)

    def cost(start: Piece) -> float:
        return start.size * WALKED + sum(_cheapest(one, start.size)[0] for one in pieces if one is not start)

    return min(listed, key=cost, default=None)


def where(musts: Sequence[Piece], nots: Sequence[Piece], start: Piece | None, among: int = MANY) -> Sql:
    """What is asked of each person.id of `start`, the most selective question first; "" for nothing. `among`: how many
    people are asked where there is no start."""
    many = start.size if start else among
    asked = [_asked(piece, many) for piece in sorted(musts, key=lambda piece: piece.size) if piece is not start]
    asked += [(f"NOT {text}", params) for text, params in (_asked(piece, many) for piece in nots)]
    return " AND ".join(text for text, _ in asked), [value for _, more in asked for value in more]


def _asked(piece: Piece, among: int) -> Sql:
    """Whether it is true of person.id, who is one of so many. PostgreSQL makes a join of EXISTS and chooses itself."""
    if not dialect.is_sqlite():
        return piece.of("person.id")
    _, (text, params) = _cheapest(piece, among)
    return text.replace("{who}", "person.id"), params


def _cheapest(piece: Piece, among: int) -> tuple[float, Sql]:
    """(us, SQL) of the quicker way to ask so many people on SQLite: each by itself, or in a list made once.

    The + keeps it from walking over the list instead, with a look-up for each of its people and each trait.
    """
    each = piece.look_ups * LOOKED_UP * among, piece.looked_up or piece.holds
    if piece.people is None:
        return each
    sql, params = piece.people
    put, size = LISTED if piece.look_ups == 1 else LISTED_MIXED, piece.size if piece.size <= MANY else 2 * MANY
    listed = put * size + FOUND * among, (f"(+{{who}} IN ({sql}))", params)
    return min(each, listed, key=lambda way: way[0])
