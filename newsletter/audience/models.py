"""The records of people: who they are, what they chose, and who must never be mailed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import models
from django.utils import timezone


class AsWritten(json.JSONEncoder):
    """JSON with letters as they are. The import writes and compares this column in SQL, where é and \\u00e9 differ."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**{**how, "ensure_ascii": False})


class Subscriber(models.Model):
    """A person we can write to. `canonical` is the address for comparing: trimmed, lower case, A-label domain.

    `attributes` holds the declared fields by key, and two lists of text: "areas" (keys of Area) and "tags". A key
    without a value is left out, so `"ward" not in attributes` is the one way to say "we do not know". What it holds
    is also kept the other way round, value → people, as Trait and Holding (audience.traits), which segments count from.
    """

    address = models.CharField(max_length=320)  # as typed
    canonical = models.CharField(max_length=320, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    first_name = models.CharField(max_length=200, blank=True, default="")
    last_name = models.CharField(max_length=200, blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")  # BCP 47; "" = the site's
    attributes = models.JSONField(default=dict, encoder=AsWritten)
    created = models.DateTimeField(auto_now_add=True)


class FormerAddress(models.Model):
    """An address that a person has moved away from: links in mail that was sent there still mean that person."""

    canonical = models.CharField(max_length=320, unique=True)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)


class Trait(models.Model):
    """One value that people have: of a declared field, or of "language", "areas", "tags". A person's own are in
    `attributes`; this is the same the other way round."""

    key = models.CharField(max_length=100)
    value = models.CharField(max_length=200)  # as text; a longer value is not chosen by and not kept here

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "value"], name="one_trait_each")]


class Holding(models.Model):
    """A person has a trait. Its primary key, read in order, is the list of people of a trait."""

    pk = models.CompositePrimaryKey("trait", "subscriber")
    # No constraints of the database: each would be looked up for every one of a million people that an import brings.
    trait = models.ForeignKey(Trait, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, db_constraint=False, db_index=False)


class Area(models.Model):
    """A place on the map of the body: county > district > ward or parish. From `recipients/areas/`."""

    key = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=40, blank=True, default="")  # county, ward … as the body calls it
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    boundary = models.JSONField(null=True)  # GeoJSON geometry (RFC 7946): Polygon or MultiPolygon, degrees


class Postcode(models.Model):
    """Where a postcode lies, from an open-data file that the body supplies."""

    code = models.CharField(max_length=12, unique=True)  # as people write it, with one space: ST16 3AA
    longitude = models.FloatField(null=True)  # degrees, WGS 84
    latitude = models.FloatField(null=True)
    area = models.ForeignKey(Area, on_delete=models.SET_NULL, null=True, related_name="postcodes")


class Segment(models.Model):
    """A named choice of people, as data (audience.segments): stored, and reusable wherever a list may stand."""

    key = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    definition = models.JSONField(encoder=AsWritten)
    changed = models.DateTimeField(auto_now=True)
    by = models.CharField(max_length=100, blank=True, default="")


class MailingList(models.Model):
    """A topic that people can choose; its words live in newsletter.toml under the same key."""

    key = models.CharField(max_length=100, unique=True)


class Subscription(models.Model):
    """One person's choice of one list. A LEFT row stays for ever: it is what stops an import from undoing it.

    Who writes one holds the row of its person until the transaction ends (`subscribing.proof.held`, the import), and
    who deletes a person does, too; a list is never deleted. So no constraint of the database need look both up: on
    PostgreSQL that was 10 of 15 us a person of an import.
    """

    class State(models.TextChoices):
        PENDING = "pending"  # asked for, not confirmed: gets nothing
        CONFIRMED = "confirmed"
        LEFT = "left"

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="subscriptions", db_constraint=False
    )
    # The unique constraint's index serves.
    list = models.ForeignKey(MailingList, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.CONFIRMED)
    paused_until = models.DateTimeField(null=True)  # confirmed, but gets nothing before this moment
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "subscriber"], name="one_subscription_each")]
        # Counting: all of a list by the constraint's index, less those of this short one (dialect.odd). To look at
        # a million rows for their state took 0.1 s on SQLite and 0.2 s on PostgreSQL.
        indexes = [
            models.Index(
                fields=["list", "subscriber", "state", "paused_until"],
                condition=models.Q(state__in=["pending", "left"]) | models.Q(paused_until__isnull=False),
                name="subscription_odd",
            )
        ]


