"""The pieces of which a segment's SQL is made, and how people who fit them are counted by how near they are to mail.

A million people are never asked one by one where that can be helped. Those of whom something is not true are counted
as all less those of whom it is; those who must never be mailed are found from the few suppressions.
"""

# ruff: noqa: S608 - the pieces are constants of ours, numbers of rows, and placeholders

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.audience import dialect

Sql = tuple[str, list[object]]

NOBODY: Sql = ("1 = 0", [])
NO_ONE: Sql = ("SELECT id FROM audience_subscriber WHERE 1 = 0", [])
MANY = 400_000  # people; counted no further (20 ms), for beyond that any other condition is as good to begin with
JOINED = 8  # lists that are joined, one look-up a person each; SQLite joins 64 tables at most
STEPS = 5  # how near to mail: 0 on no list, 1 asked, 2 left, 3 paused, 4 gets it

_STEP = """CASE WHEN {live} THEN 4 WHEN {row}.state = 'confirmed' THEN 3
            WHEN {row}.state = 'left' THEN 2 WHEN {row}.state IS NULL THEN 0 ELSE 1 END"""


@dataclass(frozen=True)
class Piece:
    """One condition, ready: `holds` with {who} for a person's number, and `people` where they can be listed."""

    holds: Sql
    people: Sql | None = None  # column id, each once, never NULL
    size: int = MANY + 1  # at most so many people, as far as was counted
    is_list: bool = False

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
    size = sum(piece.size for piece in pieces)
    return Piece((holds, params), people, size, is_list=bool(pieces) and all(piece.is_list for piece in pieces))


def most_selective(pieces: Sequence[Piece]) -> Piece | None:
    """The one to begin with; None where none of them can be listed."""
    return min((piece for piece in pieces if piece.people), key=lambda piece: piece.size, default=None)


def where(musts: Sequence[Piece], nots: Sequence[Piece], start: Piece | None) -> Sql:
    """What is asked of each person.id of `start`, the most selective question first; "" for nothing."""
    asked = [piece.of("person.id") for piece in sorted(musts, key=lambda piece: piece.size) if piece is not start]
    asked += [_not(piece, start.size if start else MANY) for piece in nots]
    return " AND ".join(text for text, _ in asked), [value for _, more in asked for value in more]


def _not(piece: Piece, among: int) -> Sql:
    """It is not true of person.id, who is one of so many. SQLite lists those of whom it is once, unless they are far
    more than those who are asked: a look-up in the table takes three times as long as one in such a list."""
    if piece.people and dialect.is_sqlite() and piece.size <= 4 * among:
        sql, params = piece.people
        return f"person.id NOT IN ({sql})", params
    text, params = piece.of("person.id")
    return f"NOT {text}", params


@dataclass(frozen=True)
class Chosen:
    """The people of a list or a segment. `lists`: numbers of those through which they get mail; `on_one`: only who is
    or was on one of them is meant at all."""

    lists: tuple[int, ...]
    on_one: bool
    musts: Pieces
    nots: Pieces

    def steps(self) -> Sql:
        """One row: a label (''), then the people of each step."""
        start = most_selective(self.musts)
        if start and start.people:
            return self._counted(start.people, start)
        if self.on_one:
            return self._counted(self._on_lists(), None, stepped=True)
        return self._counted(("SELECT id FROM audience_subscriber", []), None)

    def less(self) -> Chosen | None:
        """The same people without what must not be true, where they are so many that it is quicker to count those of
        whom it is (`steps_of(excluded)`) and to subtract them; else None."""
        start = most_selective(self.musts)
        few = sum(piece.size for piece in self.nots) <= MANY
        if not self.nots or not few or not all(piece.people for piece in self.nots) or (start and start.size <= MANY):
            return None
        return Chosen(self.lists, self.on_one, self.musts, [])

    def excluded(self) -> Sql:
        """The ids of whom something is true that must not be."""
        found = either(self.nots).people
        assert found
        return found

    def steps_of(self, people: Sql, label: str = "''") -> Sql:
        """As `steps`, of those only who are also among these; a row for each `label` (a column of person)."""
        return self._counted(people, None, label=label)

    def _counted(self, people: Sql, start: Piece | None, *, label: str = "''", stepped: bool = False) -> Sql:
        sql, params = people
        asked, more = where(self.musts, self.nots, start)
        joins, step = ("", "person.step") if stepped else self._nearest()
        counts = ", ".join(f"count(*) FILTER (WHERE step = {number})" for number in range(STEPS))
        text = (
            f"SELECT label, {counts} FROM (SELECT {label} AS label, {step} AS step FROM ({sql}) AS person {joins}"
            f" WHERE {asked or '1 = 1'}) AS entry GROUP BY label"
        )
        return text, [*params, *more]

    def _on_lists(self) -> Sql:
        step = _STEP.format(live=dialect.live("row"), row="row")
        several = len(self.lists) > 1
        return (
            f"SELECT row.subscriber_id AS id, {f'max({step})' if several else step} AS step"
            f" FROM audience_subscription AS row WHERE row.list_id IN ({self._numbers()})"
            + (" GROUP BY row.subscriber_id" if several else "")
        ), []

    def _nearest(self) -> tuple[str, str]:
        """Joins, and the step of person.id. Of each list one row at most is joined: nobody comes twice, and nobody is
        lost but who is not meant. PostgreSQL gathers the million of the list for a LEFT JOIN, else the few people."""
        if len(self.lists) > JOINED:
            step = _STEP.format(live=dialect.live("row"), row="row")
            rows = f"row.subscriber_id = person.id AND row.list_id IN ({self._numbers()})"
            return "", f"coalesce((SELECT max({step}) FROM audience_subscription AS row WHERE {rows}), 0)"
        names = [f"on{number}" for number in range(len(self.lists))]
        must_be = "" if self.on_one and len(names) == 1 and not dialect.is_sqlite() else "LEFT "
        joins = " ".join(
            f"{must_be}JOIN audience_subscription AS {name} ON {name}.list_id = {int(pk)}"
            f" AND {name}.subscriber_id = person.id"
            for name, pk in zip(names, self.lists, strict=True)
        )
        steps = [_STEP.format(live=dialect.live(name), row=name) for name in names]
        most = "max" if dialect.is_sqlite() else "greatest"
        return joins, f"{most}({', '.join(steps)})" if len(steps) > 1 else "".join(steps) or "0"

    def _numbers(self) -> str:
        return ", ".join(str(int(pk)) for pk in self.lists) or "-1"
