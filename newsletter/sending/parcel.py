"""One person's mail on its way, and what is written down when its answer has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from newsletter.sending import providers, verdicts
from newsletter.sending.message import Ready
from newsletter.sending.models import Delivery
from newsletter.sending.outbox import Leased, Result
from newsletter.sending.transports.outcome import Outcome
from newsletter.sending.verdicts import Verdict
from newsletter.sending.ways import Way


@dataclass(slots=True)
class Parcel:
    """One person's mail on its way."""

    row: Leased
    ready: Ready
    group: str
    way: Way
    begun: bool = False

    def named(self) -> tuple[str, str, bytes]:
        """What a connection is told: sender, recipient, text."""
        return self.ready.envelope_sender, self.ready.recipient.wire, self.ready.data


@dataclass(frozen=True)
class Until:
    """How long people are tried again: hours after the mailing began, and the day until which the issue is of use."""

    started: datetime | None
    give_up: timedelta
    useful: datetime | None = None

    def passed(self, due: datetime) -> bool:
        """True when a try at `due` would come too late."""
        hours = self.give_up / timedelta(hours=1)
        return bool(self.started and verdicts.too_late(due, self.started, hours, self.useful))


def result(parcel: Parcel, verdict: Verdict, outcome: Outcome | None, until: Until) -> Result:
    """What follows from a verdict, ready to be written down."""
    state, due = verdict.state, None
    if verdict.wait is not None:
        due = timezone.now() + verdict.wait
        if until.passed(due):
            state, due = Delivery.State.EXPIRED, None
    code = outcome.code if outcome else None
    return Result(
        row=parcel.row,
        state=state,
        begun=parcel.begun,
        reason=verdict.reason,
        code=code if code and 200 <= code <= 599 else None,
        text=outcome.text if outcome else "",
        remote_id=getattr(outcome, "remote_id", ""),
        due=due,
        tried=verdict.tried,
        relay=parcel.way.key,
        provider=providers.kind(parcel.group) if parcel.group else "",
    )


def parked(row: Leased, group: str, seconds: float) -> Result:
    """A person whose provider takes no more for so long: back to the ledger, due then."""
    kind = providers.kind(group)
    why = f"{providers.table().name(kind)} takes no more mail from us at the moment; tried again by itself"
    due = timezone.now() + timedelta(seconds=seconds)
    return Result(row=row, state=Delivery.State.DEFERRED, begun=False, reason=why, due=due, provider=kind)
