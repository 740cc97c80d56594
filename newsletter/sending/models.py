"""The ledger: a Mailing, one Delivery per person, and the tokens and pictures that the mail points to."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db import models
from django.utils import timezone

from newsletter.audience.models import Subscriber

STATES = (
    "pending leased inflight accepted deferred failed suppressed expired cancelled uncertain".split()  # noqa: SIM905
)

# One comparison after the other, the frequent ones first: for IN (ten texts) SQLite builds a table at every write of a
# row, 2.5 us of the 7 that it took.
_FREQUENT = "inflight accepted leased".split()  # noqa: SIM905
_ONE_OF_THEM = reduce(or_, [models.Q(state=one) for one in (*_FREQUENT, *(s for s in STATES if s not in _FREQUENT))])


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
    # Its deliveries have ids from first_id to last_id (others' may lie between): who waits is found by walking there,
    # for an index on `state` would be written at every step of every row.
    first_id = models.BigIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    excluded = models.JSONField(default=dict)  # why people are not in it: {"suppressed": 3, …}
    paused_why = models.TextField(blank=True, default="")  # words when it paused itself; kept after resume
    approved_at = models.DateTimeField(auto_now_add=True)
    send_at = models.DateTimeField(null=True)  # scheduled: nobody is leased before; null = at once
    begins = models.DateTimeField(null=True)  # the end of the undo delay: nobody is leased before
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    @property
    def lists(self) -> tuple[str, ...]:
        """Keys of the lists through which its people were chosen: the audience's own, or those of its segments."""
        told = self.settings.get("lists", {})
        plain = all(key in told for key in self.audience)
        return tuple(self.audience if plain else told)

    def rows(self) -> models.QuerySet[Delivery]:
        """Its deliveries in the order of their ids, for whoever looks for a state: one walk over the table. By the
        index of (mailing, canonical), which both databases choose for `mailing = …`, each row is a jump."""
        ids = models.Q(pk__gte=self.first_id, pk__lte=self.last_id)
        return Delivery.objects.filter(ids, mailing_id__gte=self.pk, mailing_id__lte=self.pk).order_by("pk")

    @property
    def ids(self) -> tuple[int, int, int]:
        """The parameters of OF_MAILING."""
        return self.first_id, self.last_id, self.pk


# The same in raw SQL.
OF_MAILING = "id >= %s AND id <= %s AND mailing_id + 0 = %s"


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

    # No indexes of their own: those of the two constraints below serve, and each would cost a row 2 us at the freeze.
    mailing = models.ForeignKey(Mailing, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.SET_NULL, null=True, db_index=False)
    canonical = models.CharField(max_length=320)  # frozen
    address = models.CharField(max_length=320)  # frozen, as typed
    name = models.CharField(max_length=200, blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")
    values = models.JSONField(default=dict)  # frozen values of the slots and conditions used
    lists = models.JSONField(default=list)  # keys of the lists through which this person was chosen; List-Id = first
    token = models.BinaryField(max_length=9, unique=True)  # stored id of its r, b, m, u and v tokens
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempt = models.PositiveIntegerField(default=0)  # fencing: results write WHERE attempt = mine
    tries = models.PositiveIntegerField(default=0)  # real answers "not now" so far; sets the next delay
    reason = models.CharField(max_length=300, blank=True, default="")  # why it is in this state, in words
    worker = models.CharField(max_length=40, blank=True, default="")
    leased_until = models.DateTimeField(null=True)
    due = models.DateTimeField(null=True)  # deferred: not before; nobody else has one
    reply_code = models.PositiveSmallIntegerField(null=True)
    reply_text = models.TextField(blank=True, default="")
    remote_id = models.CharField(max_length=200, blank=True, default="")  # what the server called it in its 250
    relay = models.CharField(max_length=40, blank=True, default="")  # key of the relay of the last attempt
    provider = models.CharField(max_length=60, blank=True, default="")  # provider group of the last attempt (pace)
    proof = models.CharField(max_length=10, blank=True, default="")  # accepted: answer | log | bounce | reply | staff
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "mailing"], name="one_delivery_per_person"),
            models.UniqueConstraint(fields=["mailing", "canonical"], name="one_delivery_per_address"),
            # What the database can hold by itself: ten states, and each with what it cannot be without.
            models.CheckConstraint(name="delivery_known_state", condition=_ONE_OF_THEM),
            models.CheckConstraint(
                name="delivery_accepted_has_proof", condition=~models.Q(state="accepted") | ~models.Q(proof="")
            ),
            models.CheckConstraint(
                name="delivery_deferred_has_due",
                condition=models.Q(state="deferred", due__isnull=False)
                | models.Q(~models.Q(state="deferred"), due__isnull=True),
            ),
            models.CheckConstraint(
                name="delivery_taken_has_lease",
                condition=~models.Q(state__in=("leased", "inflight")) | models.Q(leased_until__isnull=False),
            ),
        ]
        indexes = [
            # None has what moves with every mail (state, attempt, worker, leased_until, changed), as a column or in its
            # condition: PostgreSQL then rewrites a row without touching any index (HOT), and SQLite tests no condition.
            # tests/sending/test_ledger_rows.py counts it.
            models.Index(fields=["mailing", "due"], condition=models.Q(due__isnull=False), name="delivery_due"),
            # For relays that replace Message-IDs: finding.by_remote_id.
            models.Index(fields=["remote_id"], condition=~models.Q(remote_id=""), name="delivery_remote_id"),
        ]


