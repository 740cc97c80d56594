"""The people a sender holds, by mailbox provider: a provider that asks us to go slowly holds up nobody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import inf

from newsletter.sending.outbox import Leased
from newsletter.sending.pace import Pace


class Waiting:
    """Lanes of leased rows, one for each provider group, served in turn."""

    def __init__(self, group_of: Callable[[str], str] | None = None) -> None:
        self._group_of = group_of
        self._lanes: dict[str, deque[Leased]] = {}
        self._people = 0

    def __len__(self) -> int:
        return self._people

    def add(self, rows: Iterable[Leased]) -> None:
        """Rows that were leased now."""
        for row in rows:
            group = self._group_of(row.canonical.rpartition("@")[2]) if self._group_of else ""
            self._lanes.setdefault(group, deque()).append(row)
            self._people += 1

    def take(self, pace: Pace | None, now: float) -> tuple[Leased, str] | None:
        """The next row that may go now, with its group; None when there is none. Taking it counts for the pace."""
        for group in self._lanes:
            if pace is None or pace.may(group, now) <= 0.0:
                lane = self._lanes.pop(group)
                row = lane.popleft()
                self._people -= 1
                if lane:
                    self._lanes[group] = lane  # at the end: lanes take turns
                if pace:
                    pace.took(group, now)
                return row, group
        return None

    def soonest(self, pace: Pace | None, now: float) -> float:
        """Seconds until somebody here may go; inf when nobody waits or nobody may today."""
        if pace is None:
            return 0.0 if self._people else inf
        return min((pace.may(group, now) for group in self._lanes), default=inf)

    def slowed(self, pace: Pace, now: float, over: float) -> Iterator[tuple[Leased, str, float]]:
        """Take out everybody who has to wait for longer than `over` seconds: (row, group, seconds; inf = not today)."""
        for group in list(self._lanes):
            wait = pace.may(group, now)
            if wait > over:
                lane = self._lanes.pop(group)
                self._people -= len(lane)
                yield from ((row, group, wait) for row in lane)

    def empty(self) -> list[Leased]:
        """Everybody, taken out."""
        rows = [row for lane in self._lanes.values() for row in lane]
        self._lanes.clear()
        self._people = 0
        return rows
