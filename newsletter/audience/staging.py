"""The import's workbench: rows wait in a temporary table until they are compared with the people already known.

Why a table and not a dict: memory stays flat at a million rows, the preview is exact, what was previewed is what is
imported (the file may change meanwhile), and the changes are made by a few statements instead of a million.
Sorting first makes every index grow at its end: 3.5 instead of 15 CPU us a row for the unsorted unique index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from newsletter.audience import dialect, naming, staged_states, staged_traits
from newsletter.audience.people import Staged

BATCH = 10_000  # people per transaction: 0.1 s under the write lock, so that sending and pages go on meanwhile
LOCK = 0x696D706F7274  # "import": PostgreSQL's advisory lock, so that one import at a time compares and writes
CACHE = "-16000"  # KiB; two caches (file and temporary) beside 50 MiB of Python and Django

COLUMNS = "canonical, row, address, name, first_name, last_name, language, attributes, lists, worked_out"
_TYPED = """canonical {text}, row {number}, address {text}, name {text}, first_name {text}, last_name {text},
    language {text}, attributes {json}, lists {number}, worked_out {number}"""
_TABLES = f"""
    CREATE TEMP TABLE import_read ({_TYPED});
    CREATE TEMP TABLE import_person (place {{counted}}, verdict TEXT NOT NULL DEFAULT '', {_TYPED});
    CREATE TEMP TABLE import_list (list_id {{key}}, key TEXT NOT NULL, bit BIGINT NOT NULL);
    CREATE TEMP TABLE import_refused (row BIGINT, problem TEXT, cells TEXT);
    CREATE TEMP TABLE import_erased (canonical TEXT PRIMARY KEY, hash TEXT NOT NULL);
    CREATE TEMP TABLE import_state (canonical TEXT PRIMARY KEY, state TEXT NOT NULL, rank INTEGER, at {{time}});
    CREATE TEMP TABLE import_fact (subscriber_id BIGINT, key TEXT, value TEXT)
"""

# One verdict per person, top down. A person whose every named list was left is left out altogether; a suppressed one
# too: an import can never resurrect anybody (threat T20).
_CLASSIFY = """
    UPDATE import_person SET verdict = CASE
        WHEN EXISTS (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = import_person.canonical)
            OR EXISTS (SELECT 1 FROM import_erased AS gone WHERE gone.canonical = import_person.canonical)
            THEN 'suppressed'
        WHEN EXISTS (SELECT 1 FROM import_state AS theirs WHERE theirs.canonical = import_person.canonical AND rank > 1)
            THEN 'departed'
        ELSE coalesce((
            SELECT CASE
                WHEN count(wish.bit) > 0 AND count(wish.bit) = count(*) FILTER (WHERE old.state = 'left') THEN 'left'
                WHEN count(wish.bit) > count(old.id)
                    OR (import_person.name <> '' AND import_person.name <> known.name)
                    OR (import_person.first_name <> '' AND import_person.first_name <> known.first_name
                        AND import_person.worked_out = 0)
                    OR (import_person.last_name <> '' AND import_person.last_name <> known.last_name)
                    OR (import_person.language <> '' AND import_person.language <> known.language)
                    OR (import_person.attributes <> '{}' AND import_person.attributes <> known.attributes AND
                        {merged} <> {merged_nothing})
                THEN 'updated' ELSE 'unchanged' END
            FROM audience_subscriber AS known
            LEFT JOIN import_list AS wish ON (wish.bit & import_person.lists) <> 0
            LEFT JOIN audience_subscription AS old ON old.list_id = wish.list_id AND old.subscriber_id = known.id
            WHERE known.canonical = import_person.canonical GROUP BY known.id
        ), 'new') END
    WHERE place > %s AND place <= %s