class Wording(models.Model):
    """Words that people were shown when they chose, word for word; its number is the version. Never changed."""

    sha256 = models.CharField(max_length=64, unique=True)
    text = models.TextField()
    first_used = models.DateTimeField(auto_now_add=True)

    @classmethod
    def of(cls, text: str) -> Wording | None:
        """The record of these words, made when they are new; None for none."""
        if not text:
            return None
        from newsletter.audience import quickly  # which reads our models

        digest = cls.digest(text)
        # Nearly always they are known: a fifth of what get_or_create takes while nobody else may write.
        if found := quickly.first(cls, "sha256 = %s", [digest]):
            return found
        return cls.objects.get_or_create(sha256=digest, defaults={"text": text})[0]

    @staticmethod
    def digest(text: str) -> str:
        """What these words are found by."""
        return hashlib.sha256(text.encode()).hexdigest()


class ConsentEvent(models.Model):
    """Append-only proof of every change: who, when, how, in which words."""

    canonical = models.CharField(max_length=320)
    list_key = models.CharField(max_length=100, blank=True, default="")  # "" = everything
    event = models.CharField(max_length=20)  # asked | joined | left | returned | paused | suppressed | lifted | …
    channel = models.CharField(max_length=20)  # import | one-click | page | mail | staff
    # What they were shown. Words are never deleted, so no constraint looks them up for each proof of an import.
    wording = models.ForeignKey(Wording, on_delete=models.PROTECT, null=True, db_constraint=False, db_index=False)
    why = models.TextField(blank=True, default="")  # our own words: the file, the message, the reason
    by = models.CharField(max_length=100, blank=True, default="")  # the colleague who did it; "" = they, or we by rule
    at = models.DateTimeField(default=timezone.now)  # when they chose; an import may bring an earlier date
    recorded = models.DateTimeField(default=timezone.now)  # when it was written down here

    class Meta:
        # Not db_index: that would be two on PostgreSQL, and the one for LIKE is never asked.
        indexes = [models.Index(fields=["canonical"], name="proofs_of_an_address")]


class Suppression(models.Model):
    """Never mail this address. `bulk` stops mailings, `all` stops everything.

    Of an erased person only `erased:` and a keyed hash of the address are kept (audience.never).
    """

    class Scope(models.TextChoices):
        BULK = "bulk"
        ALL = "all"

    canonical = models.CharField(max_length=320, unique=True)
    scope = models.CharField(max_length=4, choices=Scope.choices)
    reason = models.CharField(max_length=40)  # unsubscribed | complaint | gone | erased | staff | moved
    at = models.DateTimeField(auto_now_add=True)


class KeyProof(models.Model):
    """With which key of var/secret.key people were erased, without saying anything of it: under another one their
    hashes find nobody, and whoever was erased could be imported again."""

    proof = models.CharField(max_length=64, unique=True)


class Request(models.Model):
    """Something asked for on a public page that waits for a press on a link sent to the address on record.

    The link carries `token` (purpose c); it works once and until `expires`. The words of the page and of the mail
    never show more than the address it was sent to already knows.
    """

    class Kind(models.TextChoices):
        SUBSCRIBE = "subscribe"
        CHANGE = "change", "change of address"
        DATA = "data", "download my data"
        FORGET = "forget", "forget me"

    token = models.BinaryField(max_length=9, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    canonical = models.CharField(max_length=320, db_index=True)  # where the link was sent
    address = models.CharField(max_length=320)  # the same as typed
    facts = models.JSONField(default=dict, encoder=AsWritten)  # subscribe: lists, name, language, …; change: to
    wording = models.ForeignKey(Wording, on_delete=models.PROTECT, null=True, db_index=False)
    browser = models.CharField(max_length=64, blank=True, default="")  # hash of the sign-up cookie, where there is one
    created = models.DateTimeField(default=timezone.now, db_index=True)
    expires = models.DateTimeField()
    told = models.DateTimeField(null=True)  # when its mail was queued, or it was decided that none goes
    used = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["id"], condition=models.Q(told=None), name="request_untold")]


class Attempts(models.Model):
    """How often a network used a public form today: against list bombing, and gone after a day.

    `who` is a keyed hash of the day and the network (IPv4 /24, IPv6 /64), so that no address of a computer is kept.
    """

    who = models.CharField(max_length=64, unique=True)
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)


class LeavingReason(models.Model):
    """Why people leave, as numbers a month: nothing says who."""

    month = models.DateField()  # its first day
    list_key = models.CharField(max_length=100, blank=True, default="")  # "" = everything
    reason = models.CharField(max_length=20)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["month", "list_key", "reason"], name="one_reason_a_month")]
