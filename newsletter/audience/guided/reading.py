"""Reads rows of another service's export: who is taken becomes a person, who left there only a note of it."""

from __future__ import annotations

import re

from newsletter.audience.columns import Columns
from newsletter.audience.guided.past import Guide, Was
from newsletter.audience.people import People, Refused, Staged
from newsletter.audience.spreadsheet import Row, Table
from newsletter.audience.staged_past import Remembered
from newsletter.config import Config

_telephone = re.compile(r"\+?[\d ()./-]{6,}").fullmatch


class GuidedPeople(People):
    """People of an export. `remembered` grows with every row until somebody takes it away."""

    def __init__(
        self, table: Table, columns: Columns, config: Config, list_keys: tuple[str, ...], guide: Guide
    ) -> None:
        super().__init__(table, columns, config, list_keys)
        self.guide, self.on_lists = guide, guide.on_lists
        self.remembered: list[Remembered] = []
        self._row = Row(0, 0, [])

    def person(self, row: Row) -> Staged | None:
        """The row as a person; None for one who left or is gone there. Raises Refused."""
        given, known = row.cells, self._row
        past = self.guide.past(given)
        known.number, known.line, known.cells = row.number, row.line, self.guide.cells(given)
        if past.was > Was.PENDING:  # of them only the address and the lists count: nothing else may refuse the row
            kept = (self._email, self._lists_at)
            known.cells = [cell if place in kept else "" for place, cell in enumerate(known.cells)]
        if self._email < len(given) and _telephone(given[self._email].strip()):
            raise Refused(
                "telephone-number", self._email, "this is a telephone number", "Only e-mail is sent from here."
            )
        found = super().person(known)
        assert found is not None
        # As they are: the reasons that people type are theirs, and may hold anything.
        why = "".join(letter if letter.isprintable() else " " for letter in past.why)
        at = past.at
        self.remembered.append((row.number, found[0], found[2], found[8], int(past.was), at, why))
        return found if past.was <= Was.PENDING else None
