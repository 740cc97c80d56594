"""The automatic thanks (RFC 3834): at most one a day and issue, never to a machine, and never a loop.

Two programs that thank each other can fill a mailbox in an hour, and their headers do not always say what they are.
So, beside every sign of RFC 3834, there are three limits that hold whatever a mail says of itself.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.config import Config
from newsletter.mail import addresses, outgoing
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Purpose, new_id
from newsletter.mail.vouching import Vouched
from newsletter.problems import NewsletterError
from newsletter.replies import emergency, page, telling
from newsletter.replies.identifying import token_in
from newsletter.replies.models import Conversation, DeskEntry, Message
from newsletter.sending import keys, links, notices
from newsletter.sending.models import Notice

log = logging.getLogger(__name__)

A_DAY = timedelta(
    hours=24
)  # one for each writer and issue (RFC 3834 section 2 asks for a limit; vacation(1) has a week)
A_WEEK, A_WEEKS = timedelta(days=7), 3  # whatever the issues: an address that gets a fourth is a machine, or unlucky
# A mailing to 100,000 people brings some 1,000 answers, most in the first two hours: 20 a minute. Six times that is
# a loop or an attack, and people lose nothing but a thank-you.
WINDOW, MOST, MOST_A_DOMAIN = timedelta(minutes=10), 1200, 600
ROBOT = re.compile(
    r"^(no-?_?reply|do-?not-?reply|mailer-daemon|postmaster|daemon|bounces?|owner-.*|.*-(request|owner|bounces?)|abuse"
    r"|root|www-data|nobody|listserv|majordomo|mdaemon)([+@].*)?@|^(no-?reply|mailer-daemon)",
    re.IGNORECASE,
)
SUPPRESSED = re.compile(r"\b(all|oof|autoreply)\b", re.IGNORECASE)  # X-Auto-Response-Suppress (MS-OXCMAIL 2.1.3.4)
PLAIN = re.compile(r"[!-;=?-~]{3,300}")  # a Message-ID that may stand in a header of ours
BY_ITSELF = "newsletter"


def consider(conversation: Conversation, message: Message, incoming: Incoming) -> None:
    """Queue an acknowledgement of this message where one is due, and write down why where it is not."""
    config = settings.current()
    if not is_on(message, config):
        return
    if why := refused(conversation, message, incoming, config) or too_many(conversation, message):
        DeskEntry.objects.create(conversation=conversation, by=BY_ITSELF, what="not-thanked", words=why)
        return
    try:
        with transaction.atomic():
            send(
                conversation, message.from_address, conversation.language or message.language, message, incoming, config
            )
    except (NewsletterError, ValueError) as error:  # their message is kept, whatever is in the way of a thank-you
        DeskEntry.objects.create(conversation=conversation, by=BY_ITSELF, what="not-thanked", words=str(error)[:400])


def is_on(message: Message, config: Config) -> bool:
    """False without thanks, and for the page: it said so already, and a mail on top could be seen by somebody else."""
    return config.replies.acknowledge and (message.raw is None or message.raw.channel != page.CHANNEL)


def refused(conversation: Conversation, message: Message, incoming: Incoming, config: Config) -> str:
    """Why this mail is never thanked for, in words; "" when it may be."""
    raw, writer = message.raw, message.from_address
    returned = (raw.sender if raw else "") or incoming.header("return-path").strip().strip("<>")
    if not conversation.verified:
        return "the sender is not verified"
    if message.vouched == Vouched.FAILED:  # a thank-you would go to whoever's address was used
        return "the check of the sender failed"
    if not returned:
        return "it has no return address (RFC 3834, 2)"
    if addresses.comparable(addresses.unwrapped(returned)) != addresses.comparable(writer):
        return "it would go to another address than the one it came from"
    if why := no_person(writer, config):
        return why
    if SUPPRESSED.search(incoming.header("x-auto-response-suppress")):
        return "it asks for no automatic answers"
    if any(incoming.header(name) for name in ("list-id", "list-post", "list-unsubscribe", "x-loop", "x-autoreply")):
        return "it came through a list or a machine"
    if any(words["subject"].casefold() in incoming.subject.casefold() for words in all_words().values()):
        return "it answers an automatic answer of ours"
    return ""


def no_person(address: str, config: Config) -> str:
    """Why nothing goes to this address by itself, whoever named it; "" for a person's."""
    if ROBOT.match(address):
        return "the address belongs to a machine or a list"
    own = {config.mail.reply_domain.lower(), config.mail.bounce_domain.lower()}
    ours = {addresses.comparable(one.address) for one in config.senders.values()}
    ours |= {addresses.comparable(one) for one in (config.replies.mailbox, config.replies.address) if one}
    if address.rpartition("@")[2].lower() in own or addresses.comparable(address) in ours or token_in(address, config):
        return "it comes from an address of our own"
    return ""


def too_many(conversation: Conversation, message: Message) -> str:
    """Why there were enough of them already: for this writer and issue, for this address, or for everybody."""
    writer = addresses.comparable(message.from_address)
    today = Notice.objects.filter(canonical=writer, created__gt=timezone.now() - A_DAY)
    if today.filter(kind=Notice.Kind.ACKNOWLEDGEMENT, once__startswith=f"ack:{issue_of(conversation)}:").exists():
        return "thanked already today"
    return enough(writer)


