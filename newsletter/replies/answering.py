"""Answering a person: looked at before it leaves, refused when anything has happened meanwhile, sent once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from newsletter.audience import never
from newsletter.audience.models import Suppression
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import clock, desk, journal, page, recipients, returns, writing
from newsletter.replies.models import Conversation, Look, Message
from newsletter.replies.states import Event
from newsletter.replies.who import Colleague
from newsletter.replies.writing import Letter
from newsletter.sending import notices
from newsletter.sending.models import Notice

UNSAFE = ("no", "unsure")
PRESENT = timedelta(minutes=15)  # who has opened a conversation in this time may be writing


@dataclass(frozen=True)
class Plan:
    """An answer as it would leave, and the version of the conversation that it answers."""

    conversation: int
    version: int
    message: int  # the answered one
    letter: Letter
    words: str  # what the colleague wrote, without what is quoted
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """What became of it: `state` is that of the notice, `words` say it."""

    conversation: int
    notice: int
    state: str
    words: str


def plan(
    config: Config,
    number: int,
    by: Colleague,
    text: str,
    *,
    to: str = "",
    message: int | None = None,
    version: int | None = None,
    anyway: bool = False,
    quote: bool = True,
    fields: bool = False,
) -> Plan:
    """The answer to one conversation, ready to be looked at; nothing is written down yet.

    `version`: the one that was read; without it the one that `seen` has noted for this colleague. `anyway`: also
    where it may not be safe to write. `fields`: `{name}` and the like are filled in.
    Raises NewsletterError: no-such-conversation, merged-away, not-read-yet, conversation-moved, nothing-said,
    nothing-to-answer, choose-recipient, not-on-this-message, not-safe-to-write, never-written-to.
    """
    found = conversation(number)
    if found.merged_into_id is not None:
        raise desk.merged_away(found)
    expected = _expected(found, by, version)
    answered = recipients.answered(found, message)
    envelope = recipients.envelope(answered, config)
    choice = recipients.choose(found, answered, envelope)
    address = recipients.settled(choice, to, number)
    if found.safe_to_write in UNSAFE and not anyway:
        said = {"no": "They said that it is not safe to write to them", "unsure": "They are not sure that it is safe"}
        hint = "Ring them if that is safe, or add --anyway where you know better."
        raise NewsletterError(Problem("not-safe-to-write", said[found.safe_to_write], hint), exit=Exit.REFUSED)
    may_be_written_to(address)
    words = writing.filled(text, writing.fields(found, answered, config), number) if fields else text
    if not words.strip():
        raise NewsletterError(
            Problem("nothing-said", "There are no words in it", "Say it with --text."), exit=Exit.USAGE
        )
    wrote_it = recipients.same(address) == recipients.same(answered.from_address)
    whole = words.strip()
    claimed = answered.raw is not None and answered.raw.channel == page.CHANNEL
    if quote and wrote_it and not claimed and not found.sensitive and answered.new_words.strip():
        whole += f"\n\n{writing.quoted(answered)}"
    in_reply_to, references = writing.thread(envelope)
    name = writing.printable(answered.from_name) if wrote_it and not claimed and not found.sensitive else ""
    subject = writing.subject(found, envelope, config)
    letter = Letter(Notice.Kind.ANSWER, address, name, subject, f"{whole}\n", in_reply_to, references)
    warnings = _warnings(found, choice, address, wrote_it, by)
    if claimed:
        warnings = (f"Written on the page: whoever holds the link can say {address}. Nothing is quoted", *warnings)
    return Plan(number, expected, answered.pk, letter, words.strip(), warnings)


def send(config: Config, planned: Plan, by: Colleague, *, close: bool = False) -> int:
    """Queue it, in one transaction with the new state; gives back the notice. `deliver` carries it afterwards.

    Raises NewsletterError(conversation-moved) when anything has happened since it was planned: then nothing is sent.
    """
    with desk.changing(planned.conversation, by, planned.version) as found:
        clock.answered(found, timezone.now())
        desk.step(found, Event.ANSWER)
        once = f"answer:{found.pk}:{planned.version}"
        notice = writing.queued(config, found, planned.letter, once)
        Message.objects.create(
            conversation=found,
            kind=Message.Kind.ANSWER,
            notice=notice,
            by=by.key,
            to_address=planned.letter.to,
            message_id=notice.message_id,
            new_words=planned.words,
            full_text=planned.letter.text,
            on_its_way=True,
        )
        found.assignee = found.assignee or by.key
        journal.note(found, "answered", f"to {planned.letter.to}", by.key)
        if close:
            desk.step(found, Event.CLOSE)
            journal.note(found, "closed", "with the answer", by.key)
    return notice.pk


def deliver(config: Config, numbers: list[int]) -> list[Sent]:
    """Carry what was queued, at once; what the mail server does not take now is the worker's to try again."""
    trouble = ""
    try:
        notices.deliver(config, only=numbers)
    except NewsletterError as error:
        trouble = str(error)
    returns.look()
    rows = Notice.objects.filter(pk__in=numbers).defer("data").select_related("message").order_by("pk")
    return [Sent(row.message.conversation_id, row.pk, row.state, _words(row, trouble)) for row in rows]


