"""SQLite: the answers and starts of one commit, and their tally, row after row in the fewest statements."""

# ruff: noqa: S608 - the SQL is put together from constants of this file; every value is a parameter

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

from newsletter.sending import tally
from newsletter.sending.store import Run, Store

if TYPE_CHECKING:
    from newsletter.sending.outbox import Leased, Result


class RowByRow:
    """The statements of a mailing and a worker; at_once.AtOnce is the same for PostgreSQL."""

    def __init__(self, store: Store, mailing: int, worker: str, gone: str) -> None:
        self.store, self.mailing, self.worker = store, mailing, worker
        # One asking for all that a commit has to know: each statement more is 0.1 us a row at fifty of them.
        self._now = (
            f"SELECT {store.clock()}, EXISTS (SELECT 1 FROM sending_mailing WHERE id = %s AND state = 'sending')"
        )
        begin = "UPDATE sending_delivery AS d SET state = 'inflight', changed = %s WHERE"
        self._known = f"{begin} id = %s AND attempt = %s AND state = 'leased'"
        self._asked = f"{self._known} AND NOT {gone}"
        self._neighbours = f"{begin} id >= %s AND id <= %s AND attempt = %s AND state = 'leased'"

    def put(
        self, run: Run, starts: Sequence[Leased], results: Sequence[Result], held: Mapping[int, int]
    ) -> tuple[set[int], set[int]]:
        """As Outbox.write: the ids that may start, and those whose result was kept. `held`: Run.version at which it was
        asked whether a leased person has left."""
        [(now, sending)] = run.all(self._now, (self.mailing,))
        kept = self._settle(run, results, now) if results else set()
        begun = self._begin(run, starts, held, now) if starts and sending else set()
        written = results if len(kept) == len(results) else [one for one in results if one.row.id in kept]
        moves: Counter[str] = Counter(leased=-len(begun), inflight=len(begun))
        for (was_begun, state), people in Counter([(one.begun, one.state) for one in written]).items():
            moves["inflight" if was_begun else "leased"] -= people
            moves[state] += people
        run.each(tally.MOVE, tally.rows_of(self.mailing, self.worker, moves))
        return begun, kept

    def _begin(self, run: Run, starts: Sequence[Leased], held: Mapping[int, int], now: str) -> set[int]:
        # Whether they have left was asked when they were leased, and holds while nobody else has written anything:
        # then it is not asked again (2 us a person). Our own connection writes to the ledger alone.
        version, when = run.version(), held.get
        asked = [row for row in starts if when(row.id) != version]
        known = [row for row in starts if when(row.id) == version] if asked else starts
        begun: set[int] = set()
        for rows, sql in ((known, self._known), (asked, self._asked)):
            if rows and not (rows is known and self._begin_neighbours(run, known, now, begun)):
                done = run.each(sql, [(now, id_, attempt) for id_, attempt, *_ in rows])
                begun.update(compress([row.id for row in rows], done))
        return begun

    def _begin_neighbours(self, run: Run, rows: Sequence[Leased], now: str, begun: set[int]) -> bool:
        """All of them by one UPDATE where nobody else's id lies between theirs: half of what row by row costs."""
        ids, attempts = {row.id for row in rows}, {row.attempt for row in rows}
        first, last = min(ids), max(ids)
        if run.singly or last - first + 1 != len(rows) or len(attempts) > 1:
            return False
        run.whole(self._neighbours, (now, first, last, *attempts), len(rows))
        begun |= ids
        return True

    def _settle(self, run: Run, results: Sequence[Result], now: str) -> set[int]:
        kept: set[int] = set()
        # `due` and `remote_id` have indexes, so they are written for those who have one and for nobody else.
        kinds: dict[str, list[Result]] = {}
        for one in results:
            column = "due" if one.state == "deferred" else "remote_id" if one.remote_id else ""
            kinds.setdefault(column, []).append(one)
        for column, rows in kinds.items():
            own = f"{column} = %s, " if column else ""
            done = run.each(
                f"UPDATE sending_delivery SET {own}state = %s, reason = %s, reply_code = %s, reply_text = %s,"
                " tries = tries + %s, relay = %s, provider = %s, proof = %s, leased_until = NULL,"
                " changed = %s WHERE id = %s AND attempt = %s AND state = %s",
                [(self._indexed(column, one), *one.told(now)) for one in rows]
                if column
                else [one.told(now) for one in rows],
            )
            kept.update(compress([one.row.id for one in rows], done))
        return kept

    def _indexed(self, column: str, one: Result) -> Any:
        """The value of the column that only some results have."""
        if column == "due":
            return self.store.time(one.due) if one.due else None
        return one.remote_id[:200]
