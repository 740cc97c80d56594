"""What came in: the raw message first, then the conversation it belongs to."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone

from newsletter.audience.models import Subscriber
from newsletter.sending.models import Delivery, Mailing, Notice

# Letters and digits that nobody mistakes for another when read out on the phone: no 0 O 1 I L U.
REFERENCE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_reference() -> str:
    """`K7M2-4QXP`: what a resident is given to quote. Random (39 bits), so that it says nothing of anybody."""
    letters = "".join(secrets.choice(REFERENCE) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Kind(models.TextChoices):
    """What an incoming message is. Every message has exactly one kind; `balance` adds them up."""

    UNREAD = "", "kept, not read yet"
    PERSON = "person"
    AUTO = "auto", "automatic"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    DUPLICATE = "duplicate"
    QUARANTINE = "quarantine"


CLOCK_RUNS = Q(waiting_since__isnull=False)
WAITS = Q(waiting_since__isnull=False) & Q(state__in=("new", "open"))  # who needs an answer now


class Raw(models.Model):
    """Every message exactly as it arrived, stored before it is acknowledged.

    The same bytes for the same recipient are kept once; each further arrival is a row of kind `duplicate`
    without the bytes, so that what was received can always be counted.
    """

    sha256 = models.CharField(max_length=64)
    recipient = models.CharField(max_length=320)  # envelope recipient, or the best we could find
    sender = models.CharField(max_length=320, blank=True, default="")  # envelope sender, "" = <>
    channel = models.CharField(max_length=20)  # pipe | lmtp | imap | maildir | webhook | page | catcher
    source = models.CharField(max_length=200, blank=True, default="")  # where in the channel: mailbox:uidvalidity:uid
    data = models.BinaryField()
    size = models.PositiveIntegerField(default=0)  # bytes
    kind = models.CharField(max_length=12, blank=True, default=Kind.UNREAD, choices=Kind.choices)
    detail = models.CharField(
        max_length=20, blank=True, default=""
    )  # of automatic mail: out-of-office, receipt, loop …
    reason = models.CharField(max_length=200, blank=True, default="")  # why this kind, in words
    delivery = models.ForeignKey(Delivery, on_delete=models.SET_NULL, null=True, related_name="incoming")
    answers = models.ForeignKey(Notice, on_delete=models.SET_NULL, null=True, related_name="incoming")  # our own answer
    duplicate_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # counted before reading: a poison message is noticed
    received = models.DateTimeField(auto_now_add=True)
    sorted_at = models.DateTimeField(null=True)
    # The bytes are gone, by request or by age; the row stays, so that the balance adds up and the same message read
    # once more (an IMAP folder read anew) is known as a duplicate instead of coming back.
    erased = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sha256", "recipient"],
                condition=~Q(kind=Kind.DUPLICATE),
                name="one_raw_per_message",
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(kind=Kind.UNREAD), name="raw_unread"),
            models.Index(fields=["source"], condition=~Q(source=""), name="raw_source"),
        ]


class Conversation(models.Model):
    """A recipient's exchange with staff: one per delivery and writer, so nobody is shown another's words."""

    class State(models.TextChoices):
        NEW = "new"
        OPEN = "open"
        WAITING = "waiting"  # we have answered, it is their turn
        SNOOZED = "snoozed"
        CLOSED = "closed"
        SPAM = "spam"

    class Identified(models.TextChoices):
        """How we know which copy is being answered."""

        TOKEN = "token", "by the reply address"
        MESSAGE_ID = "message-id", "by the message it answers"
        QUOTED = "quoted", "by a link in what they quoted"
        ADDRESS = "address", "matched by address"
        TEST = "test", "an answer to a test copy"
        NOBODY = "", "sender not verified"

    mailing = models.ForeignKey(Mailing, on_delete=models.SET_NULL, null=True, related_name="conversations")
    delivery = models.ForeignKey(Delivery, on_delete=models.SET_NULL, null=True, related_name="conversations")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.SET_NULL, null=True)  # only when they wrote it
    verified = models.BooleanField(default=False)  # False: "sender not verified", linked to nobody
    identified = models.CharField(max_length=10, blank=True, default="", choices=Identified.choices)
    someone_else = models.BooleanField(default=False)  # answered from a copy that was sent to another address
    writer = models.CharField(max_length=320, blank=True, default="")  # canonical From: keeps two writers apart
    subject = models.CharField(max_length=400, blank=True, default="")
    from_address = models.CharField(max_length=320, blank=True, default="")
    from_name = models.CharField(max_length=200, blank=True, default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    version = models.PositiveIntegerField(
        default=1
    )  # grows with every change: two people cannot answer over each other
    reference = models.CharField(max_length=9, unique=True, default=new_reference)
    team = models.CharField(max_length=40, blank=True, default="")  # key in [teams]
    assignee = models.CharField(max_length=40, blank=True, default="")  # key in [staff]
    language = models.CharField(max_length=35, blank=True, default="")
    sensitive = models.BooleanField(default=False)  # answered under a neutral subject, nothing quoted
    held = models.BooleanField(default=False)  # legal hold: nothing of it is erased until it is lifted
    phone = models.CharField(max_length=60, blank=True, default="")
    safe_to_write = models.CharField(max_length=10, blank=True, default="")  # "" not asked | yes | no | unsure
    safe_to_phone = models.CharField(max_length=10, blank=True, default="")
    look_first = models.CharField(max_length=200, blank=True, default="")  # why it should be looked at first, in words
    looked_at = models.DateTimeField(null=True)  # when a look-at-first conversation was claimed: the climbing ends
    climbed = models.PositiveSmallIntegerField(default=0)  # how many notices went out for it
    climb_at = models.DateTimeField(null=True)  # when the next one is due
    waiting_since = models.DateTimeField(null=True)  # their oldest message without our answer; the clock counts from it
    due = models.DateTimeField(null=True)  # the answer is promised until then
    answered_at = models.DateTimeField(null=True)  # our first answer
    answered_in_target = models.BooleanField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    merged_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="merged")
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "created"], name="conversation_waiting"),
            models.Index(fields=["state", "due"], name="conversation_due"),
            models.Index(fields=["climb_at"], condition=Q(climb_at__isnull=False), name="conversation_climbs"),
            models.Index(fields=["writer"], name="conversation_writer"),
            # The desk's lists walk these in order and stop after one page: nobody sorts 100,000 conversations. The
            # condition names no state: SQLite cannot see that a parameter is one of the states of an index.
            models.Index(fields=["waiting_since", "id"], condition=CLOCK_RUNS, name="desk_waits"),
            models.Index(fields=["assignee", "waiting_since", "id"], condition=CLOCK_RUNS, name="desk_mine"),
            models.Index(fields=["team", "waiting_since", "id"], condition=CLOCK_RUNS, name="desk_team"),
            models.Index(fields=["mailing", "waiting_since", "id"], condition=CLOCK_RUNS, name="desk_issue"),
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_until__isnull=False), name="desk_snoozed"),
        ]


class Message(models.Model):
    """One message of a Conversation: theirs, ours, or a note between colleagues.

    Theirs have a `raw` (also what was written on the page: it is kept as a mail), ours a `notice`, notes neither.
    """

    class Kind(models.TextChoices):
        PERSON = "person"  # theirs
        AUTO = "auto", "automatic"  # theirs, kept folded: it reopens nothing
        ANSWER = "answer"  # ours
        ACKNOWLEDGEMENT = "acknowledgement"  # ours, by itself
        FORWARD = "forward"  # ours, to somebody else
        NOTE = "note"  # between colleagues, never sent

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PERSON)
    raw = models.OneToOneField(Raw, on_delete=models.PROTECT, null=True)
    notice = models.OneToOneField(Notice, on_delete=models.PROTECT, null=True, related_name="message")
    by = models.CharField(max_length=100, blank=True, default="")  # a colleague, for what is ours
    to_address = models.CharField(max_length=320, blank=True, default="")  # ours: whom it went to
    language = models.CharField(max_length=35, blank=True, default="")
    html = models.TextField(blank=True, default="")  # theirs, cleaned for showing; "" = text only
    html_blocked = models.PositiveIntegerField(default=0)  # remote pictures that were taken out
    # What our own mail server found out about the domain in From ("" = nothing, proved, failed), and whether the writer
    # signed the mail, which nobody has checked.
    vouched = models.CharField(max_length=10, blank=True, default="")
    signed = models.BooleanField(default=False)
    message_id = models.CharField(max_length=998, blank=True, default="", db_index=True)
    from_address = models.CharField(max_length=320, blank=True, default="")
    from_name = models.CharField(max_length=200, blank=True, default="")
    new_words = models.TextField(blank=True, default="")
    full_text = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=timezone.now)
    on_its_way = models.BooleanField(default=False)  # ours: the desk has not heard yet what became of it
    trouble = models.CharField(max_length=300, blank=True, default="")  # ours: why it did not arrive, in words

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["id"], condition=Q(on_its_way=True), name="message_on_its_way")]


class Attachment(models.Model):
    """A file that came with a message. The bytes lie in var/attachments/ under their hash, unaltered."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)  # by its first bytes, never by what the mail says
    size = models.PositiveBigIntegerField()  # bytes
    sha256 = models.CharField(max_length=64, db_index=True)
    refused = models.CharField(max_length=200, blank=True, default="")  # why it was not kept, in words


