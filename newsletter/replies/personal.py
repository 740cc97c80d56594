"""Everything that we hold about one person, for them to read and to take along (GDPR articles 15 and 20)."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from newsletter import settings
from newsletter.audience import never, traces
from newsletter.audience.erasing import names_of, of, spellings
from newsletter.audience.models import Subscriber, Wording
from newsletter.files import unwritable
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where
from newsletter.replies import enclosures, erasing, my_data
from newsletter.sending import copies
from newsletter.sending.models import Delivery, Notice

README = """\
What {site} holds about {address}, as of {at}.

my-data.html  the most of it in words; open it in a browser
data.json     every record, by table; times are UTC
{mails}

{last}
"""
MAILS = """\
mails/        mails that we sent (sent-…), our single mails (ours-…) and what came from this person (came-…), as they
              went over the wire: a mail program opens them
files/        files that this person sent"""
MAILS_BY_LINK = """\
mails/        mails that we sent (sent-…) and our single mails (ours-…), as they went over the wire: a mail program
              opens them"""
READ_FIRST = "Who hands this out reads it first: colleagues' names and what other people wrote may stand in it."
# Behind a link nobody reads it first, and a mailbox may be watched: it must not say whether anybody wrote to us.
BY_LINK = """\
This was made by itself. Messages to us, our answers and what our staff noted are never in it, whether there are any or
not: more people than one may read a mailbox. Write to {contact} to ask for them; a person reads that first."""


@dataclass
class About:
    """Who it is, in the words that tables know them by."""

    names: tuple[str, ...]
    never: tuple[str, ...] = ()  # the names, and their keyed hashes
    conversations: set[int] = field(default_factory=set)
    raw: set[int] = field(default_factory=set)
    notices: set[int] = field(default_factory=set)


@dataclass
class Collected:
    """`data`: table → rows; `mails` and `files`: name in the archive → bytes, made when they are written."""

    about: About
    data: dict[str, list[dict[str, Any]]]
    contents: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    found_in: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    internal: bool = True  # with what colleagues wrote for each other

    @property
    def empty(self) -> bool:
        return not any(self.data.values())


Chosen = Callable[[About], Q]


def _tokens(who: About) -> Any:
    """Of the copies that they were sent."""
    chosen = Q(canonical__in=who.names) | Q(subscriber__canonical__in=who.names)
    return Delivery.objects.filter(chosen).values("token")


# Every table that can hold something of a person, and how theirs is found. tests/replies/test_personal.py compares this
# with the tables that there are: a new one is put here or into NOT_PERSONAL.
PERSONAL: Mapping[str, Chosen] = {
    "audience.Subscriber": lambda who: Q(canonical__in=who.names),
    "audience.FormerAddress": lambda who: Q(subscriber__canonical__in=who.names) | Q(canonical__in=who.names),
    "audience.Holding": lambda who: Q(subscriber__canonical__in=who.names),
    "audience.Subscription": lambda who: Q(subscriber__canonical__in=who.names),
    "audience.ConsentEvent": lambda who: Q(canonical__in=who.never),
    "audience.Suppression": lambda who: Q(canonical__in=who.never),
    "audience.Request": lambda who: Q(canonical__in=who.names),
    "sending.Delivery": lambda who: Q(canonical__in=who.names) | Q(subscriber__canonical__in=who.names),
    "sending.Rating": lambda who: Q(token__in=_tokens(who)),
    "sending.UnsubscribeKey": lambda who: Q(canonical__in=who.names),
    "sending.Notice": lambda who: Q(pk__in=who.notices) | Q(canonical__in=who.names),
    "replies.Raw": lambda who: Q(pk__in=who.raw),
    "replies.Conversation": lambda who: Q(pk__in=who.conversations),
    "replies.Message": lambda who: Q(conversation__in=who.conversations),
    "replies.Attachment": lambda who: Q(message__conversation__in=who.conversations),
    "replies.Bounce": lambda who: Q(canonical__in=who.names),
    "replies.Complaint": lambda who: Q(canonical__in=who.names) | Q(raw__in=who.raw),
    "replies.Tag": lambda who: Q(conversation__in=who.conversations),
    "replies.DeskEntry": lambda who: Q(conversation__in=who.conversations),
    "replies.Look": lambda who: Q(conversation__in=who.conversations),
}
# In the answer of a colleague who has read it, never behind a link in a mail: what colleagues noted for each other, and
# all that was written to us. Whoever watches a mailbox can press "download my data", and must not learn from it that
# somebody asked for help, nor in which words.
INTERNAL = frozenset(
    {
        "replies.Raw",
        "replies.Conversation",
        "replies.Message",
        "replies.Attachment",
        "replies.Bounce",
        "replies.Complaint",
        "replies.Tag",
        "replies.DeskEntry",
        "replies.Look",
    }
)
# The rows of other tables that tell of it too, and columns that hold colleagues' names, decisions and reasons.
INTERNAL_ROWS: Mapping[str, Q] = {
    "sending.Notice": Q(
        kind__in=(Notice.Kind.ANSWER, Notice.Kind.ACKNOWLEDGEMENT, Notice.Kind.FORWARD, Notice.Kind.STAFF)
    ),
}
INTERNAL_COLUMNS: Mapping[str, frozenset[str]] = {"audience.ConsentEvent": frozenset({"by", "why"})}

# Tables that hold nothing of anybody on our lists, and why.
NOT_PERSONAL: Mapping[str, str] = {
    "audience.Trait": "values; who has one is Holding, and the person's own are in Subscriber.attributes",
    "audience.Area": "places",
    "audience.Postcode": "places",
    "audience.Segment": "rules for choosing",
    "audience.MailingList": "names of lists",
    "audience.KeyProof": "which key hashes are made with",
    "audience.Attempts": "numbers of networks, as keyed hashes that end with the day",
    "audience.LeavingReason": "numbers a month, never whose",
    "audience.Wording": "words shown to everybody; those of a consent stand with it",
    "sending.Mailing": "the same for everybody",
    "sending.Tally": "numbers",
    "sending.LogEntry": "what colleagues did with a mailing",
    "sending.Approval": "what colleagues approved",
    "sending.RelayDay": "numbers",
    "sending.Heartbeat": "programs",
    "sending.LedgerEpoch": "a number",
    "sending.Asset": "pictures of issues",
    "sending.AssetUse": "which issue shows which picture",
    "sending.ArchivePage": "public pages",
    "sending.Draft": "issues that are not sent yet",
    "replies.Erasure": "numbers of what was erased, never whose",
    "replies.MailboxState": "how far a mailbox was read",
    "replies.Canary": "mails to ourselves",
    "replies.Absence": "colleagues who are away",
}


def collect(canonical: str, *, internal: bool = True) -> Collected:
    """Everything about this address. `internal`: also what was written to us and answered, what colleagues wrote for
    each other or forwarded, their names and reasons, and files that name the person. Those belong into an answer that
    somebody has read (they may hold what others said), not into a download behind a link, which whoever watches the
    mailbox can ask for. Raises nothing of its own."""
    about = _about(canonical)
    found = Collected(about, {}, internal=internal)
    for label, chosen in PERSONAL.items():
        if label in INTERNAL and not internal:
            continue
        model = apps.get_model(label)
        rows: QuerySet[Any] = model._default_manager.filter(chosen(about)).order_by("pk")
        hidden: frozenset[str] = frozenset()
        if not internal:
            rows = rows.exclude(INTERNAL_ROWS[label]) if label in INTERNAL_ROWS else rows
            hidden = INTERNAL_COLUMNS.get(label, hidden)
        found.data[model._meta.db_table] = [_row(row, hidden) for row in rows]
        for row in rows:
            _contents(found, label, row)
    if internal:
        config = settings.current()
        found.found_in = [one.shown(config.root) for one in traces.find(config, spellings(about.names))]
    return found


def to_file(found: Collected, address: str, to: Path, language: str = "") -> list[Problem]:
    """Write it as a .zip for this user only, whole or not at all; gives back what could not be taken along.
    `language`: of the page in it, for somebody whose own we do not know.

    Raises NewsletterError: already-there, cannot-write.
    """
    if to.exists() or to.is_symlink():
        hint = "Name a file that is not there yet."
        problem = Problem("already-there", f"{to} is there already", hint, Where(str(to)))
        raise NewsletterError(problem, exit=Exit.REFUSED)
    temporary = ""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
        with os.fdopen(handle, "wb") as out:
            _write(found, address, out, language)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(to)
    except OSError as error:
        raise unwritable(to, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return found.problems


def _write(found: Collected, address: str, out: Any, language: str) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, make in found.contents.items():
            try:
                archive.writestr(name, make())
            except (NewsletterError, LookupError, ValueError, OSError) as error:
                message = f"{name} could not be made: {error or type(error).__name__}"
                hint = "The records in data.json are whole; only this mail or file is missing."
                found.problems.append(Problem("not-in-access", message, hint, severity=Severity.WARNING))
        facts = {"address": address, "at": timezone.now().isoformat(), "names": found.about.names}
        facts["missing"] = [problem.message for problem in found.problems]
        whole = {**facts, "found_in": found.found_in, "tables": found.data}
        archive.writestr("data.json", json.dumps(whole, ensure_ascii=False, indent=2, default=_plain))
        archive.writestr("my-data.html", my_data.page(settings.current(), address, found.data, language))
        archive.writestr("README.txt", _readme(found, address))


def _readme(found: Collected, address: str) -> str:
    config = settings.current()
    contact = next((one.address for one in config.senders.values()), config.site.name)
    mails, last = (MAILS, READ_FIRST) if found.internal else (MAILS_BY_LINK, BY_LINK.format(contact=contact))
    at = f"{timezone.now():%d %B %Y}"
    return README.format(site=config.site.name, address=address, at=at, mails=mails, last=last)


def _about(canonical: str) -> About:
    names = names_of(canonical)
    if person := Subscriber.objects.filter(canonical__in=names).first():
        names = of(person, [*names, *Delivery.objects.filter(subscriber=person).values_list("canonical", flat=True)])
    about = About(names)
    about.never = tuple(dict.fromkeys(key for name in about.names for key in never.keys_of(name)))
    for name in about.names:
        theirs = erasing.plan_person(name)
        whole = erasing.plan_conversations([*theirs.conversations, *theirs.held])
        about.conversations |= {*whole.conversations}
        about.raw |= {*theirs.raw, *whole.raw}
        about.notices |= {*theirs.notices, *whole.notices}
    return about


def _row(row: Model, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Columns by name, without the hidden ones; the bytes of a mail are a file instead, words shown stand in full."""
    values: dict[str, Any] = {}
    for column in row._meta.concrete_fields:
        if column.name == "data" or column.name in hidden:
            continue
        value = getattr(row, column.attname)
        values[column.attname] = bytes(value).hex() if isinstance(value, bytes | memoryview) else value
    if "wording_id" in values:
        shown = Wording.objects.filter(pk=values["wording_id"]).first()
        values["wording"] = shown.text if shown else ""
    for name in ("list", "trait"):
        if f"{name}_id" in values:
            other = getattr(row, name)
            values[name] = other.key if name == "list" else {other.key: other.value}
    return values


def _contents(found: Collected, label: str, row: Any) -> None:
    if label == "sending.Delivery" and row.state == Delivery.State.ACCEPTED:
        found.contents[f"mails/sent-{row.pk}.eml"] = lambda: copies.as_sent(row)
    elif label == "sending.Notice" and row.data:
        found.contents[f"mails/ours-{row.pk}.eml"] = lambda: bytes(row.data)
    elif label == "replies.Raw" and row.data:
        found.contents[f"mails/came-{row.pk}.eml"] = lambda: bytes(row.data)
    elif label == "replies.Attachment" and row.sha256:
        place = settings.current().var / enclosures.FOLDER / row.sha256[:2] / row.sha256
        found.contents[f"files/{row.sha256[:16]}{Path(row.name).suffix[:12]}"] = place.read_bytes


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
