"""Turns segments into SQL. Every name in it is ours and every value a parameter, so a segment can ask, never command.

Two forms of one question: `holds` says of a person whether they are in it, `people` lists those who are. Lists come
by the most selective condition first: of a million people a ward has 25,000, and only those are asked the rest.
"""

# ruff: noqa: S608 - see above: the pieces are constants, numbers of rows, and placeholders

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from newsletter.audience import areas, dialect
from newsletter.audience.dialect import live
from newsletter.audience.models import MailingList, Trait
from newsletter.audience.segments.chosen import Chosen
from newsletter.audience.segments.known import Known
from newsletter.audience.segments.model import Condition, Segment
from newsletter.audience.segments.pieces import (
    MANY,
    MANY_ON_A_SERVER,
    NO_ONE,
    NOBODY,
    Piece,
    Pieces,
    Sql,
    either,
    most_selective,
    not_true,
    where,
)
from newsletter.audience.segments.storing import get
from newsletter.config import Config

EVERYBODY: Sql = ("1 = 1", [])
FEW = 4  # traits looked up for each person; more are listed once: a look-up is 0.3 us, an entry of a list 0.5
GOT = "'accepted', 'uncertain'"  # it may have arrived: who is asked not to get it twice, and who gets a correction
_KEYS = {"area": "areas", "tag": "tags", "language": "language"}


