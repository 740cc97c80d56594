"""What became of a mailing: delivered, trying again, failed and why, by provider; every table adds up to everybody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Count, F, Max, Q, Value, When
from django.db.models.functions import StrIndex, Substr

from newsletter.audience.models import ConsentEvent
from newsletter.sending import mailings, providers, rating
from newsletter.sending.models import Delivery, Mailing

# The outcomes in the order they are said, with their words; the three states before an answer are one: waiting.
OUTCOMES = {
    "accepted": "Accepted",
    "deferred": "Trying again",
    "failed": "Failed",
    "uncertain": "Uncertain",
    "suppressed": "Left since",
    "expired": "Given up",
    "cancelled": "Cancelled",
    "waiting": "Waiting",
}
HAVE_REASONS = ("failed", "deferred", "expired", "uncertain", "suppressed", "cancelled")
ON_PURPOSE = ("one-click", "page", "mail")  # channels by which people leave themselves: not an import, not staff
# What is kept of somebody who was let go because they had asked for it in a reply: by their own wish, with our hand.
ASKED = "did what they asked for"
OTHERS = "Other providers"
REFUSED = "refused by the mail server"  # what verdicts says where no code tells more
_SAID = re.compile(r"^(?P<words>.*?) \((?P<said>[^)].*)\)$", re.DOTALL)
_CODE = re.compile(r"^(?P<code>\d{3})?[ -]*(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})?[ :-]*")
_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?:? ?")
_QUEUE = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{8,}(?:[.-]\w+)*\b")  # the server's name for one mail


@dataclass(frozen=True)
class Cell:
    """So many people of one provider with one outcome, for one reason; all cells together are everybody, once."""

    provider: str  # key of the provider group
    outcome: str  # a key of OUTCOMES
    words: str  # the reason for a person; "" where there is none to give
    code: str  # "550 5.1.1"; "" where no server said one
    people: int


@dataclass(frozen=True)
class Report:
    """One mailing's numbers as of one look. `balances` is False when the cells are not everybody who was frozen."""

    issue: str
    subject: str
    state: str
    frozen: int
    cells: tuple[Cell, ...]
    began: datetime | None
    ended: datetime | None  # the last time that a mail was accepted
    rate: float  # mails a second while it was sending; 0 = not known
    after: Mapping[
        str, int
    ]  # replies, bounced, complaints, left, useful, not_useful: facts that came later about accepted people

    @property
    def balances(self) -> bool:
        return sum(cell.people for cell in self.cells) == self.frozen

    @property
    def seconds(self) -> float:
        """From the start to the last accepted mail."""
        return max(0.0, (self.ended - self.began).total_seconds()) if self.began and self.ended else 0.0

    def outcomes(self) -> dict[str, int]:
        """Outcome → people; every outcome is named."""
        found = dict.fromkeys(OUTCOMES, 0)
        for cell in self.cells:
            found[cell.outcome] += cell.people
        return found

    def reasons(self) -> list[tuple[str, str, str, int]]:
        """(outcome, words, code, people) of everybody, the commonest reason of each outcome first."""
        found = self._summed(lambda cell: (cell.outcome, cell.words, cell.code))
        order = list(OUTCOMES)
        rows = [(outcome, words, code, people) for (outcome, words, code), people in found.items()]
        return sorted(rows, key=lambda row: (order.index(row[0]), -row[3], row[1], row[2]))

    def by_provider(self) -> list[tuple[str, dict[str, int]]]:
        """(provider's name, outcome → people), the one with most people first, those without a name last."""
        found: dict[str, dict[str, int]] = {}
        for cell in self.cells:
            found.setdefault(name(cell.provider), dict.fromkeys(OUTCOMES, 0))[cell.outcome] += cell.people
        return sorted(found.items(), key=lambda row: (row[0] == OTHERS, -sum(row[1].values()), row[0]))

    def _summed(self, by: Callable[[Cell], tuple[str, str, str]]) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for cell in self.cells:
            found[by(cell)] += cell.people
        return found


def make(mailing: Mailing) -> Report:
    """The report of a mailing, as it stands. One pass over its rows; not for the path of sending."""
    mailing.refresh_from_db()
    first = mailing.rendered.get("") if isinstance(mailing.rendered, dict) else None
    moments = Delivery.objects.filter(mailing=mailing, state="accepted").aggregate(last=Max("changed"))
    began, ended = mailing.started_at, moments["last"]
    cells = tuple(_cells(mailing))
    done = sum(cell.people for cell in cells if cell.outcome == "accepted")
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    rate = float(mailing.settings.get("rate") or (done / seconds if seconds > 1 else 0.0))
    subject = str(mailing.settings.get("subject") or _subject(first) or mailing.slug)
    return Report(
        mailing.slug, subject, mailing.state, mailing.frozen, cells, began, ended, round(rate, 1), _after(mailing)
    )


