"""The ledger: a Mailing, one Delivery per person, and the tokens and pictures that the mail points to."""

from __future__ import annotations

from django.db import models

from newsletter.audience.models import Subscriber


class Mailing(models.Model):
    """One frozen Rendered per language, to one audience, at one time."""

    class State(models.TextChoices):
        APPROVED = "approved"  # frozen, nothing sent yet
        SENDING = "sending"
        PAUSED = "paused"
        STOPPED = "stopped"
        FINISHED = "finished"

    slug = models.CharField(max_length=200, unique=True)  # the folder; one mailing per issue
    state = models.CharField(max_length=10, choices=State.choices, default=State.APPROVED)
    rendered = models.JSONField()  # language → rendering.freeze.to_json(Rendered); "" = the default language
    public = models.JSONField(default=dict)  # language → the same issue in web mode: the public copy
    checksum = models.CharField(max_length=64)
    audience = models.JSONField()  # list keys, in order
    settings = models.JSONField()  # subject, sender name and address, reply_to, list headers: what building needs
    public_id = models.BinaryField(max_length=9, unique=True)  # stored id of the share_url token (purpose v)
    frozen = models.PositiveIntegerField(default=0)  # people, counted once
    excluded = models.JSONField(default=dict)  # why people are not in it: {"suppressed": 3, …}
    paused_why = models.TextField(blank=True, default="")  # words when it paused itself; kept after resume
    approved_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)


class Delivery(models.Model):
    """Mailing × Subscriber: the queue row and the record. L1: frozen = the sum over all states."""

    class State(models.TextChoices):
        PENDING = "pending"
        LEASED = "leased"
        INFLIGHT = "inflight"
        ACCEPTED = "accepted"
        DEFERRED = "deferred"
        FAILED = "failed"
        SUPPRESSED = "suppressed"
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        UNCERTAIN = "uncertain"

    mailing = models.ForeignKey(Mailing, on_delete=models.PROTECT, related_name="deliveries")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.SET_NULL, null=True)
    canonical = models.CharField(max_length=320)  # frozen
    address = models.CharField(max_length=320)  # frozen, as typed
    name = models.CharField(max_length=200, blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")
    values = models.JSONField(default=dict)  # frozen values of the slots and conditions used
    lists = models.JSONField(default=list)  # keys of the lists through which this person was chosen; List-Id = first
    token = models.BinaryField(max_length=9, unique=True)  # stored id of its r, b, m and v tokens
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempt = models.PositiveIntegerField(default=0)  # fencing: results write WHERE attempt = mine
    tries = models.PositiveIntegerField(default=0)  # real answers "not now" so far; sets the next delay
    reason = models.CharField(max_length=300, blank=True, default="")  # why it is in this state, in words
    worker = models.CharField(max_length=40, blank=True, default="")
    leased_until = models.DateTimeField(null=True)
    due = models.DateTimeField(null=True)  # deferred: not before
    reply_code = models.PositiveSmallIntegerField(null=True)
    reply_text = models.TextField(blank=True, default="")
    remote_id = models.CharField(max_length=200, blank=True, default="")  # what the server called it in its 250
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mailing", "subscriber"], name="one_delivery_per_person"),
            models.UniqueConstraint(fields=["mailing", "canonical"], name="one_delivery_per_address"),
        ]
        indexes = [
            # Partial, and named in the SQL of outbox: without INDEXED BY SQLite walks the primary key past
            # every finished row (67 ms instead of 0.56 ms a lease at 450,000 done).
            models.Index(fields=["mailing", "id"], condition=models.Q(state="pending"), name="delivery_pending"),
            models.Index(fields=["mailing", "due"], condition=models.Q(state="deferred"), name="delivery_deferred"),
            models.Index(fields=["mailing"], condition=models.Q(state="leased"), name="delivery_leased"),
            models.Index(fields=["mailing"], condition=models.Q(state="inflight"), name="delivery_inflight"),
            models.Index(fields=["mailing"], condition=models.Q(state="uncertain"), name="delivery_uncertain"),
        ]


class UnsubscribeKey(models.Model):
    """Stored id of a `u` token: names a person and a set of lists, outlives the ledger, never expires."""

    token = models.BinaryField(max_length=9, unique=True)
    canonical = models.CharField(max_length=320)
    lists = models.JSONField(default=list)  # sorted list keys; empty = everything (`bulk`)
    lists_key = models.CharField(max_length=500)  # the same, joined by a space, for the unique key

    class Meta:
        constraints = [models.UniqueConstraint(fields=["canonical", "lists_key"], name="one_key_per_choice")]


class Asset(models.Model):
    """A published picture or linked file, by content."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    extension = models.CharField(max_length=8)
    content_type = models.CharField(max_length=100)
    data = models.BinaryField()