class Compiler:
    """Compiles the segments of one moment: what is known, which lists there are, and how the areas lie."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.known = Known.of(config)
        self.tree = areas.known()
        self.lists = dict(MailingList.objects.filter(key__in=list(config.lists)).values_list("key", "pk"))

    def segment(self, key: str) -> Segment:
        return get(self.config, key, self.known)

    def lists_of(self, segment: Segment) -> tuple[str, ...]:
        """The lists through which somebody of this segment is written to: those that it names, else all there are.

        Whoever is confirmed on none of them gets nothing, whatever else is true of them: joining a list is what
        people agreed to, having a tag is not.
        """
        named: dict[str, None] = {}
        for condition in (*segment.include, *segment.must):
            if condition.kind == "list":
                named.update(dict.fromkeys(condition.values))
            for key in condition.values if condition.kind == "segment" else ():
                inner = self.segment(key)
                if any(one.kind in ("list", "segment") for one in (*inner.include, *inner.must)):
                    named.update(dict.fromkeys(self.lists_of(inner)))
        return tuple(named) or tuple(self.config.lists)

    def people(self, segment: Segment, *, loose: bool = False, inner: bool = False) -> Sql:
        """SELECT of the ids (column id) of everybody in it, each once. `loose`: also those who left, wait or pause on
        a list that is asked for; they are who the count explains. `inner`: as another segment asks for them, which
        is of whom it `holds`, whether they get mail or not."""
        musts, nots = self.parts(segment, loose=loose)
        if not loose and not inner and not any(piece.is_list for piece in musts):
            musts.append(self.on_a_list(segment))
        start = most_selective(musts)
        sql, params = start.people if start and start.people else ("SELECT id FROM audience_subscriber", [])
        asked, more = where(musts, nots, start)
        return (f"SELECT person.id FROM ({sql}) AS person WHERE {asked}", [*params, *more]) if asked else (sql, params)

    def parts(self, segment: Segment, *, loose: bool = False) -> tuple[Pieces, Pieces]:
        """What must be true of somebody in it, and what must not."""
        nots = [self.piece(one) for one in segment.exclude]
        several = segment.include if len(segment.include) > 1 else ()
        musts = [either([self.piece(one, loose=loose) for one in several])] if several else []
        for one in (*segment.must, *(segment.include if len(segment.include) == 1 else ())):
            if one.negated:  # those of whom it is true can be listed; those of whom it is not cannot
                nots.append(self.piece(replace(one, negated=False)))
            else:
                musts.append(self.piece(one, loose=loose))
        return musts, nots

    def chosen(self, segment: Segment) -> Chosen | None:
        """The segment ready to be counted by how near people are to mail; None where that takes more questions, see
        `asked_again`."""
        if self.asked_again(segment):
            return None
        lists = tuple(self.lists[key] for key in self.lists_of(segment) if key in self.lists)
        beside: list[Condition] = []
        listed = self._parts_with_lists(segment)
        for part in listed:  # one at most; being on one of its lists is asked for by Chosen
            beside = [one for one in part if one.kind != "list"]
            if part is segment.include:
                segment = replace(segment, include=())
            else:
                segment = replace(segment, must=tuple(one for one in segment.must if one is not part[0]))
        musts, nots = self.parts(segment, loose=True)
        return Chosen(lists, bool(listed), musts, nots, either([self.piece(one) for one in beside]) if beside else None)

    def on_a_list(self, segment: Segment) -> Piece:
        """Whether a person gets mail through one of the segment's lists."""
        return self._list(Condition("list", self.lists_of(segment)), loose=False)

    def holds(self, segment: Segment, *, loose: bool = False) -> Piece:
        """Whether a person is in it."""
        parts = [self.piece(one, loose=loose) for one in segment.must]
        if segment.include:
            parts.append(either([self.piece(one, loose=loose) for one in segment.include]))
        nots = [self.piece(one) for one in segment.exclude]
        texts = [piece.holds[0] for piece in parts] + [f"NOT {piece.holds[0]}" for piece in nots]
        params = [value for piece in (*parts, *nots) for value in piece.holds[1]]
        return Piece((f"({' AND '.join(texts) or EVERYBODY[0]})", params))

    def asked_again(self, segment: Segment) -> Piece | None:
        """What is true of somebody of `people(loose=True)` only if mail goes to them through a list that is asked for;
        None where that is all said by their being on one of `lists_of`, which the count looks at anyway."""
        listed = self._parts_with_lists(segment)
        if not listed:
            return None
        [first, *others] = listed
        named = {key for one in first if one.kind == "list" for key in one.values}
        inside = any(one.kind == "segment" and self._asks_for_lists(one) for one in first)
        if not others and not inside and named.issuperset(self.lists_of(segment)):
            return None
        pieces = [either([self.piece(one) for one in part]) for part in listed]
        return Piece(
            (f"({' AND '.join(one.holds[0] for one in pieces)})", [value for one in pieces for value in one.holds[1]])
        )

    def _parts_with_lists(self, segment: Segment) -> list[tuple[Condition, ...]]:
        parts = [(one,) for one in segment.must] + ([segment.include] if segment.include else [])
        return [part for part in parts if any(self._asks_for_lists(one) for one in part)]

    def _asks_for_lists(self, one: Condition) -> bool:
        if one.kind == "segment":
            inner = [self.segment(key) for key in one.values]
            return any(self._asks_for_lists(each) for each_of in inner for each in (*each_of.include, *each_of.must))
        return one.kind == "list"

    def piece(self, one: Condition, *, loose: bool = False) -> Piece:
        """One condition."""
        if one.kind == "list":
            return self._list(one, loose=loose)
        if one.kind == "segment":
            inner = [self.segment(key) for key in one.values]
            if len(inner) == 1:  # its people can be listed, too
                return replace(
                    self.holds(inner[0], loose=loose), people=self.people(inner[0], loose=loose, inner=True), size=MANY
                )
            return either([self.holds(segment, loose=loose) for segment in inner])
        if one.kind == "shape":
            sql, params = areas.holders(one.shape)
            ids = sql.replace("holding.subscriber_id FROM", "holding.subscriber_id AS id FROM", 1)
            return Piece((_within(sql, "holding"), params), (ids, params), MANY // 2)
        made = {"got": self._got, "joined": self._joined}.get(one.kind, self._trait)(one)
        return not_true(made) if one.negated else made

    def _list(self, one: Condition, *, loose: bool) -> Piece:
        ids = [self.lists[key] for key in one.values if key in self.lists]
        if not ids:
            return Piece(NOBODY, NO_ONE, 0, is_list=True)
        asked = f"row.list_id IN ({_numbers(ids)})" + ("" if loose else f" AND {live('row')}")
        once = "DISTINCT " if len(ids) > 1 else ""
        rows = f"FROM audience_subscription AS row WHERE {asked}"
        holds = f"EXISTS (SELECT 1 {rows} AND row.subscriber_id = {{who}})"
        people = f"SELECT {once}row.subscriber_id AS id {rows}"
        return Piece((holds, []), (people, []), is_list=True, look_ups=len(ids))

    def _trait(self, one: Condition) -> Piece:
        """A tag, area, language or field, by the traits that it means; a long list of them is asked for by SQL."""
        ids = self._traits(one)
        if not ids:
            return Piece(NOBODY, NO_ONE, 0)
        within = f"IN ({_numbers(ids)})"
        once = "DISTINCT " if len(ids) > 1 and one.kind in ("area", "tag") else ""
        listed = f"SELECT {once}row.subscriber_id AS id FROM audience_holding AS row WHERE row.trait_id {within}"
        holds = _within(f"SELECT row.subscriber_id FROM audience_holding AS row WHERE row.trait_id {within}", "row")
        row = f"row.trait_id {within} AND row.subscriber_id = {{who}}"
        looked_up = f"EXISTS (SELECT 1 FROM audience_holding AS row WHERE {row})"
        if len(ids) <= FEW:
            holds = looked_up
        size = self._size(within)
        return Piece((holds, []), (listed, []), size, looked_up=(looked_up, []), look_ups=len(ids))

    def _traits(self, one: Condition) -> list[int]:
        key = _KEYS.get(one.kind, one.key)
        rows = Trait.objects.filter(key=key)
        if one.kind == "area":
            wanted = {inner for value in one.values for inner in areas.within(value, self.tree)}
            return sorted(pk for pk, value in rows.values_list("pk", "value") if value.casefold() in wanted)
        if one.values:
            # As `only` blocks compare: letter case and blanks at the ends do not count; `en` means en-GB, too.
            wanted = {value.strip().casefold() for value in one.values}
            languages = one.kind == "language"
            return sorted(
                pk
                for pk, value in rows.values_list("pk", "value")
                if value.strip().casefold() in wanted or (languages and value.split("-")[0].casefold() in wanted)
            )
        if one.low or one.high:
            number = self.known.fields.get(key) == "number"
            return sorted(
                pk for pk, value in rows.values_list("pk", "value") if _between(value, one.low, one.high, number)
            )
        return sorted(rows.values_list("pk", flat=True))

    def _size(self, within: str) -> int:
        most = MANY if dialect.is_sqlite() else MANY_ON_A_SERVER
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM audience_holding WHERE trait_id {within} LIMIT {most + 1}) AS few"
            )
            found = int(cursor.fetchone()[0])
        return found if found <= most else MANY + 1

    def _joined(self, one: Condition) -> Piece:
        parts: list[str] = []
        params: list[object] = []
        for sign, day in ((">=", one.low), ("<", one.high)):
            if day:
                midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(self.config.site.time_zone))
                parts.append(f"row.created {sign} %s")
                params.append(connection.ops.adapt_datetimefield_value(midnight))
        asked = " AND ".join(parts)
        return Piece(
            (f"EXISTS (SELECT 1 FROM audience_subscriber AS row WHERE row.id = {{who}} AND {asked})", params),
            (f"SELECT row.id FROM audience_subscriber AS row WHERE {asked}", params),
        )

    def _got(self, one: Condition) -> Piece:
        """By the ledger's rows; their package is to the right of this one, so they are named here in SQL alone."""
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(one.values))
            cursor.execute(f"SELECT id FROM sending_mailing WHERE slug IN ({marks})", list(one.values))
            ids = [pk for (pk,) in cursor.fetchall()]
        if not ids:
            return Piece(NOBODY, NO_ONE, 0)
        asked = f"row.mailing_id IN ({_numbers(ids)}) AND row.state IN ({GOT})"
        return Piece(
            (f"EXISTS (SELECT 1 FROM sending_delivery AS row WHERE row.subscriber_id = {{who}} AND {asked})", []),
            (
                f"SELECT DISTINCT row.subscriber_id AS id FROM sending_delivery AS row"
                f" WHERE row.subscriber_id IS NOT NULL AND {asked}",
                [],
            ),
        )


