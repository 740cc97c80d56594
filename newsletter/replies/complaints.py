"""What a complaint does: a fact on the delivery, and no more mailings to whoever complained."""

from __future__ import annotations

from newsletter.audience import subscribing
from newsletter.mail.complaints import NO_WISH
from newsletter.replies import undoing
from newsletter.replies.models import Complaint, Raw
from newsletter.replies.storing import storable
from newsletter.sending.models import Delivery, Mailing

OPT_OUT = "opt-out"


def land(raw: Raw, delivery: Delivery | None, canonical: str, feedback: str) -> Complaint:
    """Write the complaint down, in the caller's transaction; mailings to the address end.

    `feedback` is the type of RFC 5965: `opt-out` is a wish to leave the lists of that mail; `not-spam`
    and `auth-failure` change nothing. Only a complaint about a delivery of ours suppresses: a report of which nothing
    proves that it is about our mail could take anybody off.
    """
    found, new = Complaint.objects.get_or_create(
        raw=raw,
        defaults={
            "delivery": delivery,
            "canonical": storable(canonical, 320),
            "feedback": storable(feedback, 40),
        },
    )
    if new and delivery is not None and canonical and feedback not in NO_WISH:
        why = undoing.mark(raw.pk, f"a complaint ({feedback}) reported by the mailbox's provider")
        if feedback == OPT_OUT:
            subscribing.leave(canonical, delivery.lists, "mail", why=why)
            return found
        subscribing.suppress(canonical, subscribing.BULK, "complaint", "mail", why=why)
        _too_many(delivery.mailing_id)
    return found


def _too_many(mailing_id: int) -> None:
    """Pause a mailing that is being sent when the breaker says that too many people complain."""
    mailing = Mailing.objects.defer("rendered", "public").filter(pk=mailing_id, state=Mailing.State.SENDING).first()
    if mailing is None or mailing.paused_why:
        return
    from newsletter.sending import mailings, tally
    from newsletter.sending.breaker import Breaker

    breaker = Breaker(0)
    breaker.accepted = tally.counts(mailing_id).get("accepted", 0)
    people = Complaint.objects.filter(delivery__mailing_id=mailing_id).exclude(feedback__in=NO_WISH)
    why = breaker.complained(people.values("delivery").distinct().count())
    if why:
        mailings.pause(mailing, why)