class Tally(models.Model):
    """How many people of a mailing are in a state, kept by difference: the sum over all workers is the number.

    Every statement that moves deliveries writes its difference in the same transaction, so that no screen and no
    sender ever counts a million rows. A row per worker, so that many workers do not wait for one row.
    """

    mailing = models.ForeignKey(Mailing, on_delete=models.CASCADE, related_name="tallies")
    worker = models.CharField(max_length=40, blank=True, default="")
    state = models.CharField(max_length=10)
    people = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mailing", "worker", "state"], name="one_tally_each")]


class LogEntry(models.Model):
    """What was done with a mailing, by whom and when; append-only. Decisions about uncertain people are here too.

    One chain for all mailings: see logbook.note."""

    mailing = models.ForeignKey(Mailing, on_delete=models.PROTECT, related_name="log")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=20)  # approved | scheduled | started | paused | resumed | stopped | settled | …
    words = models.TextField(blank=True, default="")
    people = models.PositiveIntegerField(default=0)
    by = models.CharField(max_length=100, blank=True, default="")  # a colleague, or "newsletter" itself
    seal = models.CharField(max_length=64)  # SHA-256 over the seal of the entry before and all of the above


class Approval(models.Model):
    """Somebody's yes to exactly these words, before they are sent; a change of the issue makes it worthless."""

    slug = models.CharField(max_length=200)
    seal = models.CharField(max_length=64)  # approvals.seal: over what every language would look like
    by = models.CharField(max_length=100)  # the account that ran `newsletter approve`
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slug", "seal", "by"], name="one_yes_each")]


class RelayDay(models.Model):
    """How many mails a relay took on one day, in all (provider "") and for each provider: daily limits, warm-up."""

    relay = models.CharField(max_length=40)
    provider = models.CharField(max_length=60, blank=True, default="")
    day = models.DateField()  # UTC
    sent = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["relay", "provider", "day"], name="one_relay_day")]


class Heartbeat(models.Model):
    """A `newsletter worker` that is alive says so every few seconds, by the database's clock."""

    worker = models.CharField(max_length=80, unique=True)  # host:pid:random
    started = models.DateTimeField()
    seen = models.DateTimeField()
    doing = models.CharField(max_length=200, blank=True, default="")


class LedgerEpoch(models.Model):
    """One row: the random number that this database and var/ledger.journal share; a restored backup differs."""

    epoch = models.CharField(max_length=32)
    at = models.DateTimeField(auto_now_add=True)


