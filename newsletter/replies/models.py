"""What came in: the raw message first, then the conversation it belongs to."""

from __future__ import annotations

from django.db import models

from newsletter.audience.models import Subscriber
from newsletter.sending.models import Delivery, Mailing


class Raw(models.Model):
    """Every message exactly as it arrived, stored before it is acknowledged. Idempotent on its hash and envelope."""

    sha256 = models.CharField(max_length=64)
    recipient = models.CharField(max_length=320)  # envelope recipient
    sender = models.CharField(max_length=320, blank=True, default="")  # envelope sender, "" = <>
    channel = models.CharField(max_length=20)  # pipe | catcher
    data = models.BinaryField()
    kind = models.CharField(
        max_length=12, blank=True, default=""
    )  # "" = not read yet; person, unsubscribe, quarantine …
    reason = models.CharField(max_length=200, blank=True, default="")
    received = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256", "recipient"], name="one_raw_per_message")]


class Conversation(models.Model):
    """A recipient's exchange with staff."""

    class State(models.TextChoices):
        NEW = "new"
        OPEN = "open"
        WAITING = "waiting"
        CLOSED = "closed"
        SPAM = "spam"

    mailing = models.ForeignKey(Mailing, on_delete=models.SET_NULL, null=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.SET_NULL, null=True)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.SET_NULL, null=True)
    verified = models.BooleanField(default=False)  # False: "sender not verified", linked to nobody
    subject = models.CharField(max_length=400, blank=True, default="")
    from_address = models.CharField(max_length=320, blank=True, default="")
    from_name = models.CharField(max_length=200, blank=True, default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)


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