def _words(row: Notice, trouble: str) -> str:
    if row.state == Notice.State.ACCEPTED:
        return "sent"
    if row.state in (Notice.State.PENDING, Notice.State.DEFERRED, Notice.State.INFLIGHT):
        why = row.reason or trouble
        return "queued" + (f": {why}" if why else "") + "; `newsletter worker` sends it"
    if row.state == Notice.State.UNCERTAIN:
        return f"nobody knows whether it arrived: {row.reason}"
    return f"not sent: {row.reason}"


def conversation(number: int) -> Conversation:
    rows = Conversation.objects.select_related("mailing", "delivery").defer("mailing__rendered", "mailing__public")
    found = rows.filter(pk=number).first()
    if found is None:
        hint = "`newsletter replies list --all` shows every number."
        problem = Problem("no-such-conversation", f"There is no conversation {number}", hint)
        raise NewsletterError(problem, exit=Exit.USAGE)
    return found


def _expected(found: Conversation, by: Colleague, version: int | None) -> int:
    """The version that this colleague has read. Raises NewsletterError: not-read-yet, conversation-moved."""
    if version is None:
        look = Look.objects.filter(conversation=found, staff=by.key).first()
        if look is None:
            hint = f"newsletter replies show {found.pk}"
            problem = Problem("not-read-yet", f"You have not opened {found.pk} yet; read it before you answer", hint)
            raise NewsletterError(problem, exit=Exit.REFUSED)
        version = look.version
    if version != found.version:
        raise desk.moved(found, version)
    return version


def may_be_written_to(address: str) -> None:
    """Who left the lists still gets an answer to what they asked; a dead or erased address gets nothing."""
    dead = never.found(recipients.same(address))
    if dead and dead.scope == Suppression.Scope.ALL:
        hint = "Nothing is sent to that address any more, by anybody. Ring them, or write a letter."
        problem = Problem("never-written-to", f"{address} is never written to: {dead.reason}", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)


def _warnings(
    found: Conversation, choice: recipients.Choice, address: str, wrote_it: bool, by: Colleague
) -> tuple[str, ...]:
    said = []
    if choice.why:
        said.append(f"It goes to {address} only: {choice.why}")
    if not found.verified:
        said.append("Nothing shows that they answer a message of ours: whoever wrote may use another's address")
    if not wrote_it:
        said.append("That is not who wrote the message, so nothing of it is quoted")
    if found.safe_to_write in UNSAFE:
        said.append("They said that it may not be safe to write to them")
    if found.sensitive:
        said.append("Sensitive: the subject says nothing, and nothing is quoted")
    said += [f"{name} opened it {when}" for name, when in looking(found.pk, by)]
    return tuple(said)


def looking(number: int, by: Colleague) -> list[tuple[str, str]]:
    """Who else has opened it in the last quarter of an hour, and how long ago."""
    now = timezone.now()
    recent = Look.objects.filter(conversation=number, at__gte=now - PRESENT).exclude(staff=by.key)
    return [(look.staff, f"{clock.span(now - look.at)} ago") for look in recent.order_by("-at")]
