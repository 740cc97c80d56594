"""A mail to ourselves every 15 minutes: when two in a row do not come back, silence is not calm, and people are told.

It goes out as every mail does and comes back as every answer does, so it finds what no check of a single part finds:
a mailbox that is full, a rule that sorts us away, a server that accepts and forgets.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from newsletter.config import Config
from newsletter.mail import outgoing, tokens
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.replies import telling
from newsletter.replies.identifying import Copy
from newsletter.replies.models import Canary
from newsletter.sending import links, mailings, notices
from newsletter.sending.models import Mailing, Notice
from newsletter.sending.transports.connection import Connection

EVERY = timedelta(minutes=15)
ENOUGH = 2  # missing in a row: one alone may be greylisted or held up
QUIET = EVERY * 3  # no canary sent for so long: whoever should send them is not running
PROBE = "plus addresses"  # the intake of doctor's probe; it raises no alarm

log = logging.getLogger(__name__)


def intakes(config: Config) -> dict[str, str]:
    """Key of an intake → the address its canary goes to; "" = a signed reply address, which leads to whatever takes
    in the reply domain (a mailbox, LMTP or a pipe)."""
    found: dict[str, str] = {}
    for key, mailbox in config.mailboxes.items():
        address = mailbox.address or (config.replies.mailbox if config.replies.mode == "shared" else "")
        if address not in found.values():
            found[key] = address
    return found or {"pipe": ""}


def unprobed(config: Config) -> list[str]:
    """Mailboxes that no canary goes through: they say no address of their own, and another one is probed by ours."""
    return [key for key in config.mailboxes if key not in intakes(config)]


def look(config: Config, now: datetime | None = None) -> str:
    """Send what is due and look at what is missing; the words of what is new, for the worker. `now` is the clock."""
    if not config.replies.canary or not config.senders:
        return ""
    now = now or timezone.now()
    words = []
    for name, address in intakes(config).items():
        latest = Canary.objects.filter(intake=name).order_by("-sent", "-id").first()
        if latest is None or now - latest.sent >= EVERY:
            if missing(name, now) and alarm(config, name, now):
                words.append(f"{name}: {words_of(name, now)}; people were told")
            send(config, name, address, now)
        elif latest.back is not None and recovered(config, name):
            words.append(f"{name}: answers arrive again")
    return "; ".join(words)


def send(config: Config, intake: str, address: str, now: datetime) -> Canary:
    """Queue one canary for an intake, and remember that it is under way. Raises NewsletterError(lost-key)."""
    keyring, stored = Keyring.load(config.var / "secret.key"), tokens.new_id()
    reply = keyring.make(Purpose.REPLY, stored)
    to = address or links.way_back(config, "reply", reply, config.mail.reply_domain)
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, stored)}@{config.mail.reply_domain}"
    sender = next(iter(config.senders.values()))
    common = outgoing.Common(
        sender.name,
        sender.address,
        now,
        auto_submitted="auto-generated",
        references=(f"<{message_id}>",),  # the signed name survives where the mailbox's address can carry none
    )
    text = "The newsletter looks whether its own mail comes back. Nobody needs to read or answer this.\n"
    data = outgoing.notice(common, to, message_id, f"Canary of {config.site.name}", text)
    data = telling.signed(config, data)
    bounce = links.way_back(config, "bounce", keyring.make(Purpose.BOUNCE, stored), config.mail.bounce_domain)
    with transaction.atomic():
        notices.queue(Notice.Kind.CANARY, to, data, sender=bounce, token=stored, message_id=message_id)
        return Canary.objects.create(intake=intake, token=stored, sent=now)


def came_back(copy: Copy, now: datetime | None = None) -> bool:
    """True when `copy` is a canary of ours: it is back. Asked before anything else is thought of the message."""
    if copy.purpose not in (Purpose.REPLY, Purpose.MESSAGE_ID) or not copy.stored:
        return False
    found = Canary.objects.filter(token=copy.stored)
    found.filter(back=None).update(back=now or timezone.now())
    return found.exists()


def missing(intake: str, now: datetime) -> list[Canary]:
    """The latest canaries that had their time and are not back, newest first; [] when too few for an alarm."""
    due = Canary.objects.filter(intake=intake, sent__lte=now - EVERY).order_by("-sent", "-id")
    latest = list(due[:ENOUGH])
    return latest if len(latest) == ENOUGH and all(one.back is None for one in latest) else []


def words_of(intake: str, now: datetime) -> str:
    """What is known of the silence, in words."""
    last = Canary.objects.filter(intake=intake).exclude(back=None).order_by("-sent").first()
    since = f"the last one at {timezone.localtime(last.sent):%d %b %Y %H:%M}" if last else "none ever did"
    stuck = [one for one in missing(intake, now) if _held(one)]
    where = "; our own relay does not take them" if stuck else "; our relay took them, so it is on the way back"
    return f"our own test mails do not come back ({since}){where}"


def _held(canary: Canary) -> bool:
    notice = Notice.objects.filter(token=bytes(canary.token)).first()
    return notice is not None and notice.state != Notice.State.ACCEPTED


def missing_words() -> list[str]:
    """For `doctor` and the red line of `replies list`: each intake that is silent; and canaries that nobody sends."""
    from newsletter import settings

    config, now = settings.current(), timezone.now()
    if not config.replies.canary:
        return []
    found = []
    for name in intakes(config):
        latest = Canary.objects.filter(intake=name).order_by("-sent").first()
        if latest is None or now - latest.sent > QUIET:
            found.append(
                f"{name}: no test mail was sent lately, so nobody looks whether answers arrive (is the worker up?)"
            )
        elif missing(name, now):
            found.append(f"{name}: {words_of(name, now)}")
    return found


def alarm(config: Config, intake: str, now: datetime) -> bool:
    """Tell staff by another path and pause what is being sent; False when this silence was told already."""
    since = _silent_since(intake)
    words = words_of(intake, now)
    text = (
        f"Answers may not reach you: {words}.\n\nIntake: {intake}. Look into the mailbox by hand, and run "
        "`newsletter doctor`.\nMailings that were being sent are paused until somebody resumes them.\n"
    )
    told = tell(config, f"canary-{intake}-{since}", "Answers may not arrive", text, now)
    if told:
        log.error("canary: %s: %s", intake, words)
        pause(f"answers do not reach us: {words}")
    return told


def recovered(config: Config, intake: str) -> bool:
    """Tell those who were told of a silence that it has ended; once."""
    once = f"canary-{intake}-"
    last = Notice.objects.filter(once__startswith=once, kind=Notice.Kind.STAFF).order_by("-id").first()
    if last is None or (last.once or "").startswith(f"{once}well"):
        return False
    text = f"Our own test mails come back again through {intake}. Paused mailings wait for `newsletter resume`.\n"
    return tell(config, f"{once}well-{last.pk}", "Answers arrive again", text, timezone.now())


def _silent_since(intake: str) -> int:
    """The number of the first canary of this silence: it names the silence."""
    back = Canary.objects.filter(intake=intake).exclude(back=None).order_by("-id").values_list("pk", flat=True).first()
    first = Canary.objects.filter(intake=intake, pk__gt=back or 0).order_by("id").values_list("pk", flat=True).first()
    return int(first or 0)


def tell(config: Config, once: str, subject: str, text: str, now: datetime) -> bool:
    """Queue a notice for everybody who answers, and carry it through a second relay at once where there is one.

    True when there was something new to tell, or nobody to tell it to but the log.
    """
    people = dict.fromkeys(
        address for address in (config.replies.duty, *(one.address for one in config.staff.values())) if address
    )
    if not people:
        known = Notice.objects.filter(once=f"{once}-nobody").exists()
        people = {next(iter(config.senders.values())).address: None} if not known else {}
        once = f"{once}-nobody" if people else once
    queued = []
    for place, address in enumerate(people):
        key = f"{once}-{place}"[:120] if not once.endswith("-nobody") else once[:120]
        if Notice.objects.filter(once=key).exists():
            continue
        queued.append(notices.queue(Notice.Kind.STAFF, address, _mail(config, address, subject, text, now), once=key))
    by_another_path(config, [notice.pk for notice in queued])
    return bool(queued)


def _mail(config: Config, to: str, subject: str, text: str, now: datetime) -> bytes:
    keyring, sender = Keyring.load(config.var / "secret.key"), next(iter(config.senders.values()))
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, tokens.new_id())}@{config.mail.reply_domain}"
    common = outgoing.Common(sender.name, sender.address, now, auto_submitted="auto-generated")
    return telling.signed(config, outgoing.notice(common, to, message_id, subject, text))


def by_another_path(config: Config, numbers: Iterable[int]) -> int:
    """Carry these notices through the other relays, the first one that takes them; what is left goes the usual way
    with the next turn of the worker. Gives back how many were taken."""
    left, taken = list(numbers), 0
    if config.mail.transport != "smtp":
        return 0
    for relay in list(config.relays.values())[1:]:
        if not left:
            break
        with Connection(relay) as link:
            for number in list(left):
                if notices._carry(link, number):
                    left.remove(number)
                    taken += 1
        # A second relay that failed leaves them deferred; the usual way must not wait for that.
        Notice.objects.filter(pk__in=left, state=Notice.State.DEFERRED).update(due=timezone.now())
    return taken


def pause(why: str) -> None:
    """Pause what is being sent; who resumed a mailing in spite of such words has decided."""
    running = Mailing.objects.defer("rendered", "public").filter(state=Mailing.State.SENDING, paused_why="")
    for mailing in running:
        mailings.pause(mailing, why)
