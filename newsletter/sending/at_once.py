"""PostgreSQL: the answers and starts of one commit, and their tally, in one statement that is planned once."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from newsletter.sending import tally
from newsletter.sending.store import ENDED, Run, Store

if TYPE_CHECKING:
    from newsletter.sending.outbox import Leased, Result

# What each answer says by itself; and what many answers of one commit share: then it is sent and read once, not for
# each of them (with all thirteen columns a row, reading them was 3.4 us of a row's 10).
_OWN = ("bigint", "integer", "integer", "text", "text")
_MINE = ("bigint", "integer")
_SHARED = ("integer", "text", "text", "smallint", "integer", "text", "text", "text", "timestamptz", "text")


class AtOnce:
    """The one statement of a mailing and a worker. Each more would be a round trip for the whole group."""

    def __init__(self, store: Store, mailing: int, worker: str, gone: str) -> None:
        self.store = store
        self._whose = (mailing, mailing, worker)
        own, shared = (store.table(name, types, ())[0] for name, types in (("r", _OWN), ("k", _SHARED)))
        mine, _ = store.table("mine", _MINE, ())
        settle = (
            "UPDATE sending_delivery AS d SET state = k.column2, reason = k.column3,"
            " reply_code = k.column4, reply_text = r.column4, tries = d.tries + k.column5, relay = k.column6,"
            " provider = k.column7, proof = k.column8, remote_id = r.column5, due = k.column9, leased_until = NULL,"
            f" changed = {store.clock()} FROM {own} JOIN {shared} ON k.column1 = r.column3"
            " WHERE d.id = r.column1 AND d.attempt = r.column2 AND d.state = k.column10 RETURNING"
        )
        begin = (
            f"UPDATE sending_delivery AS d SET state = 'inflight', changed = {store.clock()}"
            f" FROM {mine} WHERE d.id = mine.column1 AND d.attempt = mine.column2 AND d.state = 'leased'"
            # Whether they have left was asked at the lease: while nobody else has written, it holds (3 us a person).
            f" AND ((SELECT {ENDED} = CAST(%s AS bigint)) OR NOT {gone})"
            " AND EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = %s AND m.state = 'sending') RETURNING"
        )
        tell = (
            "INSERT INTO sending_tally (mailing_id, worker, state, people) SELECT CAST(%s AS bigint), CAST(%s AS text),"
        )
        self._sql = (
            f"WITH kept AS ({settle} d.id, k.column10 AS before, d.state AS after), begun AS ({begin} d.id),"
            " moves (state, people) AS (SELECT before, -1 FROM kept UNION ALL SELECT after, 1 FROM kept"
            " UNION ALL SELECT 'leased', -1 FROM begun UNION ALL SELECT 'inflight', 1 FROM begun),"
            f" told AS ({tell} state, SUM(people) FROM moves GROUP BY state HAVING SUM(people) <> 0"
            f" ORDER BY state {tally.ADD}) SELECT ARRAY(SELECT id FROM begun), ARRAY(SELECT id FROM kept)"
        )

    def put(
        self, run: Run, starts: Sequence[Leased], results: Sequence[Result], held: Mapping[int, int]
    ) -> tuple[set[int], set[int]]:
        """As Outbox.write: the ids that may start, and those whose result was kept. `held`: Run.version at which it was
        asked whether a leased person has left."""
        kinds: dict[tuple[Any, ...], int] = {}
        own = []
        for one in results:
            said = one.told(one.due if one.state == "deferred" else None)
            shared = said[:3] + said[4:9] + said[11:]
            own.append((said[9], said[10], kinds.setdefault(shared, len(kinds)), said[3], one.remote_id[:200]))
        settled = {id_ for id_, *_ in own}
        mine = [(row.id, row.attempt) for row in starts if row.id not in settled]  # a row changes once a statement
        params = (
            *self.store.arrays(_OWN, own),
            *self.store.arrays(_SHARED, [(number, *shared) for shared, number in kinds.items()]),
            *self.store.arrays(_MINE, mine),
            self._ended(starts, held),
            *self._whose,
        )
        [(begun, kept)] = run.prepared(self._sql, params).fetchall()
        return set(begun), set(kept)

    def _ended(self, starts: Sequence[Leased], held: Mapping[int, int]) -> str:
        """How many transactions have ended if nobody but us has written since all of these were leased."""
        versions = {held.get(row.id, -1) for row in starts}
        version = versions.pop() if len(versions) == 1 else -1
        return str(version + self.store.own) if version >= 0 else "-1"
