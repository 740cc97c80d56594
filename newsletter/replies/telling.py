"""A line to a colleague: there is something for you. It holds a number and a reference, never what somebody wrote."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from newsletter import settings
from newsletter.config import Config
from newsletter.mail import outgoing
from newsletter.mail.addresses import canonical
from newsletter.mail.dkim import Signer
from newsletter.mail.tokens import Purpose, new_id
from newsletter.replies.models import Conversation
from newsletter.sending import keys, notices
from newsletter.sending.models import Mailing, Notice


def tell_colleague(found: Conversation, key: str) -> None:
    """A conversation was given to this colleague."""
    colleague = settings.current().staff.get(key)
    if colleague:
        lines = (f"Conversation {found.pk} ({found.reference}) is with you now.",)
        tell(found, [colleague.address], f"For you: {found.reference}", lines, f"for-you:{found.pk}:{found.version}")


def tell_team(found: Conversation, key: str) -> None:
    """A conversation came to this team; said where the team has an address."""
    team = settings.current().teams.get(key)
    if team and team.address:
        lines = (f"Conversation {found.pk} ({found.reference}) has come to {team.title}.",)
        subject = f"For {team.title}: {found.reference}"
        tell(found, [team.address], subject, lines, f"team:{found.pk}:{found.version}")


def tell(found: Conversation, addresses: Sequence[str], subject: str, lines: Sequence[str], once: str) -> list[Notice]:
    """Queue one notice to each address, in the caller's transaction; the same `once` again queues nothing.

    `lines` and `subject` are ours: no name, no address and no words of the person who wrote. An address that is none
    is left out.
    """
    config = settings.current()
    made = []
    text = "\n\n".join([*lines, f"To read it: newsletter replies show {found.pk}"]) + "\n"
    for address in addresses:
        try:
            canonical(address)
        except ValueError:
            continue
        token = new_id()
        message_id = f"{keys.keyring(config).make(Purpose.MESSAGE_ID, token)}@{config.mail.reply_domain}"
        name, from_address = sender(config)
        common = outgoing.Common(name, from_address, timezone.localtime(), auto_submitted="auto-generated")
        data = signed(config, outgoing.notice(common, address, message_id, subject, text))
        made.append(
            notices.queue(
                Notice.Kind.STAFF, address, data, token=token, message_id=message_id, once=f"{once}:{address}"[:120]
            )
        )
    return made


def sender(config: Config, conversation: Conversation | None = None) -> tuple[str, str]:
    """The name and address that mail of the desk comes from.

    [replies] says them; else the team's name beside the site's, and the address from which the issue was sent. A
    sensitive conversation names no team: that can say too much to whoever else reads the mailbox.
    """
    issues = Mailing.objects.filter(conversations=conversation) if conversation else Mailing.objects.none()
    frozen = issues.values_list("settings", flat=True).first() or {}
    first = next(iter(config.senders.values()), None)
    address = config.replies.address or frozen.get("sender_address") or (first.address if first else "")
    name = config.replies.name
    if not name and conversation and conversation.team in config.teams and not conversation.sensitive:
        name = f"{config.teams[conversation.team].title}, {config.site.name}"
    return name or config.site.name, address or f"noreply@{config.mail.reply_domain}"


def signed(config: Config, data: bytes) -> bytes:
    """The mail with our DKIM signature, where we sign."""
    signer = Signer.of(config.dkim)
    return signer.sign(data, int(timezone.now().timestamp())) + data if signer else data
