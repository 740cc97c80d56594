"""Mailchimp: an audience's export is an archive with one CSV file for each state, told apart by its columns and name.

Columns as exported in 2026: the audience's own fields and groups by their titles first, then MEMBER_RATING,
OPTIN_TIME, CONFIRM_TIME … TAGS; people who left have UNSUB_TIME and UNSUB_REASON, cleaned ones CLEAN_TIME.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

from newsletter.audience.guided.past import Cells, Guide, Past, Was, moment
from newsletter.audience.headings import plain
from newsletter.problems import NewsletterError, Problem, Where

TITLE = "Mailchimp"
_STATES = {
    "subscribed": Was.SUBSCRIBED,
    "unsubscribed": Was.LEFT,
    "cleaned": Was.GONE,
    "pending": Was.PENDING,
    "nonsubscribed": Was.OUT,
    "non subscribed": Was.OUT,
    "transactional": Was.OUT,
    "archived": Was.LEFT,
}
# Known, and of no use here: ratings, network addresses and places guessed from them, numbers of Mailchimp’s own.
_HEADINGS = (
    *("member rating", "optin time", "optin ip", "confirm time", "confirm ip", "latitude", "longitude", "gmtoff"),
    *("dstoff", "timezone", "cc", "region", "last changed", "leid", "euid", "notes", "email type"),
    *("unsub time", "unsub campaign title", "unsub campaign id", "unsub reason", "unsub reason other"),
    *("clean time", "clean campaign title", "clean campaign id", "status", "email marketing status"),
)


def guide(
    header: Sequence[str], fields: Mapping[str, tuple[str, str]], file: str, told: Was | None, *, american: bool
) -> Guide:
    """See `guided.guide`."""
    cells = Cells(header)
    whole = told if told is not None else _of_file(cells, file)
    if whole is Was.OUT:
        hint = "They bought or asked something, but never agreed to get mail. Import the file that begins subscribed_."
        raise NewsletterError(Problem("never-asked", f"Nobody in {file} is a subscriber", hint, Where(file)))
    state, joined = cells.getter("status", "email marketing status"), cells.getter("confirm time", "optin time")
    left, cleaned = cells.getter("unsub time"), cells.getter("clean time")
    reason, more = cells.getter("unsub reason"), cells.getter("unsub reason other")
    changed = cells.getter("last changed")

    def past(row: list[str]) -> Past:
        was: Was = whole
        if told is None:
            was = _STATES.get(plain(state(row)), whole)
            was = Was.GONE if cleaned(row) else Was.LEFT if left(row) and was is not Was.GONE else was
        said = " ".join(filter(None, [reason(row), more(row)]))[:200]
        if was is Was.LEFT and any(word in said.casefold() for word in ("spam", "abuse", "complain")):
            was = Was.COMPLAINT
        since = {Was.GONE: cleaned, Was.SUBSCRIBED: joined, Was.PENDING: joined}.get(was, left)
        return Past(was, moment(since(row) or changed(row), american=american), said)

    tags = cells.place("tags")

    def parted(row: list[str]) -> list[str]:
        if tags is not None and tags < len(row) and '"' in row[tags]:
            row = list(row)
            row[tags] = ";".join(tag.strip().replace(";", " ") for tag in _of_quoted(row[tags]))
        return row

    return Guide(TITLE, dict.fromkeys(_HEADINGS, ""), past, (), parted, whole is not Was.GONE)


def _of_file(cells: Cells, file: str) -> Was:
    name = plain(file.rpartition("/")[2])
    for word in ("nonsubscribed", "unsubscribed", "cleaned", "subscribed"):
        if name.startswith(word):
            return _STATES[word]
    if "clean time" in cells:
        return Was.GONE
    return Was.LEFT if "unsub time" in cells else Was.SUBSCRIBED


def _of_quoted(cell: str) -> list[str]:
    """Tags are a line of CSV inside the cell: "North ward","Volunteer"."""
    try:
        return [tag for tag in next(csv.reader([cell], skipinitialspace=True), []) if tag.strip()]
    except csv.Error:
        return [cell]
