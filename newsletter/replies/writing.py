"""The bytes of an answer: ordinary mail in the same thread, with addresses by which theirs comes back here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from newsletter.config import Config
from newsletter.mail import outgoing
from newsletter.mail.tokens import Purpose, new_id
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean
from newsletter.replies import telling
from newsletter.replies.models import Conversation, Message
from newsletter.replies.recipients import Envelope
from newsletter.sending import keys, links, notices
from newsletter.sending.models import Notice

QUOTED = 60  # lines of theirs under an answer; they have the rest
REFERENCES = 20  # Message-IDs; RFC 5322 sets no limit, servers do at some kilobytes
_RE = re.compile(r"^\s*((re|aw|antw|sv|vs|odp|ref|rif|ynt|fwd?|wg)\s*(\[\d{1,3}\])?\s*[:：]\s*)+", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[!-;=?-~]{1,250}")
_FIELD = re.compile(r'\{([a-z_]+)(?:\s+or\s+"([^"\n]{0,200})")?\}')
FIELDS = ("name", "reference", "issue", "team")


@dataclass(frozen=True)
class Letter:
    """A mail of the desk, before it has addresses of its own."""

    kind: str  # of Notice
    to: str
    to_name: str
    subject: str
    text: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def subject(conversation: Conversation, found: Envelope, config: Config) -> str:
    """`Re: …`, once, whatever was piled up before it; neutral where the conversation is sensitive."""
    if conversation.sensitive:
        return f"Your message to {config.site.name} ({conversation.reference})"
    plain = _RE.sub("", printable(found.subject or conversation.subject)).strip()
    return f"Re: {plain[:300]}" if plain else f"Your message to {config.site.name}"


def printable(text: str) -> str:
    """What a header may hold of a name or a subject that a stranger wrote."""
    return "".join(letter for letter in text if letter.isprintable())


def thread(found: Envelope) -> tuple[str, tuple[str, ...]]:
    """In-Reply-To and References (RFC 5322 3.6.4): theirs, then the message that is answered."""
    own = found.message_id if _IDENTIFIER.fullmatch(found.message_id) else ""
    before = [one for one in found.references if _IDENTIFIER.fullmatch(one) and one != own]
    if len(before) > REFERENCES:
        before = [before[0], *before[-REFERENCES + 1 :]]
    chain = tuple(f"<{one}>" for one in dict.fromkeys([*before, *([own] if own else [])]))
    return (f"<{own}>" if own else ""), chain


def quoted(message: Message) -> str:
    """Their words under ours, as a mail program does it."""
    lines = message.new_words.strip().splitlines()
    shown = [f"> {line}".rstrip() for line in lines[:QUOTED]]
    if len(lines) > QUOTED:
        shown.append("> …")
    at = timezone.localtime(message.at)
    return "\n".join([f"On {at.day} {at:%B %Y} at {at:%H:%M} you wrote:", *shown])


def fields(conversation: Conversation, message: Message, config: Config) -> dict[str, str]:
    """The values that a saved answer may hold. The name is what they wrote themselves, never that of the copy."""
    team = config.teams.get(conversation.team) if not conversation.sensitive else None
    issue = conversation.mailing.settings.get("subject", "") if conversation.mailing else ""
    return {
        "name": message.from_name,
        "reference": conversation.reference,
        "issue": "" if conversation.sensitive else issue,
        "team": team.title if team else config.site.name,
    }


def filled(text: str, values: Mapping[str, str], number: int) -> str:
    """`{name or "neighbour"}` and the like, filled in. Raises NewsletterError: unknown-answer-field,
    empty-answer-field."""

    def value(found: re.Match[str]) -> str:
        name, instead = found[1], found[2]
        if name not in values:
            hint = did_you_mean(name, FIELDS) or f"There are: {', '.join(f'{{{one}}}' for one in FIELDS)}."
            problem = Problem("unknown-answer-field", f"An answer has no field {{{name}}}", hint)
            raise NewsletterError(problem, exit=Exit.USAGE)
        known = values[name] or instead
        if known is None or not known.strip():
            hint = f'Say what stands there instead: {{{name} or "neighbour"}}.'
            raise NewsletterError(Problem("empty-answer-field", f"{{{name}}} is not known for {number}", hint))
        return known

    return _FIELD.sub(value, text)


def saved(config: Config, key: str) -> str:
    """The text of a saved answer. Raises NewsletterError(no-such-answer)."""
    found = config.answers.get(key)
    if found is None:
        known = ", ".join(config.answers) or "none yet; add [answers.KEY] with title and text"
        hint = did_you_mean(key, config.answers) or f"There are: {known}."
        raise NewsletterError(Problem("no-such-answer", f"There is no saved answer {key!r}", hint), exit=Exit.USAGE)
    return found.text


def queued(config: Config, conversation: Conversation, letter: Letter, once: str) -> Notice:
    """Build the mail and queue it, in the caller's transaction. Raises NewsletterError: never-written-to, bad-address.

    Its token is fresh: in Reply-To, Message-ID and the envelope sender, so that whatever comes back names this mail.
    """
    keyring, token, mail = keys.keyring(config), new_id(), config.mail
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, token)}@{mail.reply_domain}"
    reply_to = links.way_back(config, "reply", keyring.make(Purpose.REPLY, token), mail.reply_domain)
    bounces = links.way_back(config, "bounce", keyring.make(Purpose.BOUNCE, token), mail.bounce_domain)
    name, from_address = telling.sender(config, conversation)
    common = outgoing.Common(
        name,
        from_address,
        timezone.localtime(),
        language=conversation.language,
        reply_name=name,
        in_reply_to=letter.in_reply_to,
        references=letter.references,
    )
    person = outgoing.Person(letter.to, message_id, reply_to, name=letter.to_name)
    data = outgoing.compile(common, (letter.subject,), (letter.text,)).build((), person)
    notice = notices.queue(
        letter.kind,
        letter.to,
        telling.signed(config, data),
        sender=bounces,
        token=token,
        message_id=message_id,
        once=once,
    )
    if notice.state == Notice.State.SUPPRESSED:
        hint = "Nothing is sent to that address any more, by anybody. Ring them, or write a letter."
        problem = Problem("never-written-to", f"{letter.to} is {notice.reason}", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    return notice
