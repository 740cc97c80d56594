"""What came in: the raw message first, then the conversation it belongs to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from newsletter.audience.models import Subscriber
from newsletter.sending.models import Delivery, Mailing


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


class Raw(models.Model):
    """Every message exactly as it arrived, stored before it is acknowledged.

    The same bytes for the same recipient are kept once; each further arrival is a row of kind `duplicate`
    without the bytes, so that what was received can always be counted.
    """

    sha256 = models.CharField(max_length=64)
    recipient = models.CharField(max_length=320)  # envelope recipient, or the best we could find
    sender = models.CharField(max_length=320, blank=True, default="")  # envelope sender, "" = <>
    channel = models.CharField(max_length=20)  # pipe | catcher
    data = models.BinaryField()
    size = models.PositiveIntegerField(default=0)  # bytes
    kind = models.CharField(max_length=12, blank=True, default=Kind.UNREAD, choices=Kind.choices)
    reason = models.CharField(max_length=200, blank=True, default="")  # why this kind, in words
    delivery = models.ForeignKey(Delivery, on_delete=models.SET_NULL, null=True, related_name="incoming")
    duplicate_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True)
    attempts = models.PositiveSmallIntegerField(default=0)  # counted before reading: a poison message is noticed
    received = models.DateTimeField(auto_now_add=True)
    sorted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sha256", "recipient"],
                condition=~Q(kind=Kind.DUPLICATE),
                name="one_raw_per_message",
            )
        ]
        indexes = [models.Index(fields=["id"], condition=Q(kind=Kind.UNREAD), name="raw_unread")]


class Conversation(models.Model):
    """A recipient's exchange with staff: one per delivery and writer, so nobody is shown another's words."""

    class State(models.TextChoices):
        NEW = "new"
        OPEN = "open"
        WAITING = "waiting"
        CLOSED = "closed"
        SPAM = "spam"

    class Identified(models.TextChoices):
        """How we know which copy is being answered."""

        TOKEN = "token", "by the reply address"
        MESSAGE_ID = "message-id", "by the message it answers"
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
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["state", "created"], name="conversation_waiting")]


class Message(models.Model):
    """One message of a Conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    raw = models.OneToOneField(Raw, on_delete=models.PROTECT)
    message_id = models.CharField(max_length=998, blank=True, default="", db_index=True)
    from_address = models.CharField(max_length=320, blank=True, default="")
    from_name = models.CharField(max_length=200, blank=True, default="")
    new_words = models.TextField(blank=True, default="")
    full_text = models.TextField(blank=True, default="")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "id"]