"""

# The proof comes before the subscription: it is written for exactly the subscriptions that the next statement adds.
_APPLY = (
    """
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT canonical, address, name, first_name, last_name, language, attributes, %(now)s
    FROM import_person WHERE place > %(low)s AND place <= %(high)s AND verdict = 'new' ORDER BY place
    ON CONFLICT (canonical) DO NOTHING
    """,
    """
    UPDATE audience_subscriber AS known SET
        name = coalesce(nullif(wish.name, ''), known.name),
        first_name = CASE WHEN wish.worked_out = 0 THEN coalesce(nullif(wish.first_name, ''), known.first_name)
            WHEN wish.name IN ('', known.name) THEN known.first_name ELSE wish.first_name END,
        last_name = coalesce(nullif(wish.last_name, ''), known.last_name),
        language = coalesce(nullif(wish.language, ''), known.language),
        attributes = {merged}
    FROM import_person AS wish
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'updated'
        AND known.canonical = wish.canonical
    """,
    """
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, list.key, {event}, 'import', %(wording)s, %(why)s, '', {at}, %(now)s
    FROM import_person AS wish CROSS JOIN import_list AS list
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND (list.bit & wish.lists) <> 0 AND (wish.verdict = 'new'
        OR (wish.verdict = 'updated' AND NOT EXISTS (
            SELECT 1 FROM audience_subscription AS old JOIN audience_subscriber AS known ON known.id = old.subscriber_id
            WHERE known.canonical = wish.canonical AND old.list_id = list.list_id)))
    """,
    """
    INSERT INTO audience_subscription (subscriber_id, list_id, state, changed)
    SELECT known.id, list.list_id, {state}, {at}
    FROM import_person AS wish CROSS JOIN audience_subscriber AS known CROSS JOIN import_list AS list
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND known.canonical = wish.canonical
        AND (list.bit & wish.lists) <> 0
        AND wish.verdict IN ('new', 'updated')
    ON CONFLICT DO NOTHING
    """,
)

# What a plain import writes for these words of _APPLY, and what one does that knows of another service.
_PLAIN = {"{event}": "'joined'", "{state}": "'confirmed'", "{at}": "%(now)s"}
_PENDING = "EXISTS (SELECT 1 FROM import_state AS t WHERE t.canonical = wish.canonical AND t.state = 'pending')"
_THEIRS = {
    "{event}": f"CASE WHEN {_PENDING} THEN 'asked' ELSE 'joined' END",
    "{state}": f"CASE WHEN {_PENDING} THEN 'pending' ELSE 'confirmed' END",
    "{at}": "coalesce((SELECT t.at FROM import_state AS t WHERE t.canonical = wish.canonical), %(now)s)",
}

# No area is given for a person, but a postcode that we know.
_PLACE = {
    "sqlite": """
        UPDATE import_person SET attributes = json_set(attributes, '$.areas', json_array(area.key))
        FROM audience_postcode AS code JOIN audience_area AS area ON area.id = code.area_id
        WHERE code.code = json_extract(import_person.attributes, '$.postcode')
            AND json_extract(import_person.attributes, '$.areas') IS NULL
            AND NOT EXISTS (SELECT 1 FROM audience_subscriber AS known
                WHERE known.canonical = import_person.canonical
                AND json_extract(known.attributes, '$.postcode') = code.code
                AND json_extract(known.attributes, '$.areas') IS NOT NULL)
    """,
    "postgresql": """
        UPDATE import_person SET attributes = attributes || jsonb_build_object('areas', jsonb_build_array(area.key))
        FROM audience_postcode AS code JOIN audience_area AS area ON area.id = code.area_id
        WHERE code.code = import_person.attributes ->> 'postcode' AND import_person.attributes -> 'areas' IS NULL
            AND NOT EXISTS (SELECT 1 FROM audience_subscriber AS known
                WHERE known.canonical = import_person.canonical
                AND known.attributes ->> 'postcode' = code.code AND known.attributes -> 'areas' IS NOT NULL)
    """,
}


def joined(rows: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    """One row out of several for one address, in the file's order: a later cell wins unless it is empty, lists add up.

    That is what importing them one after the other would do. Shape: place, then COLUMNS.
    """
    first, *more = rows
    person = list(first)
    for row in more:
        if not row[10]:
            person[5], person[10] = row[5] or person[5], 0
        elif person[10] and row[4]:
            person[5] = row[5]  # the first name, or none, of the name that wins
        for column in (4, 6, 7):  # name, last_name, language
            person[column] = row[column] or person[column]
        if row[8] != "{}":
            facts = {**json.loads(person[8]), **json.loads(row[8])}
            person[8] = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        person[9] |= row[9]
    return tuple(person)


class Stage:
    """The temporary tables of one import, on this thread's connection; the last one opened is the one that counts."""

    def __init__(self) -> None:
        from django.db import connection

        self.connection = connection
        self.size = 0
        self._theirs = False  # whether the file is another service's export
        self.drop()  # what an import before this one in the same process left
        for statement in _TABLES.format(**dialect.column_types()).split(";"):
            self._execute(statement)
        if dialect.is_sqlite():
            for pragma in (f"cache_size={CACHE}", f"temp.cache_size={CACHE}", "temp.journal_mode=OFF"):
                self._execute(f"PRAGMA {pragma}")

    def add(self, people: list[Staged]) -> None:
        """Append rows as they are read. BEGIN without IMMEDIATE: temporary tables need no lock on the real file."""
        with self.connection.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                dialect.load(cursor, "import_read", COLUMNS, people)
            finally:
                cursor.execute("COMMIT")

    def refuse(self, rows: list[tuple[int, str, str]]) -> None:
        """Keep refused rows (row number, reason, JSON of the cells) for the file that can be mended."""
        if rows:
            with self.connection.cursor() as cursor:
                cursor.execute("BEGIN")
                try:
                    dialect.load(cursor, "import_refused", "row, problem, cells", rows)
                finally:
                    cursor.execute("COMMIT")

    def states(self, rows: list[tuple[str, str, int, datetime | None]]) -> None:
        """Note what became of people at another service: address, state, its rank (the highest counts), and when."""
        self._theirs = True
        adapt = self.connection.ops.adapt_datetimefield_value
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO import_state VALUES (%s, %s, %s, %s) ON CONFLICT (canonical) DO UPDATE SET "
                "state = excluded.state, rank = excluded.rank, at = excluded.at "
                "WHERE excluded.rank >= import_state.rank",
                [(canonical, state, rank, adapt(at) if at else None) for canonical, state, rank, at in rows],
            )

    def departed(self) -> dict[str, int]:
        """People who are not taken as subscribers because of what became of them at the other service."""
        return staged_states.by_state(self._fetch)

    def departing(self) -> tuple[int, int]:
        """For how many of those something changes here, and how many of them are on a list now."""
        return staged_states.differing(self._fetch, 0, self.size) if self._theirs else (0, 0)

    def sort(self) -> tuple[int, list[tuple[int, int, str]]]:
        """Sort by address and join repeated addresses into one person, later rows over earlier, cell by cell.

        Returns how many rows were joined into others, and the first five as (row, first row, address).
        """
        self._execute(
            f"INSERT INTO import_person ({COLUMNS}) SELECT {COLUMNS} FROM import_read ORDER BY canonical, row"  # noqa: S608
        )
        self._execute("DROP TABLE import_read")
        again = self._fetch(
            "SELECT later.row, earlier.row, later.address FROM import_person AS earlier JOIN import_person AS later "
            "ON later.place = earlier.place + 1 WHERE later.canonical = earlier.canonical ORDER BY later.row LIMIT 5"
        )
        self.size = self._fetch("SELECT coalesce(max(place), 0) FROM import_person")[0][0]
        if again:
            self._join_repeated()
        self._place_by_postcode()  # afterwards: the area may stand in another row of the same person
        return self.size - self._fetch("SELECT count(*) FROM import_person")[0][0], again

    def name_lists(self, keys: Iterable[str], *, make: bool) -> None:
        """Tell the stage what each bit means. A list without a record yet is made only when `make` is set."""
        from django.db import transaction

        from newsletter.audience.models import MailingList

        self._execute("DELETE FROM import_list")
        for place, key in enumerate(keys):
            if make:
                known: int | None = MailingList.objects.get_or_create(key=key)[0].pk  # another import may be at it too
            else:
                known = MailingList.objects.filter(key=key).values_list("id", flat=True).first()
            # A negative id stands for "not made yet": nobody can be on it.
            self._execute("INSERT INTO import_list VALUES (%s, %s, %s)", [known or -place - 1, key, 1 << place])
        if not dialect.is_sqlite():
            # Nobody else counts temporary tables, and without numbers the comparison reads all people for each person.
            self._execute("ANALYZE import_person, import_list")
            with transaction.atomic():  # alone: see _count_afresh
                self._execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                self._execute("ANALYZE audience_subscriber, audience_subscription")

    def classify(self, low: int = 0, high: int | None = None) -> dict[str, int]:
        """Compare people (of these places) with those known; returns people by verdict."""
        high = self.size if high is None else high
        self._find_erased(low, high)
        merged = dialect.merged("known.attributes", "import_person.attributes")
        nothing = dialect.merged("known.attributes", "'{}'")  # the same spelling of what is known, for comparing
        self._execute(
            _CLASSIFY.replace("{merged}", merged).replace("{merged_nothing}", nothing),
            [low, high],
        )
        return self.verdicts(low, high)

    def verdicts(self, low: int = 0, high: int | None = None) -> dict[str, int]:
        """People by verdict, as last found."""
        counted = "SELECT verdict, count(*) FROM import_person WHERE place > %s AND place <= %s GROUP BY verdict"
        return dict(self._fetch(counted, [low, self.size if high is None else high]))

    def apply(self, low: int, high: int, now: datetime, wording: int | None, why: str) -> dict[str, int]:
        """Make the changes for these places in one transaction: person, proof and subscription together or not at all.

        The verdicts are found anew inside the transaction: somebody may have left since the preview.
        """
        from django.db import transaction

        values = {"low": low, "high": high, "wording": wording, "why": why}
        values["now"] = self.connection.ops.adapt_datetimefield_value(now)
        with transaction.atomic():
            if not dialect.is_sqlite():  # SQLite has one writer anyway; pages and senders are not kept waiting
                self._execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                self._count_afresh()
                if high < self.size:  # the last batch waits for the disk, and with it for all before it
                    self._execute("SET LOCAL synchronous_commit TO off")
            counts = self.classify(low, high)
            if counts.keys() & {"new", "updated"}:
                merged = dialect.merged("known.attributes", "wish.attributes")
                if "updated" in counts:
                    self._keep_told_first_names(low, high)
                    staged_traits.forget(self._execute, low, high)
                words = {"{merged}": merged, **(_THEIRS if self._theirs else _PLAIN)}
                for statement in _APPLY:
                    for word, sql in words.items():
                        statement = statement.replace(word, sql)
                    self._execute(statement, values)
                staged_traits.keep(self._execute, low, high)
            if "departed" in counts:
                staged_states.keep(self._execute, values)
        return counts

    def batches(self) -> Iterator[tuple[int, int]]:
        """The places of one transaction after the other."""
        return ((low, min(low + BATCH, self.size)) for low in range(0, self.size, BATCH))

    def suppressed(self) -> dict[str, int]:
        """People left out because of a suppression, by its reason."""
        return dict(
            self._fetch(
                "SELECT coalesce(never.reason, 'erased'), count(*) FROM import_person AS wish "
                "LEFT JOIN audience_suppression AS never ON never.canonical = wish.canonical "
                "WHERE wish.verdict = 'suppressed' GROUP BY 1"
            )
        )

    def stay_off(self) -> int:
        """People who are taken, but stay off at least one list that they left."""
        return int(
            self._fetch(
                "SELECT count(DISTINCT wish.place) FROM import_person AS wish "
                "CROSS JOIN audience_subscriber AS known "
                "JOIN audience_subscription AS old ON old.subscriber_id = known.id AND old.state = 'left' "
                "JOIN import_list AS list ON list.list_id = old.list_id AND (list.bit & wish.lists) <> 0 "
                "WHERE known.canonical = wish.canonical AND wish.verdict IN ('updated', 'unchanged')"
            )[0][0]
        )

    def first_people(self, count: int) -> list[tuple[Any, ...]]:
        """The first people in the file's order: address, name, first_name, last_name, language, attributes, verdict,
        and why, where they are not taken: the suppression's reason, or what staged_states.FATE says."""
        return self._fetch(
            "SELECT wish.address, wish.name, CASE WHEN wish.worked_out = 1 AND (known.name = wish.name "  # noqa: S608
            "OR (known.name = '' AND known.first_name <> '')) THEN known.first_name ELSE wish.first_name END, "
            "wish.last_name, wish.language, wish.attributes, wish.verdict, CASE wish.verdict "
            f"WHEN 'departed' THEN {staged_states.FATE} WHEN 'suppressed' THEN coalesce(never.reason, 'erased') "
            "ELSE '' END FROM (SELECT * FROM import_person ORDER BY row LIMIT %s) AS wish "
            "LEFT JOIN audience_subscriber AS known ON known.canonical = wish.canonical "
            "LEFT JOIN audience_suppression AS never ON never.canonical = wish.canonical "
            "ORDER BY wish.row",
            [count],
        )

    def refused(self) -> Iterator[tuple[int, str, str]]:
        with self.connection.chunked_cursor() as cursor:
            cursor.execute("SELECT row, problem, cells FROM import_refused ORDER BY row")
            while rows := cursor.fetchmany(1000):
                yield from rows

    def drop(self) -> None:
        """Give the temporary space back."""
        for table in ("read", "person", "list", "refused", "erased", "fact", "state"):
            self._execute(f"DROP TABLE IF EXISTS {dialect.temporary('import_' + table)}")

    def _place_by_postcode(self) -> None:
        """Give people with a postcode and no area the area of that postcode, where the table of postcodes knows it.

        Whoever is known here with that very postcode keeps the areas they have: somebody may have corrected them.
        """
        if self._fetch("SELECT 1 FROM audience_postcode WHERE area_id IS NOT NULL LIMIT 1"):
            self._execute(_PLACE[self.connection.vendor])

    def _keep_told_first_names(self, low: int, high: int) -> None:
        """Where a name is new here, the first name follows it only if it was worked out from the old one: a first name
        that somebody told us stays, as in facts.put."""
        people = self._fetch(
            "SELECT wish.place, known.name, known.first_name FROM import_person AS wish "
            "JOIN audience_subscriber AS known ON known.canonical = wish.canonical "
            "WHERE wish.place > %s AND wish.place <= %s AND wish.verdict = 'updated' AND wish.worked_out = 1 "
            "AND known.first_name <> '' AND wish.name NOT IN ('', known.name)",
            [low, high],
        )
        for place, name, first in people:
            if naming.first_of(name) != first:
                self._execute("UPDATE import_person SET first_name = %s WHERE place = %s", [first, place])

    def _find_erased(self, low: int, high: int) -> None:
        """Note who of these was erased: only a keyed hash of their address is left, which SQL cannot work out."""
        from newsletter.audience import never

        erased = never.Erased()  # anew each time: somebody may have been erased since the preview
        for start in range(low, high if len(erased) else low, BATCH):
            people = self._fetch(
                "SELECT canonical FROM import_person WHERE place > %s AND place <= %s",
                [start, min(start + BATCH, high)],
            )
            for canonical, name in erased.among(one for (one,) in people).items():
                self._execute("INSERT INTO import_erased VALUES (%s, %s) ON CONFLICT DO NOTHING", [canonical, name])

    def _join_repeated(self) -> None:
        """Replace the rows of a repeated address by one; they stream through, however many they are."""
        self._execute(
            "CREATE TEMP TABLE import_again AS SELECT * FROM import_person WHERE place IN ("
            "SELECT place + step FROM (SELECT earlier.place FROM import_person AS earlier JOIN import_person AS later "
            "ON later.place = earlier.place + 1 WHERE later.canonical = earlier.canonical) AS same, "
            "(SELECT 0 AS step UNION SELECT 1) AS both_of_them)"
        )
        self._execute("DELETE FROM import_person WHERE place IN (SELECT place FROM import_again)")
        with self.connection.chunked_cursor() as source, self.connection.cursor() as target:
            source.execute(f"SELECT place, {COLUMNS} FROM import_again ORDER BY place")  # noqa: S608
            people = groupby(iter(source.fetchone, None), key=lambda row: row[1])
            once = (joined(rows) for _, rows in people)
            while batch := list(islice(once, BATCH)):  # read before it is written: both go over one connection
                dialect.load(target, "import_person", f"place, {COLUMNS}", batch)
        self._execute("DROP TABLE import_again")

    def _count_afresh(self) -> None:
        """Count people again where PostgreSQL believes that there are next to none; needs LOCK.

        An ANALYZE that runs while another import's first people are not yet committed sees their pages and no rows.
        Believing it, each of our statements reads all people for each person: 218 s for 25,000, where two imports of
        them at once end within 2.4 s.
        """
        from newsletter.audience.models import Subscriber, Subscription

        tables = [model._meta.db_table for model in (Subscriber, Subscription)]
        if self._fetch("SELECT 1 FROM pg_class WHERE relname = ANY(%s) AND reltuples < relpages", [tables]):
            self._execute(f"ANALYZE {', '.join(tables)}")

    def _execute(self, statement: str, values: Any = ()) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)

    def _fetch(self, statement: str, values: Any = ()) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
