"""A person's new address, after they confirmed it there."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from newsletter.audience import never
from newsletter.audience.models import FormerAddress, Request, Subscriber, Suppression
from newsletter.audience.subscribing import leaving, proof
from newsletter.audience.subscribing.proof import BULK, MOVED, Change
from newsletter.mail import addresses


def move(canonical: str, new_address: str, channel: str, wording: str = "", *, why: str = "", by: str = "") -> Change:
    """The person's mail goes to `new_address` from now on; their choices go with them, and so does a "never".

    Nothing changes (and `why` says it) when the new address is somebody's (taken), is suppressed (suppressed), is the
    old one (same), or when nobody has the old one (unknown). The old address is suppressed as "moved", so that a
    file from before does not bring it back, and goes on naming the person for links in mail that was sent to it.
    Raises ValueError for what is no address.
    """
    parsed = addresses.parse(new_address)
    new = parsed.canonical
    with transaction.atomic():
        person = proof.held(canonical)
        if person is None:
            return Change(False, why="unknown")
        old = person.canonical
        if new == old:
            return Change(False, why="same")
        if Subscriber.objects.filter(canonical=new).exists():
            return Change(False, why="taken")
        back = FormerAddress.objects.filter(canonical=new, subscriber=person).first()
        stop = never.held(new)
        if stop and not (back and stop.reason == MOVED):
            return Change(False, suppressed=True, why="suppressed")
        if stop:
            stop.delete()
        if back:
            back.delete()
        before = Suppression.objects.filter(canonical=old).first()
        person.canonical, person.address = new, parsed.typed
        person.save()
        FormerAddress.objects.update_or_create(canonical=old, defaults={"subscriber": person})
        proof.write(old, "", "moved", channel, wording, why or f"to {new}", by)
        proof.write(new, "", "moved", channel, wording, why or f"from {old}", by)
        if before and before.reason != "gone":  # what was their wish or staff's decision is about the person
            leaving.suppress(new, before.scope, before.reason, channel, why=f"as {old} was", by=by)
        leaving.suppress(old, BULK, MOVED, channel, why=f"moved to {new}", by=by)
        # Links that were sent to the old mailbox, or asked for from there: whoever reads it now takes nobody's data
        # by them, erases nobody, and takes nobody's mail to a third address.
        links = Request.objects.filter(Q(canonical=old) | Q(facts__from=old), used=None)
        links.exclude(kind=Request.Kind.SUBSCRIBE).update(used=timezone.now())
        return Change(True, suppressed=bool(before and before.reason != "gone"))