def _subject(frozen: Any) -> str:
    from newsletter.rendering import freeze

    return mailings.plain_subject(freeze.from_json(frozen)) if frozen else ""


def _cells(mailing: Mailing) -> Iterable[Cell]:
    """Everybody in one GROUP BY; whoever was not tried yet has no provider, so the domain says which it would be."""
    domain = Case(
        When(provider="", then=Substr("canonical", StrIndex(F("canonical"), Value("@")) + 1)),
        default=Value(""),
        output_field=CharField(),
    )
    rows = (
        Delivery.objects.filter(mailing=mailing)
        .order_by()
        .annotate(domain=domain)
        .values_list("state", "provider", "domain", "reason", "reply_code")
        .annotate(people=Count("pk"))
    )
    found: Counter[tuple[str, str, str, str]] = Counter()
    table = providers.table()
    for state, provider, where, reason, code, people in rows.iterator(2000):
        outcome = state if state in OUTCOMES else "waiting"
        group = providers.kind(provider) if provider else table.of_domain(str(where).rpartition("@")[2] or str(where))
        words, said = plain(reason, code) if outcome in HAVE_REASONS else ("", "")
        found[(group, outcome, words, said)] += people
    return (Cell(*key, people) for key, people in sorted(found.items()))


def _after(mailing: Mailing) -> dict[str, int]:
    """What came in about it later, each counted once per person. Replies are conversations: one per writer."""
    rows = Delivery.objects.filter(mailing=mailing)
    named = rows.filter(bounce__isnull=False).count()  # one for each delivery; a report of delay is none
    complained = rows.filter(complaints__isnull=False).values("pk").distinct().count()
    replies = mailing.conversations.exclude(state="spam").count()
    return {
        "replies": replies,
        "bounced": named,
        "complaints": complained,
        "left": _left(mailing),
        **rating.counts(mailing),
    }


def _left(mailing: Mailing) -> int:
    """People who got it and then left by themselves, until the next mailing went out: of all the reasons to leave
    that is the likeliest, and the only one that can be known without following people."""
    if mailing.started_at is None:
        return 0
    got = Delivery.objects.filter(mailing=mailing, state="accepted").values("canonical")
    themselves = Q(channel__in=ON_PURPOSE) | Q(channel="staff", why__contains=ASKED)
    events = ConsentEvent.objects.filter(themselves, event="left", at__gte=mailing.started_at, canonical__in=got)
    later = Mailing.objects.filter(started_at__gt=mailing.started_at).order_by("started_at").first()
    if later:
        events = events.filter(at__lt=later.started_at)
    return events.values("canonical").distinct().count()


def name(provider: str) -> str:
    """The provider for a person: "Google"; the small ones together."""
    found = providers.table().name(provider)
    return OTHERS if found == "others" else found


def plain(reason: str, code: int | None = None) -> tuple[str, str]:
    """A reason of the ledger → (words for a person, code): what the server said of one mail or address is taken out,
    so that the same reason is counted as one.

    `address does not exist (550 5.1.1 <x@y> unknown)` → ("Address does not exist", "550 5.1.1").
    """
    match = _SAID.match(reason)
    words, said = (match["words"], match["said"]) if match else (reason, "")
    codes = _CODE.match(said)
    number = (codes and codes["code"]) or (str(code) if code else "")
    shown = " ".join(filter(None, (number, codes and codes["enhanced"])))
    if words.startswith(REFUSED):
        why = _QUEUE.sub("…", _ADDRESS.sub("", said[codes.end() if codes else 0 :])).strip(" .;:,-…")
        words = f"their server refused us ({why[:80]})" if why else "their server refused us"
    return (words[:1].upper() + words[1:] or "No reason was given"), shown


def as_json(report: Report) -> dict[str, Any]:
    """The report under the names of `newsletter report --json`."""
    outcomes = report.outcomes()
    return {
        "issue": report.issue,
        "subject": report.subject,
        "state": report.state,
        "frozen": report.frozen,
        "balances": report.balances,
        "outcomes": outcomes,
        "reasons": [
            {"outcome": outcome, "words": words, "code": code, "people": people}
            for outcome, words, code, people in report.reasons()
        ],
        "providers": [
            {"name": who, **numbers, "people": sum(numbers.values())} for who, numbers in report.by_provider()
        ],
        "after": dict(report.after),
        "began": report.began.isoformat() if report.began else None,
        "ended": report.ended.isoformat() if report.ended else None,
        "seconds": round(report.seconds, 1),
        "rate": report.rate,
    }


def as_rows(report: Report) -> list[tuple[str, ...]]:
    """The cells for a spreadsheet, the heading first; the last column adds up to everybody."""
    rows = [
        (name(cell.provider), OUTCOMES[cell.outcome], cell.words, cell.code, str(cell.people)) for cell in report.cells
    ]
    return [("provider", "outcome", "reason", "code", "people"), *rows]
