"""Whom an answer goes to: the From of the answered message, and a question wherever that could harm somebody."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.mail import header_reading as reading
from newsletter.mail.tokens import in_address
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies.models import Conversation, Message

HEADERS = 65_536  # bytes of the raw message that are looked at; reading headers costs the same for any mail


@dataclass(frozen=True)
class Envelope:
    """What the headers of the answered message say; "" and () for one without a raw message."""

    subject: str = ""
    message_id: str = ""
    references: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # who else was in To and Cc


@dataclass(frozen=True)
class Choice:
    """The address that an answer goes to by itself; `why` is not empty where a person must say it."""

    address: str
    name: str
    why: str = ""
    others: tuple[str, ...] = ()


def family(conversation: Conversation) -> list[int]:
    """The numbers of a conversation and of all that were merged into it."""
    found = [conversation.pk]
    fresh = found
    while fresh:
        below = Conversation.objects.filter(merged_into__in=fresh).exclude(pk__in=found)
        fresh = list(below.values_list("pk", flat=True))
        found = [*found, *fresh]
    return found


def answered(conversation: Conversation, number: int | None = None) -> Message:
    """The message that is answered: their latest, or the one of this number.

    Raises NewsletterError(nothing-to-answer).
    """
    theirs = Message.objects.filter(conversation__in=family(conversation), kind=Message.Kind.PERSON)
    found = theirs.filter(pk=number) if number is not None else theirs
    message = found.select_related("raw").defer("raw__data").order_by("-at", "-id").first()
    if message is None:
        problem = Problem("nothing-to-answer", f"There is no message of theirs to answer in {conversation.pk}", "")
        raise NewsletterError(problem, exit=Exit.USAGE)
    return message


def envelope(message: Message, config: Config) -> Envelope:
    """The headers that an answer needs, read from the raw message."""
    if message.raw is None:
        return Envelope(message_id=message.message_id)
    headers: dict[str, str] = {}
    for name, value in reading.block(bytes(message.raw.data)[:HEADERS]):
        headers[name] = f"{headers[name]}, {value}" if name in ("to", "cc") and name in headers else value
    people = [address for name in ("to", "cc") for _, address in reading.mailboxes(headers.get(name, "")) if address]
    writer = same(message.from_address)
    others = [one for one in dict.fromkeys(people) if same(one) != writer and not is_ours(one, config)]
    ids = reading.identifiers(headers.get("message-id", ""))
    return Envelope(
        reading.words(headers.get("subject", "")),
        ids[0] if ids else message.message_id,
        reading.identifiers(headers.get("references", "") or headers.get("in-reply-to", "")),
        tuple(others),
    )


def is_ours(address: str, config: Config) -> bool:
    """True for the addresses that answers come in at, and those that our mail comes from."""
    for domain in (config.mail.reply_domain, config.mail.bounce_domain):
        if in_address(address, domain, config.mail.separator):
            return True
    known = [config.replies.mailbox, config.replies.address, *(sender.address for sender in config.senders.values())]
    return same(address) in {same(one) for one in known if one}


def choose(conversation: Conversation, message: Message, found: Envelope) -> Choice:
    """The From, and why a person must say that it is right: a copy that was sent to somebody else, somebody in Cc,
    two writers in one conversation, or no address that one could write to."""
    address, name = message.from_address, message.from_name
    if not address:
        return Choice("", "", "the message does not say who wrote it", found.others)
    sent_to = conversation.delivery.canonical if conversation.delivery else ""
    if sent_to and same(address) != sent_to:
        return Choice(address, name, f"it answers a copy that was sent to {sent_to}, not to them", found.others)
    if found.others:
        return Choice(address, name, f"{', '.join(found.others[:5])} got it as well", found.others)
    writers = Message.objects.filter(conversation__in=family(conversation), kind=Message.Kind.PERSON)
    several = {same(one) for one in writers.values_list("from_address", flat=True)}
    if len(several) > 1:
        return Choice(address, name, "there are two writers in this conversation", ())
    return Choice(address, name)


def settled(choice: Choice, to: str, number: int) -> str:
    """The address to use: `to` where somebody chose, else the From where nothing speaks against it.

    Raises NewsletterError: choose-recipient (exit 4) and not-on-this-message.
    """
    if to:
        wanted = same(to)
        for one in (choice.address, *choice.others):
            if one and same(one) == wanted:
                return one
        hint = f"`newsletter replies forward {number} --to ADDRESS` passes it on to somebody else, and says so."
        problem = Problem("not-on-this-message", f"{to} neither wrote this message nor got it", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if not choice.why:
        return choice.address
    known = [one for one in (choice.address, *choice.others) if one]
    ways = " or ".join(f"--to {one}" for one in known[:5])
    hint = f"Add {ways}" if ways else "Mail cannot go to them. Perhaps a phone number or an address is in their words."
    problem = Problem("choose-recipient", f"Say whom the answer goes to: {choice.why}", hint)
    raise NewsletterError(problem, exit=Exit.REFUSED)


def same(address: str) -> str:
    """The address for comparing; what is none is compared as it stands."""
    try:
        return addresses.canonical(address)
    except ValueError:
        return address.strip().lower()
