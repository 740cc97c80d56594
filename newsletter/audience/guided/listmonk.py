"""listmonk: `subscribers.csv` with uuid, email, name, attributes (JSON), status, created_at, updated_at.

Its `status` is the person's own (enabled, disabled, blocklisted). Whether they confirmed or left a list is not in the
file: listmonk exports one list and one state at a time, and `--state` says which it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.audience.guided.past import Cells, Guide, Past, Was, moment
from newsletter.audience.headings import HEADINGS, plain

TITLE = "listmonk"
_NAMES = dict.fromkeys(("uuid", "id", "attributes", "attribs", "status", "created at", "updated at"), "")
_STATES = {"blocklisted": Was.STAFF, "blacklisted": Was.STAFF, "disabled": Was.LEFT}
_OWN = ("first_name", "last_name", "language", "area", "tags", "postcode")


def guide(
    header: Sequence[str], fields: Mapping[str, tuple[str, str]], file: str, told: Was | None, *, american: bool
) -> Guide:
    """See `guided.guide`."""
    cells = Cells(header)
    status, created, updated = cells.getter("status"), cells.getter("created at"), cells.getter("updated at")
    attributes = cells.getter("attributes", "attribs")
    here = {plain(title) for title in header}
    wanted = {key: {plain(key), *map(plain, HEADINGS[key])} for key in _OWN} | {
        key: set(map(plain, words)) for key, words in fields.items()
    }
    wanted = {key: words for key, words in wanted.items() if not words & here}

    def past(row: list[str]) -> Past:
        word = status(row).casefold()
        was = max(_STATES.get(word, Was.SUBSCRIBED), Was.SUBSCRIBED if told is None else told)
        since = created if was <= Was.PENDING else updated
        return Past(was, moment(since(row) or created(row), american=american), word if word in _STATES else "")

    def unfolded(row: list[str]) -> list[str]:
        known = {plain(key): value for key, value in _object(attributes(row)).items()}
        width = [""] * (len(header) - len(row))
        return [*row, *width, *(_text(known, words) for words in wanted.values())]

    return Guide(TITLE, _NAMES, past, tuple(wanted), unfolded, told is None or told <= Was.LEFT)


def _object(text: str) -> dict[str, Any]:
    """The attributes; what is no JSON object is nothing worth keeping, and no reason to lose the person."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(known: dict[str, Any], words: set[str]) -> str:
    value = next((known[word] for word in words if known.get(word) not in (None, "")), "")
    if isinstance(value, list):
        return "; ".join(str(one).replace(";", " ") for one in value if isinstance(one, str | int | float))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else ""