class Notice(models.Model):
    """One single mail of ours: an answer, an acknowledgement, a notice to staff. Its bytes are frozen when queued.

    Not a Delivery, for it belongs to no mailing; but its states, fencing and uncertainty are the same.
    """

    class Kind(models.TextChoices):
        ANSWER = "answer"
        ACKNOWLEDGEMENT = "acknowledgement"
        FORWARD = "forward"
        STAFF = "staff", "notice to a colleague"
        CANARY = "canary"
        CONFIRMATION = "confirmation"
        OWN = "own", "asked for on a public page"

    class State(models.TextChoices):
        PENDING = "pending"
        INFLIGHT = "inflight"
        ACCEPTED = "accepted"
        DEFERRED = "deferred"
        FAILED = "failed"
        SUPPRESSED = "suppressed"
        CANCELLED = "cancelled"
        UNCERTAIN = "uncertain"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    once = models.CharField(max_length=120, null=True, unique=True)
    sender = models.CharField(max_length=320, blank=True, default="")  # envelope sender, "" = <>
    address = models.CharField(max_length=320)
    canonical = models.CharField(max_length=320)
    token = models.BinaryField(max_length=9, unique=True, null=True)  # stored id of its r, b and m tokens
    message_id = models.CharField(max_length=200, blank=True, default="", db_index=True)  # without < >
    data = models.BinaryField()  # the whole mail as it leaves
    attempt = models.PositiveIntegerField(default=0)  # fencing
    tries = models.PositiveIntegerField(default=0)
    due = models.DateTimeField(null=True)  # not before
    reason = models.CharField(max_length=300, blank=True, default="")
    reply_code = models.PositiveSmallIntegerField(null=True)
    remote_id = models.CharField(max_length=200, blank=True, default="")
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state__in=("pending", "deferred", "inflight")), name="notice_open"
            )
        ]


class UnsubscribeKey(models.Model):
    """Stored id of a `u` token whose delivery is gone, or of an earlier version: names a person and a set of lists,
    outlives the ledger, never expires. A mail's own is its delivery's token: see finding.unsubscribe_key."""

    token = models.BinaryField(max_length=9, unique=True)
    canonical = models.CharField(max_length=320)
    lists = models.JSONField(default=list)  # sorted list keys; empty = everything (`bulk`)
    lists_key = models.CharField(max_length=500)  # the same, joined by a space

    class Meta:
        indexes = [models.Index(fields=["canonical"], name="unsubscribe_person")]


class Asset(models.Model):
    """A published picture or linked file, by content."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    extension = models.CharField(max_length=8)
    content_type = models.CharField(max_length=100)
    data = models.BinaryField()


class AssetUse(models.Model):
    """Which mailing shows a picture or links a file; without a mailing it is a draft's, or a test copy's. It is served
    once one of its mailings has reached somebody (archiving.may_be_seen)."""

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="uses")
    mailing = models.ForeignKey(Mailing, on_delete=models.CASCADE, null=True, related_name="asset_uses")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "mailing"], name="one_use_each")]


class ArchivePage(models.Model):
    """What the public archive says of a mailing. The mailing itself and its record stay whatever happens here."""

    mailing = models.OneToOneField(Mailing, on_delete=models.CASCADE, primary_key=True, related_name="page")
    listed = models.BooleanField(default=False)  # archive: public
    archive_at = models.DateTimeField(null=True)  # not before; null = with the first delivery
    titles = models.JSONField(default=dict)  # language ("" = the default) → {"language", "title", "summary"}
    words = models.TextField(blank=True, default="")  # every language's words, case folded: what search looks through
    note = models.TextField(blank=True, default="")
    noted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_why = models.TextField(blank=True, default="")
    corrects = models.ForeignKey(Mailing, on_delete=models.SET_NULL, null=True, related_name="corrections")
    changed_at = models.DateTimeField(null=True)  # the last note, withdrawal, return or correction

    # Asked with the row by `archiving.stored`; None where it was not.
    reached: int | None = None  # people who got the mailing, or may have
    corrected: bool | None = None  # another mailing says that it corrects this one


class Draft(models.Model):
    """The public copy of an issue that is not approved yet, for colleagues who hold a preview link."""

    slug = models.CharField(max_length=200, unique=True)
    public = models.JSONField()  # as Mailing.public
    checksum = models.CharField(max_length=64)
    until = models.DateTimeField()


class Rating(models.Model):
    """Useful or not, once for each person and issue: known by the token of their copy and by nothing else."""

    mailing = models.ForeignKey(Mailing, on_delete=models.CASCADE, related_name="ratings")
    token = models.BinaryField(max_length=9, unique=True)  # stored id of the delivery
    useful = models.BooleanField()
    at = models.DateTimeField(auto_now=True)
