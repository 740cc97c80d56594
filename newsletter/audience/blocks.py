"""Counts the people who would see each `only` block, so that a block for nobody or for everybody is noticed in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from newsletter.audience import areas, dialect, selecting
from newsletter.audience.areas import blocks as area_blocks
from newsletter.config import Config
from newsletter.content.model import Issue, Node, Only
from newsletter.problems import Problem, Severity, did_you_mean
from newsletter.rendering import finding_places, merge

MOST_VERSIONS = 64  # more than anybody can look at
MOST_CONDITIONS = 200  # an issue with more is told by the number of its blocks; SQLite takes 2,000 columns
_COLUMNS = {"email": "address", "name": "name", "first_name": "first_name", "last_name": "last_name"}
_COLUMNS["language"] = "language"
_LISTS = {"area": "areas", "tag": "tags"}
Terms = tuple[tuple[str, tuple[str, ...]], ...]
Around = tuple[tuple[Terms, bool], ...]  # the blocks around one, itself last: what each asks for, and if it is negated


def check(config: Config, list_keys: Sequence[str], issue: Issue) -> list[Problem]:
    """Blocks shown to nobody or to everybody they could reach, values that no person has, and too many versions.

    One pass over the people of these lists; a block within a block is held against the people of the outer one.
    """
    blocks = list(_blocks(issue.nodes, ()))
    if any(key == "area" for node, _ in blocks for key, _ in node.terms):
        every = areas.known()
        blocks = [(node, tuple((_wide(terms, every), no) for terms, no in around)) for node, around in blocks]
    conditions = list(dict.fromkeys(terms for _, around in blocks for terms, _ in around))
    if not 0 < len(conditions) <= MOST_CONDITIONS:
        return []
    known = {key: _known(config, key) for node, _ in blocks for key, _ in node.terms}
    versions = _versions(config, list_keys, conditions, known)
    found = [problem for node, _ in blocks for problem in _unknown_values(issue, node, known)]
    told = {(problem.where.file, problem.where.line) for problem in found if problem.where}
    for node, around in blocks:
        if (node.file, node.line) in told:
            continue
        before = sum(_seen_by(versions, conditions, around[:-1]))
        seen = sum(_seen_by(versions, conditions, around))
        where = finding_places.where(issue, f":::{'except' if node.negated else 'only'}", node.line, node.file)
        if before and seen == before:
            hint = "Take the block's two lines away, or ask for fewer people."
            message = f"This block is shown to everybody: all {before:,} people"
            found.append(Problem("block-for-everybody", message, hint, where, Severity.WARNING, affected=seen))
        elif before and not seen:
            hint = "Look at the values it asks for, and at the lists of the audience."
            message = f"This block is shown to nobody of {before:,} people"
            found.append(Problem("block-for-nobody", message, hint, where, Severity.WARNING, affected=0))
    if len(versions) > MOST_VERSIONS:
        people = sum(count for _, count in versions)
        message = f"{people:,} people get {len(versions):,} different versions"
        hint = "Look at the main ones: newsletter preview --as EMAIL"
        where = finding_places.where(issue, "", 0, issue.file)
        found.append(Problem("many-versions", message, hint, where, Severity.WARNING, affected=people))
    return found


def _wide(terms: Terms, every: dict[str, areas.Known]) -> Terms:
    """As area_blocks.widened: an area means all areas within it."""
    return tuple((key, area_blocks.meant(values, every) if key == "area" else values) for key, values in terms)


def _blocks(nodes: Sequence[Node], around: Around) -> Iterator[tuple[Only, Around]]:
    for node in nodes:
        if isinstance(node, Only):
            yield node, (*around, (node.terms, node.negated))
            yield from _blocks(node.children, (*around, (node.terms, node.negated)))
            yield from _blocks(node.otherwise, (*around, (node.terms, not node.negated)))
        else:
            yield from _blocks((*getattr(node, "columns", ()), *getattr(node, "children", ())), around)


def _known(config: Config, key: str) -> list[str]:
    """Every value of a field that anybody here has, as it is stored."""
    from django.db import connection

    if key == "list":
        return list(config.lists)
    if key == "segment":
        from newsletter.audience.models import Segment

        return list(Segment.objects.order_by("key").values_list("key", flat=True))
    if key in _LISTS:
        several = dialect.each(dialect.fact("person.attributes"), "one")
        sql = f"SELECT DISTINCT one.value FROM audience_subscriber AS person, {several}"  # noqa: S608
        parameters = [_path(key)]
    elif key in _COLUMNS:
        sql, parameters = f"SELECT DISTINCT {_COLUMNS[key]} FROM audience_subscriber", []  # noqa: S608 (of _COLUMNS)
    else:
        sql = f"SELECT DISTINCT {dialect.fact_text('attributes')} FROM audience_subscriber"  # noqa: S608
        parameters = [_path(key)]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [str(value) for (value,) in cursor.fetchall() if value not in (None, "")]


def _unknown_values(issue: Issue, node: Only, known: dict[str, list[str]]) -> Iterator[Problem]:
    for key, values in node.terms:
        for value in values if key not in ("list", "segment") else ():
            wide = area_blocks.meant((value,), areas.known()) if key == "area" else (value,)
            if not any(_meant(one, known[key]) for one in wide):
                hint = _nearest(key, value, known[key]) or "Look at what people have: newsletter recipients list"
                where = finding_places.where(issue, value, node.line, node.file)
                message = f"No person has ‘{value}’ as their {key}"
                yield Problem("unknown-value", message, hint, where, Severity.WARNING, affected=0)


def _nearest(key: str, value: str, known: list[str]) -> str:
    from newsletter.audience.segments import unheard

    # Names and addresses are no traits: of those the nearest spelling must do, however few people have it.
    counted = key == "language" or key not in _COLUMNS
    return unheard.nearest(_LISTS.get(key, key), value) if counted else did_you_mean(value, known)


def _meant(value: str, known: Sequence[str]) -> list[str]:
    """The stored spellings that a value of the issue means: letter case and blanks at the ends do not count."""
    return [one for one in known if merge.folded(one) == merge.folded(value)]


def _versions(
    config: Config, list_keys: Sequence[str], conditions: Sequence[Terms], known: dict[str, list[str]]
) -> list[tuple[tuple[bool, ...], int]]:
    """Which of the conditions hold together, and for how many people: one row for each version of the mail.

    People are first counted by their values, of which there are few, so that no condition is tried on each of them.
    """
    from django.db import connection

    people, chosen = selecting.sql(config, selecting.known(config, list_keys))
    values: list[str] = []
    paths: list[object] = []
    for number, key in enumerate(known):
        if key == "list" or key in _COLUMNS:
            values.append(f"person.{_COLUMNS.get(key, 'lists')} AS value{number}")
        elif key == "segment":
            from newsletter.audience.segments import compiling

            asked = {one for terms in conditions for name, wanted in terms if name == key for one in wanted}
            array, more = compiling.array_sql(config, sorted(asked & set(known[key])), "person.subscriber_id")
            values.append(f"{array} AS value{number}")
            paths += [*more]
        else:
            value = dialect.fact if key in _LISTS else dialect.fact_text
            values.append(f"{value('person.attributes')} AS value{number}")
            paths.append(_path(key))
    columns: list[str] = []
    spellings: list[Any] = []
    for terms in conditions:
        parts = []
        for key, wanted in terms:
            place = f"value{list(known).index(key)}"
            meant = [one for value in wanted for one in _meant(value, known[key])]
            marks = ", ".join(["%s"] * len(meant)) or "NULL"
            several = f"EXISTS (SELECT 1 FROM {dialect.each(place, 'one')} WHERE one.value IN ({marks}))"  # noqa: S608
            parts.append(
                several if key in _LISTS or key in ("list", "segment") else f"coalesce({place} IN ({marks}), FALSE)"
            )
            spellings += meant
        columns.append(" AND ".join(parts))
    groups = ", ".join(str(number + 1) for number in range(len(values)))
    inner = f"SELECT {', '.join(values)}, count(*) AS people FROM ({people}) AS person GROUP BY {groups}"  # noqa: S608
    groups = ", ".join(str(number + 1) for number in range(len(columns)))
    sql = f"SELECT {', '.join(columns)}, sum(people) FROM ({inner}) AS person GROUP BY {groups}"  # noqa: S608
    with connection.cursor() as cursor:
        parameters: list[Any] = [*spellings, *paths, *chosen]
        cursor.execute(sql, parameters)
        return [(tuple(map(bool, row[:-1])), int(row[-1])) for row in cursor.fetchall()]


def _seen_by(
    versions: Sequence[tuple[tuple[bool, ...], int]], conditions: Sequence[Terms], around: Around
) -> Iterator[int]:
    wanted = [(conditions.index(terms), negated) for terms, negated in around]
    for truths, count in versions:
        if all(truths[number] is not negated for number, negated in wanted):
            yield count


def _path(key: str) -> str:
    return dialect.key(_LISTS.get(key, key))
