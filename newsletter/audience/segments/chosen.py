"""The people of a list or of a segment, and the SQL that counts them by how near they are to mail.

A million people are never asked one by one where that can be helped. Those of whom something is not true are counted
as all less those of whom it is; those who left, wait or pause are found from their own short index, and those who must
never be mailed from the few suppressions. Everybody else is counted without a look at their rows.
"""

# ruff: noqa: S608 - the pieces are constants of ours, numbers of rows, and placeholders

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from newsletter.audience import dialect
from newsletter.audience.segments.pieces import MANY, Piece, Pieces, Sql, either, most_selective, not_true, where

STEPS = 5  # how near to mail: 0 on no list, 1 asked, 2 left, 3 paused, 4 gets it
FEW = 50_000  # as many people as we take the suppressed, and those who left, to be
JOINED = 8  # lists that are joined, one look-up a person each; SQLite joins 64 tables at most

_AMONG = "EXISTS (SELECT 1 FROM people WHERE people.id = {who})"
_STEP = """CASE WHEN {live} THEN 4 WHEN {row}.state = 'confirmed' THEN 3
            WHEN {row}.state = 'left' THEN 2 WHEN {row}.state IS NULL THEN 0 ELSE 1 END"""


@dataclass(frozen=True)
class Chosen:
    """`lists`: numbers of those through which they get mail. `musts`, `nots`: what else must be true of them.

    Who is meant that is on none of the lists: everybody (`on_one` is false), nobody, or those of whom `beside` is true.
    `each`: several groups of lists are asked for at once; the one that is furthest from mail says how near they are.
    """

    lists: tuple[int, ...]
    on_one: bool
    musts: Pieces
    nots: Pieces
    beside: Piece | None = None
    each: tuple[tuple[int, ...], ...] = ()
    met: bool = False  # all that must be true of them is said by their being among `people`, see gathered

    def gathered(self) -> tuple[Sql | None, Chosen]:
        """SELECT of everybody of whom it is all true, and the same question of those, called `people`: where several
        conditions meet they are looked at once, and not again for each number. (None, itself) where that is no gain.
        In order for SQLite, which looks each up on the list: 40 instead of 105 ms for 100,000."""
        start = most_selective(self.musts)
        if not start or not start.people or self.each or len(self.musts) < 2:
            return None, self
        sql, params = start.people
        asked, more = where(self.musts, self.nots, start)
        once = f"SELECT person.id FROM ({sql}) AS person WHERE {asked}{' ORDER BY 1' if dialect.is_sqlite() else ''}"
        holds = "(+{who} IN (SELECT id FROM people))" if dialect.is_sqlite() else _AMONG
        people = Piece((holds, []), ("SELECT id FROM people", []), min(piece.size for piece in self.musts))
        return (once, [*params, *more]), replace(self, musts=[people], nots=[], met=True)

    def numbers(self) -> list[tuple[int, Sql]]:
        """One number each: (sign, SELECT of it), to be summed up: how many are on one of the lists, in any state."""
        less = self._less()
        if self.each:  # being on each of them is one of `musts`
            start = most_selective(self.musts)
            assert start
            return [(1, self._among(start))]
        if not less:
            return [(1, self._on())]
        return [(1, less._on()), (-1, less._among(self._excluded(), on=True))]

    def strangers(self) -> list[tuple[int, Sql]]:
        """The same of those who are meant and on none of the lists."""
        if self.on_one and not self.beside:
            return []
        if self.beside:
            only = replace(self, musts=[*self.musts, self.beside, not_true(self._listed())], lists=(), beside=None)
            return [(1, only._everybody())]
        less = self._less()
        counts = [(1, less._everybody()), (-1, less._among(self._excluded()))] if less else [(1, self._everybody())]
        return counts + [(-sign, sql) for sign, sql in self.numbers()]

    def odd(self) -> Sql:
        """`steps_of` those on one of the lists to whom that does not bring mail, or did not always."""
        one = (
            len(self.lists) == 1
        )  # then its index says the step, too: a jump into the table for each took twice as long
        what = f"row.subscriber_id AS id, {_STEP.format(live=dialect.live('row'), row='row')} AS step"
        rows = f"FROM audience_subscription AS row WHERE row.list_id IN ({self._numbers()}) AND {dialect.odd('row')}"
        people = f"SELECT {what if one else 'DISTINCT row.subscriber_id AS id'} {rows}"
        return self.steps_of((people, []), stepped=one)

    def steps_of(self, people: Sql, label: str = "''", *, stepped: bool = False) -> Sql:
        """A row for each `label` (a column of person), and in it the people of each step, of those of them who are
        also among these few. `stepped`: they come with their step."""
        sql, params = people
        asked, more = where(self.musts, self.nots, None, FEW)
        joins, step = ("", "person.step") if stepped else self._nearest()
        if self.met and not dialect.is_sqlite():  # of EXISTS it would take the 100,000 for 200: 1 s instead of 0.1
            asked, more, joins = "", [], f"JOIN people ON people.id = person.id {joins}"
        if self.beside:
            beside, values = self.beside.of("person.id")
            asked, more = f"{asked or '1 = 1'} AND ({step} > 0 OR {beside})", [*more, *values]
        counts = ", ".join(f"count(*) FILTER (WHERE step = {number}) AS people{number}" for number in range(STEPS))
        text = (
            f"SELECT label, {counts} FROM (SELECT {label} AS label, {step} AS step FROM ({sql}) AS person {joins}"
            f" WHERE {asked or '1 = 1'}) AS entry GROUP BY label"
        )
        return text, [*params, *more]

    def _less(self) -> Chosen | None:
        """The same people without what must not be true, where it is quicker to count those of whom it is and to
        subtract them; else None."""
        start, few = most_selective(self.musts), sum(piece.size for piece in self.nots)
        listed = self.nots and all(piece.people for piece in self.nots)
        if not dialect.is_sqlite() or not listed or few > MANY or (start and few > start.size / 4):
            return None  # PostgreSQL leaves them out in one pass: 340 instead of 490 ms for 58,000 of a million
        return replace(self, nots=[])

    def _excluded(self) -> Piece:
        """Of whom something is true that must not be."""
        return either(self.nots)

    def _on(self) -> Sql:
        """SELECT of how many are on one of the lists."""
        start = most_selective(self.musts)
        return self._among(start, on=True) if start else self._on_lists()

    def _everybody(self) -> Sql:
        """SELECT of how many there are, whether on a list or not."""
        everybody = Piece(("1 = 1", []), ("SELECT id FROM audience_subscriber", []))
        return self._among(most_selective(self.musts) or everybody)

    def _among(self, start: Piece, *, on: bool = False) -> Sql:
        """SELECT of how many of the people of `start` they are; `on`: and are on one of the lists."""
        assert start.people
        sql, params = start.people
        asked, more = where([*self.musts, *([self._listed()] if on else [])], self.nots, start)
        return f"SELECT count(*) FROM ({sql}) AS person WHERE {asked or '1 = 1'}", [*params, *more]

    def _on_lists(self) -> Sql:
        """How many are on the lists, each once: all of the first, of the second those who are not on the first …"""
        asked, params = where(self.musts, self.nots, None)
        counts: list[str] = []
        values: list[object] = []
        for place, pk in enumerate(self.lists):
            before = self._listed(self.lists[:place]).of("person.id")[0]
            counts.append(
                "(SELECT count(*) FROM (SELECT subscriber_id AS id FROM audience_subscription WHERE list_id ="
                f" {int(pk)}) AS person WHERE {asked or '1 = 1'}{f' AND NOT {before}' if place else ''})"
            )
            values += params
        return f"SELECT {' + '.join(counts) or '0'}", values

    def _listed(self, lists: tuple[int, ...] | None = None) -> Piece:
        """Whether somebody is on one of the lists, in any state."""
        numbers = self.lists if lists is None else lists
        rows = f"row.list_id IN ({self._numbers(numbers)}) AND row.subscriber_id = {{who}}"
        return Piece((f"EXISTS (SELECT 1 FROM audience_subscription AS row WHERE {rows})", []), look_ups=len(numbers))

    def _nearest(self) -> tuple[str, str]:
        """Joins, and the step of person.id. Of each list one row at most is joined: nobody comes twice, and nobody is
        lost but who is not meant. PostgreSQL gathers the million of the list for a LEFT JOIN, else the few people."""
        groups = self.each or (self.lists,)
        if len(self.lists) > JOINED:
            return "", dialect.least([step_on(group, "person.id") for group in groups])
        names = {pk: f"on{number}" for number, pk in enumerate(self.lists)}
        alone = self.on_one and not self.beside and len(names) == 1 and not dialect.is_sqlite()
        joins = " ".join(
            f"{'' if alone else 'LEFT '}JOIN audience_subscription AS {name} ON {name}.list_id = {int(pk)}"
            f" AND {name}.subscriber_id = person.id"
            for pk, name in names.items()
        )
        steps = {pk: _STEP.format(live=dialect.live(name), row=name) for pk, name in names.items()}
        return joins, dialect.least([dialect.greatest([steps[pk] for pk in group]) for group in groups])

    def _numbers(self, lists: tuple[int, ...] | None = None) -> str:
        return _numbers(self.lists if lists is None else lists)


def step_on(lists: Sequence[int], who: str) -> str:
    """SQL: how near one person is to mail through one of these lists."""
    step = _STEP.format(live=dialect.live("row"), row="row")
    rows = f"row.subscriber_id = {who} AND row.list_id IN ({_numbers(lists)})"
    return f"coalesce((SELECT max({step}) FROM audience_subscription AS row WHERE {rows}), 0)"


def _numbers(lists: Sequence[int]) -> str:
    return ", ".join(str(int(pk)) for pk in lists) or "-1"
