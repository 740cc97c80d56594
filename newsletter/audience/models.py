"""The records of people: who they are, what they chose, and who must never be mailed."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class AsWritten(json.JSONEncoder):
    """JSON with letters as they are. The import writes and compares this column in SQL, where é and \\u00e9 differ."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**{**how, "ensure_ascii": False})


class Subscriber(models.Model):
    """A person we can write to. `canonical` is the address for comparing: trimmed, lower case, A-label domain.

    `attributes` holds the declared fields by key, and two lists of text: "areas" and "tags". A key without a
    value is left out, so `"ward" not in attributes` is the one way to say "we do not know".
    """

    address = models.CharField(max_length=320)  # as typed
    canonical = models.CharField(max_length=320, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    first_name = models.CharField(max_length=200, blank=True, default="")
    last_name = models.CharField(max_length=200, blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")  # BCP 47; "" = the site's
    attributes = models.JSONField(default=dict, encoder=AsWritten)
    created = models.DateTimeField(auto_now_add=True)


class MailingList(models.Model):
    """A topic that people can choose; its words live in newsletter.toml under the same key."""

    key = models.CharField(max_length=100, unique=True)


class Subscription(models.Model):
    """One person's choice of one list. A LEFT row stays for ever: it is what stops an import from undoing it."""

    class State(models.TextChoices):
        CONFIRMED = "confirmed"
        LEFT = "left"

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="subscriptions")
    list = models.ForeignKey(MailingList, on_delete=models.PROTECT, db_index=False)  # the constraint's index serves
    state = models.CharField(max_length=10, choices=State.choices, default=State.CONFIRMED)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["list", "subscriber"], name="one_subscription_each")]


class ConsentEvent(models.Model):
    """Append-only proof of every change: who, when, how, in which words."""

    canonical = models.CharField(max_length=320, db_index=True)
    list_key = models.CharField(max_length=100, blank=True, default="")  # "" = everything
    event = models.CharField(max_length=20)  # joined | left | returned | suppressed | lifted
    channel = models.CharField(max_length=20)  # import | one-click | page | mail | staff
    wording = models.TextField(blank=True, default="")
    at = models.DateTimeField(auto_now_add=True)


class Suppression(models.Model):
    """Never mail this address. `bulk` stops mailings, `all` stops everything."""

    class Scope(models.TextChoices):
        BULK = "bulk"
        ALL = "all"

    canonical = models.CharField(max_length=320, unique=True)
    scope = models.CharField(max_length=4, choices=Scope.choices)
    reason = models.CharField(max_length=40)  # unsubscribed | complaint | gone | erased | staff
    at = models.DateTimeField(auto_now_add=True)
