"""The numbers of a mailing, kept by difference: read in a moment, however many people there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from newsletter.sending.models import STATES, Tally

Run = Callable[[str, Sequence[Any]], Any]
ADD = "ON CONFLICT (mailing_id, worker, state) DO UPDATE SET people = sending_tally.people + EXCLUDED.people"
MOVE = f"INSERT INTO sending_tally (mailing_id, worker, state, people) VALUES (%s, %s, %s, %s) {ADD}"  # noqa: S608 (constants)


def moved(cursor: Any, mailing: int, worker: str, differences: Mapping[str, int]) -> None:
    """Write how many people came into (+) and left (-) each state, in the transaction that moves them.

    Sorted, so that two transactions of one worker name cannot wait for each other crosswise.
    """
    moved_by(cursor.execute, mailing, worker, differences)


def moved_by(
    run: Callable[[str, Sequence[Any]], Any], mailing: int, worker: str, differences: Mapping[str, int]
) -> None:
    """The same, with whatever runs a statement."""
    for row in rows_of(mailing, worker, differences):
        run(MOVE, row)


def rows_of(mailing: int, worker: str, differences: Mapping[str, int]) -> list[list[Any]]:
    """The parameters of MOVE, one row for each state that changes, in the order in which rows are locked."""
    return [[mailing, worker, str(state), people] for state, people in sorted(differences.items()) if people]


def counts(mailing: int) -> dict[str, int]:
    """How many people are in each of the ten states; their sum is `frozen` (law L1)."""
    found = dict.fromkeys(STATES, 0)
    for state, people in Tally.objects.filter(mailing=mailing).values_list("state", "people"):
        found[state] += people
    return found