def enough(writer: str) -> str:
    """Why this address, or everybody, had enough of them: the limits that hold for whatever mail goes by itself."""
    now = timezone.now()
    sent = Notice.objects.filter(kind=Notice.Kind.ACKNOWLEDGEMENT)
    if sent.filter(canonical=writer, created__gt=now - A_WEEK).count() >= A_WEEKS:
        return f"thanked {A_WEEKS} times in a week already"
    recent = sent.filter(created__gt=now - WINDOW)
    if (
        recent.count() >= MOST
        or recent.filter(canonical__endswith=writer[writer.rfind("@") :]).count() >= MOST_A_DOMAIN
    ):
        log.error("acknowledgements have stopped: too many in ten minutes")
        return STOPPED
    return ""


NEWEST = 10_000  # lines of the log that are looked through
STOPPED = "too many automatic answers in ten minutes: they have stopped"


def stopped() -> bool:
    """True when the breaker kept somebody from being thanked within the last hour: for the red line that staff see.

    Only the newest lines of the log are read, for the list of replies asks this each time: in the storm that stops the
    thanks, every message adds two or three.
    """
    newest = DeskEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    since = timezone.now() - timedelta(hours=1)
    recent = DeskEntry.objects.filter(pk__gt=newest - NEWEST, at__gt=since)
    return recent.filter(what="not-thanked", words=STOPPED).exists()


def send(
    conversation: Conversation,
    to: str,
    language: str,
    message: Message | None,
    incoming: Incoming | None,
    config: Config,
) -> Notice:
    """Queue the mail. What should be looked at first gets the emergency words only, and no promise of time."""
    words = all_words().get(short(language or config.site.language), all_words()["en"])
    text = sentences(conversation, language or config.site.language, words, config)
    token = new_id()
    keyring = keys.keyring(config)
    domain = config.mail.reply_domain
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, token)}@{domain}"
    thread = (
        [one for one in (*incoming.references[-20:], incoming.message_id) if PLAIN.fullmatch(one)] if incoming else []
    )
    answered = f"<{incoming.message_id}>" if incoming and PLAIN.fullmatch(incoming.message_id) else ""
    common = outgoing.Common(
        from_name=config.replies.name or config.site.name,
        from_address=telling.sender(config, conversation)[1],
        date=timezone.localtime(),
        language=language or config.site.language,
        auto_submitted="auto-replied",
        in_reply_to=answered,
        references=tuple(f"<{one}>" for one in thread if PLAIN.fullmatch(one)),
    )
    made = outgoing.compile(common, [subject(words["subject"], conversation, incoming)], ["\n\n".join(text) + "\n"])
    person = outgoing.Person(
        to=to,
        message_id=message_id,
        reply_to=links.way_back(config, "reply", keyring.make(Purpose.REPLY, token), domain),
    )
    once = f"ack:{issue_of(conversation)}:{message.pk if message else conversation.reference}"
    notice = notices.queue(
        Notice.Kind.ACKNOWLEDGEMENT,
        to,
        telling.signed(config, made.build((), person)),
        sender="",
        token=token,
        message_id=message_id,
        once=once,
    )
    if not Message.objects.filter(notice=notice).exists():
        Message.objects.create(
            conversation=conversation,
            kind=Message.Kind.ACKNOWLEDGEMENT,
            notice=notice,
            by=BY_ITSELF,
            to_address=to,
            message_id=message_id,
            new_words="\n\n".join(text),
        )
    return notice


def sentences(conversation: Conversation, language: str, words: Mapping[str, str], config: Config) -> list[str]:
    """What the thanks say, a paragraph each."""
    frozen = conversation.mailing.settings if conversation.mailing else {}
    sender = emergency.sender_of(config, str(frozen.get("sender_address", "")))
    urgent = emergency.words(config, language, sender) or words["emergency"]
    text = [words["thanks"]]
    if not conversation.look_first:
        text.append(words["promise"].format(hours=config.replies.hours))
    text += [words["reference"].format(reference=conversation.reference), f"{words['watched']} {urgent}"]
    return [*text, words["automatic"].format(site=config.site.name)]


def subject(says: str, conversation: Conversation, incoming: Incoming | None) -> str:
    """What it is, then what they wrote about (RFC 3834, 3.1.5); only the former where somebody else may look."""
    about = "" if conversation.sensitive or incoming is None else incoming.subject[:150].strip()
    return f"{says}: {about}" if about else says


def reference_only(conversation: Conversation, to: str, language: str) -> None:
    """The mail that was ticked on the page: the reference number, the emergency words, and nothing of what they wrote.

    The same limits hold, for anybody can type anybody's address. What they wrote is kept already: nothing here raises
    but for the database."""
    config = settings.current()
    if why := no_person(to, config) or enough(addresses.comparable(to)):
        DeskEntry.objects.create(conversation=conversation, by=BY_ITSELF, what="not-thanked", words=why)
        return
    try:
        with transaction.atomic():
            send(conversation, to, language, None, None, config)
    except (NewsletterError, ValueError) as error:
        DeskEntry.objects.create(conversation=conversation, by=BY_ITSELF, what="not-thanked", words=str(error)[:400])


def issue_of(conversation: Conversation) -> str:
    """What "one for each issue" counts by."""
    return str(conversation.mailing_id or "none")


def short(language: str) -> str:
    """`en-GB` → `en`."""
    return language.split("-")[0].lower()


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """Every language of acknowledgements.toml."""
    with Path(__file__).with_name("acknowledgements.toml").open("rb") as file:
        languages: dict[str, dict[str, str]] = tomllib.load(file)
    return languages
