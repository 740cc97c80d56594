"""GovDelivery (Granicus): the subscribers of a topic as a CSV file, and the Deleted Subscriber Report.

Both call the address Destination or Contact; a telephone number may stand there too. The report says why each profile
was deleted (Deletion Reason) and when (Date Deleted); all topics of a profile end with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from newsletter.audience.guided.past import Cells, Guide, Past, Was, moment

TITLE = "GovDelivery"
_NAMES = {
    **dict.fromkeys(("destination", "contact", "contacts", "subscriber", "subscriber email"), "email"),
    **dict.fromkeys(("topic", "topics", "topic name", "topic names", "subscriptions", "category"), "tags"),
    **dict.fromkeys(("country code", "origin", "location", "location type", "days subscribed", "deleted by"), ""),
    **dict.fromkeys(("subscriptions count", "deletion reason", "date deleted", "date created", "topic code"), ""),
    **dict.fromkeys(("subscription created", "created", "created at", "subscription deleted", "status"), ""),
}
# A part of the reason, in small letters, and what it means; the first that fits.
_REASONS = (
    ("spam", Was.COMPLAINT),
    ("complain", Was.COMPLAINT),
    ("failure", Was.GONE),
    ("bounce", Was.GONE),
    ("undeliverable", Was.GONE),
    ("invalid", Was.GONE),
    ("opt", Was.OUT),  # incomplete double opt-in: never confirmed
    ("black", Was.STAFF),
    ("block", Was.STAFF),
    ("administrator", Was.STAFF),
)


def guide(
    header: Sequence[str], fields: Mapping[str, tuple[str, str]], file: str, told: Was | None, *, american: bool
) -> Guide:
    """See `guided.guide`."""
    cells = Cells(header)
    report = "deletion reason" in cells or "date deleted" in cells
    reason, ended = cells.getter("deletion reason"), cells.getter("date deleted", "subscription deleted")
    joined = cells.getter("subscription created", "date created", "created", "created at")
    left = "subscription deleted" in cells
    whole = told if told is not None else Was.EVERYTHING if report else Was.LEFT if left else Was.SUBSCRIBED

    def past(row: list[str]) -> Past:
        said, was = reason(row)[:200], whole
        if told is None and said:
            words = said.casefold()
            was = next((was for word, was in _REASONS if word in words), whole)
        since = joined if was <= Was.OUT else ended
        return Past(was, moment(since(row), american=american), said)

    return Guide(TITLE, _NAMES, past, on_lists=whole <= Was.LEFT)
