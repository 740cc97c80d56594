"""Turns segments into SQL. Every name in it is ours and every value a parameter, so a segment can ask, never command.

Two forms of one question: `holds` says of a person whether they are in it, `people` lists those who are. Lists come
by the most selective condition first: of a million people a ward has 25,000, and only those are asked the rest.
"""

# ruff: noqa: S608 - see above: the pieces are constants, numbers of rows, and placeholders

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from newsletter.audience import areas, dialect
from newsletter.audience.dialect import live
from newsletter.audience.models import MailingList, Trait
from newsletter.audience.segments.chosen import Chosen, step_on
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

Group = tuple[Condition, ...]  # alternatives
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

    def groups(self, segment: Segment) -> tuple[list[Group], list[Condition]]:
        """What must be true of somebody in it: one condition of each group; and what must not. Another segment that
        must be true gives its own, so that they are asked and counted as if they stood here."""
        groups, without = [], list(segment.exclude)
        for group in (*((one,) for one in segment.must), *([segment.include] if segment.include else [])):
            if len(group) == 1 and group[0].kind == "segment" and len(group[0].values) == 1:
                inner, not_in_it = self.groups(self.segment(group[0].values[0]))
                groups += inner
                without += not_in_it
            else:
                groups.append(group)
        return groups, without

    def parts(self, segment: Segment, *, loose: bool = False) -> tuple[Pieces, Pieces]:
        """The same as pieces."""
        return self._pieces(*self.groups(segment), loose=loose)

    def _pieces(self, groups: list[Group], without: list[Condition], *, loose: bool) -> tuple[Pieces, Pieces]:
        musts, nots = [], [self.piece(one) for one in without]
        for group in groups:
            if len(group) == 1 and group[0].negated:  # of whom it is true can be listed; of whom it is not cannot
                nots.append(self.piece(replace(group[0], negated=False)))
            elif len(group) == 1:
                musts.append(self.piece(group[0], loose=loose))
            else:
                musts.append(either([self.piece(one, loose=loose) for one in group]))
        return musts, nots

    def chosen(self, segment: Segment) -> Chosen | None:
        """The segment ready to be counted by how near people are to mail; None where that takes a look at each."""
        groups, without = self.groups(segment)
        lists = tuple(self.lists[key] for key in self.lists_of(segment) if key in self.lists)
        listed = [group for group in groups if self._asks_for_lists(group)]
        musts, nots = self._pieces([one for one in groups if one not in listed], without, loose=True)
        if not listed:
            return Chosen(lists, False, musts, nots)
        beside = [one for group in listed for one in group if one.kind != "list"]
        if self._asks_for_lists(beside) or (beside and len(listed) > 1):
            return None
        named = [dict.fromkeys(key for one in group for key in one.values if one.kind == "list") for group in listed]
        if len(listed) == 1:  # being on one of its lists is asked for by Chosen
            other = either([self.piece(one) for one in beside]) if beside else None
            return Chosen(lists, True, musts, nots, other) if set(named[0]).issuperset(self.lists_of(segment)) else None
        each = tuple(tuple(self.lists[key] for key in keys if key in self.lists) for keys in named)
        for keys, ids in zip(named, each, strict=True):
            size = self._size("audience_subscription", f"list_id IN ({_numbers(ids) or '-1'})")
            musts.append(replace(self._list(Condition("list", tuple(keys)), loose=True), size=size))
        return Chosen(lists, True, musts, nots, each=each)

    def nearness(self, segment: Segment, who: str) -> list[Sql]:
        """How near a person of `people(loose=True)` is to mail by each group that asks for lists; the least of these
        and of the step by `lists_of` is theirs. Empty where that one says it all."""
        groups, _ = self.groups(segment)
        listed = [group for group in groups if self._asks_for_lists(group)]
        named = {key for group in listed for one in group if one.kind == "list" for key in one.values}
        alone = len(listed) == 1 and all(one.kind == "list" for one in listed[0])
        if alone and named.issuperset(self.lists_of(segment)):
            return []
        return [self._step_of(group, who) for group in listed]

    def _step_of(self, group: Sequence[Condition], who: str) -> Sql:
        return _joined(dialect.greatest, [self._step(one, who) for one in group])

    def _step(self, one: Condition, who: str) -> Sql:
        """By one condition: what is no list either brings mail or does not."""
        if one.kind == "list":
            return step_on([self.lists[key] for key in one.values if key in self.lists], who), []
        if not self._asks_for_lists([one]):
            holds, params = self.piece(one).of(who)
            return f"CASE WHEN {holds} THEN 4 ELSE 0 END", params
        steps = []
        for key in one.values:
            groups, without = self.groups(self.segment(key))
            texts = [self._step_of(group, who) for group in groups]
            nots = (self.piece(each).of(who) for each in without)
            texts += [(f"CASE WHEN {holds} THEN 0 ELSE 4 END", params) for holds, params in nots]
            steps.append(_joined(dialect.least, texts))
        return _joined(dialect.greatest, steps)

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

    def _asks_for_lists(self, group: Sequence[Condition]) -> bool:
        """Whether one of these conditions is about lists, by itself or by a segment that it asks for."""
        for one in group:
            if one.kind == "list":
                return True
            if one.kind == "segment":
                inner = [self.segment(key) for key in one.values]
                if any(self._asks_for_lists((*each.include, *each.must)) for each in inner):
                    return True
        return False

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
        size = self._size("audience_holding", f"trait_id {within}")
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

    def _size(self, table: str, within: str) -> int:
        most = MANY if dialect.is_sqlite() else MANY_ON_A_SERVER
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {within} LIMIT {most + 1}) AS few")
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


def _joined(how: Callable[[Sequence[str]], str], parts: Sequence[Sql]) -> Sql:
    return how([text for text, _ in parts]), [value for _, params in parts for value in params]


def _between(value: str, low: str, high: str, number: bool) -> bool:
    if not number:
        return (not low or value >= low) and (not high or value <= high)
    try:
        return (not low or float(value) >= float(low)) and (not high or float(value) <= float(high))
    except ValueError:
        return False


def _within(people: str, table: str) -> str:
    """Whether a person is among these. PostgreSQL makes a join of EXISTS, but not of NOT IN, which it asks row by row
    where the people do not fit its memory; SQLite lists them once for IN, and would look each up for EXISTS. The +
    keeps it from the other way round: looking each of them up under every trait that it begins with."""
    if dialect.is_sqlite():
        return f"(+{{who}} IN ({people}))"
    return f"EXISTS ({people} AND {table}.subscriber_id = {{who}})"


def _numbers(ids: Sequence[int]) -> str:
    return ", ".join(str(int(one)) for one in ids)