class Tag(models.Model):
    """A word that colleagues put on a conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="tags")
    word = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["word", "conversation"], name="one_tag_each")]


class DeskEntry(models.Model):
    """What was done with a conversation, by whom and when; append-only, and never with the resident's words.

    A trigger in the database refuses every change of a line. `version` is the conversation's after it.
    """

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=100)  # a colleague, or "newsletter" itself
    what = models.CharField(max_length=20)  # came | claimed | assigned | noted | answered | closed | seen | held …
    words = models.CharField(max_length=400, blank=True, default="")
    version = models.PositiveIntegerField(default=0)


class Look(models.Model):
    """Which version of a conversation a colleague has seen last: what they may answer, and who is looking now."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="looks", db_index=False)
    staff = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "staff"], name="one_look_each")]


class Absence(models.Model):
    """A colleague who is away, and who stands in for them."""

    staff = models.CharField(max_length=40)
    stand_in = models.CharField(max_length=40)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)


class Bounce(models.Model):
    """Mail of ours that came back: a fact on the delivery, never a state of it. At most one for each delivery."""

    class Outcome(models.TextChoices):
        GONE = "gone", "the address does not exist"
        FULL = "full", "the mailbox is full"
        BLOCKED = "blocked", "our mail was refused, whoever it was for"
        TRANSIENT = "transient", "for the moment"
        UNKNOWN = "unknown", "no reason could be read"

    raw = models.ForeignKey(Raw, on_delete=models.PROTECT, related_name="bounces")
    delivery = models.OneToOneField(Delivery, on_delete=models.SET_NULL, null=True, related_name="bounce")
    notice = models.OneToOneField(Notice, on_delete=models.SET_NULL, null=True, related_name="bounce")
    canonical = models.CharField(max_length=320, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    status = models.CharField(max_length=20, blank=True, default="")  # 5.1.1
    words = models.CharField(max_length=300, blank=True, default="")
    at = models.DateTimeField(auto_now_add=True)


class Complaint(models.Model):
    """Somebody pressed "this is spam": a fact on the delivery."""

    raw = models.OneToOneField(Raw, on_delete=models.PROTECT)
    delivery = models.ForeignKey(Delivery, on_delete=models.SET_NULL, null=True, related_name="complaints")
    canonical = models.CharField(max_length=320, blank=True, default="", db_index=True)
    feedback = models.CharField(max_length=40, blank=True, default="")  # abuse, opt-out, fraud …
    at = models.DateTimeField(auto_now_add=True)


class Erasure(models.Model):
    """That something was erased, by whom and why, in numbers: never whose it was."""

    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=100)
    why = models.CharField(max_length=200)  # asked | kept long enough
    conversations = models.PositiveIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    raw = models.PositiveIntegerField(default=0)  # incoming messages that were emptied
    notices = models.PositiveIntegerField(default=0)
    files = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)  # conversations that a legal hold kept


class MailboxState(models.Model):
    """How far a mailbox was read; on our side, so that nothing depends on flags that others may change."""

    mailbox = models.CharField(max_length=40)  # key in [mailboxes]
    folder = models.CharField(max_length=200)
    uidvalidity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    seen = models.DateTimeField(null=True)  # when it was last read without trouble
    trouble = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailbox", "folder"], name="one_state_per_folder")]


class Canary(models.Model):
    """A mail to ourselves that must come back through one intake."""

    intake = models.CharField(max_length=40)  # key in [mailboxes], or lmtp, pipe
    token = models.BinaryField(max_length=9, unique=True)
    sent = models.DateTimeField()
    back = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["intake", "sent"], name="canary_of_intake")]