def array_sql(config: Config, keys: Sequence[str], who: str) -> Sql:
    """The JSON array of those of these segments in which a person is, whether or not they get mail through them."""
    compiler = Compiler(config)
    rows: list[str] = []
    params: list[object] = []
    for key in keys:
        holds, more = compiler.holds(compiler.segment(key)).of(who)
        rows.append(f"SELECT CAST(%s AS text) AS key WHERE {holds}")
        params += [key, *more]
    if not keys:
        return dialect.as_json("'[]'"), []
    listed = f"(SELECT {dialect.array_of('key')} FROM ({' UNION ALL '.join(rows)}) AS one)"
    return (listed if dialect.is_sqlite() else f"coalesce({listed}, '[]'::jsonb)"), params


def _between(value: str, low: str, high: str, number: bool) -> bool:
    if not number:
        return (not low or value >= low) and (not high or value <= high)
    try:
        return (not low or float(value) >= float(low)) and (not high or float(value) <= float(high))
    except ValueError:
        return False


def _within(people: str, table: str) -> str:
    """Whether a person is among these. PostgreSQL makes a join of EXISTS, but not of NOT IN, which it asks row by row
    where the people do not fit its memory; SQLite lists them once for IN, and would look each up for EXISTS. The + keeps
    it from the other way round: looking each of them up under every trait that it begins with."""
    if dialect.is_sqlite():
        return f"(+{{who}} IN ({people}))"
    return f"EXISTS ({people} AND {table}.subscriber_id = {{who}})"


def _numbers(ids: Sequence[int]) -> str:
    return ", ".join(str(int(one)) for one in ids)
