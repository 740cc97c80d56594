"""What may be seen of a mailing, and since when: its page, its pictures, its place in the archive and the feed.

Nothing before the first delivery (somebody's mail is on its way, or has arrived), unless the address carries a seal
of ours that ends (previewing). From then on the page of a mailing is there, in the list from `archive_at` on.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Case, DateTimeField, F, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from newsletter.audience import quickly
from newsletter.config import Config
from newsletter.content import when
from newsletter.content.model import Issue
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.rendering import merge
from newsletter.rendering.model import Rendered
from newsletter.sending import logbook
from newsletter.sending.models import ArchivePage, AssetUse, Mailing, Tally
from newsletter.sending.store import whole

# A copy in flight is already shown by its reader's mail program while its 250 is on the way to us.
REACHED = ("inflight", "accepted", "uncertain")
_PEOPLE = """SELECT COALESCE(SUM(people), 0) FROM sending_tally
    WHERE sending_tally.mailing_id = {} AND state IN ('inflight', 'accepted', 'uncertain')"""
# Two questions of every page of a mailing, asked with its row: each by itself took as long as the row.
_WITH_IT = {
    "reached": f"({_PEOPLE.format('sending_archivepage.mailing_id')})",
    "corrected": "EXISTS (SELECT 1 FROM sending_archivepage AS other WHERE other.corrects_id = "
    "sending_archivepage.mailing_id)",
}
LONGEST = 60_000  # letters of one language that search looks through; a long issue has 20,000
SPACE = uuid.UUID("7c1d5f0e-3a50-4f5b-9b1e-8f0c6b4f2d11")  # ours alone: names of entries never depend on the address


class Standing(StrEnum):
    """What a visitor may know of a mailing."""

    HIDDEN = "hidden"  # as if it were not there
    SHOWN = "shown"
    WITHDRAWN = "withdrawn"


def enter(config: Config, mailing: Mailing, issue: Issue, copies: Mapping[str, Rendered]) -> ArchivePage:
    """The page of a mailing that is being approved, inside the caller's transaction."""
    front = issue.front
    found = when.read(front.archive_at, config.site.time_zone) if front.archive_at else None
    corrected = Mailing.objects.filter(slug=front.corrects).first() if front.corrects else None
    if corrected is not None:
        ArchivePage.objects.filter(mailing=corrected).update(changed_at=timezone.now())
    return ArchivePage.objects.create(
        mailing=mailing,
        listed=front.archive == "public",
        archive_at=found if isinstance(found, datetime) else None,
        titles={key: _title(rendered) for key, rendered in copies.items()},
        words="\n".join(map(_words, copies.values())),
        corrects=corrected,
    )


def _title(rendered: Rendered) -> dict[str, str]:
    return {"language": rendered.language, "title": rendered.title, "summary": rendered.preheader}


def _words(rendered: Rendered) -> str:
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    text = merge.join(variant.text, merge.fill(rendered, variant, {}, {}))
    return "\n".join((rendered.title, rendered.preheader, text))[:LONGEST].casefold()


def page_of(mailing: Mailing) -> ArchivePage:
    """Its page; of a mailing from before there were any, what its settings say, not stored."""
    found = stored(mailing)
    if found:
        return found
    subject = str(mailing.settings.get("subject") or mailing.slug)
    title = {"language": "", "title": subject, "summary": ""}
    listed = mailing.settings.get("archive") == "public"
    return ArchivePage(mailing=mailing, listed=listed, titles={"": title})


def stored(mailing: Mailing) -> ArchivePage | None:
    """Its page where it has one, without the words that search looks through."""
    found = quickly.first(ArchivePage, "mailing_id = %s", [mailing.pk], quickly.without(ArchivePage, "words"), _WITH_IT)
    if found:
        found.mailing = mailing
    return found


def corrections(mailing: Mailing) -> list[ArchivePage]:
    """The pages of what corrects it, but for those that are withdrawn."""
    where = "corrects_id = %s AND withdrawn_at IS NULL"
    found = quickly.every(ArchivePage, where, [mailing.pk], quickly.without(ArchivePage, "words"))
    if not found:
        return []
    mailings = Mailing.objects.defer("rendered", "public").in_bulk([one.pk for one in found])
    for one in found:
        one.mailing = mailings[one.pk]
    return sorted(found, key=lambda one: one.pk)


def delivered(mailing: Mailing, page: ArchivePage | None = None) -> bool:
    """True from the moment at which the first mail of it is on its way. Read from the tally: no row is counted.
    `page`: its own, where it was read just now and knows."""
    if page is not None and page.reached is not None:
        return page.reached > 0
    return quickly.number(_PEOPLE.format("%s"), [mailing.pk]) > 0


def is_published(page: ArchivePage, now: datetime | None = None) -> bool:
    """True for a page that `published` has."""
    began = page.archive_at is None or page.archive_at <= (now or timezone.now())
    return page.listed and began and page.withdrawn_at is None and delivered(page.mailing, page)


def standing(mailing: Mailing, page: ArchivePage | None = None) -> Standing:
    """What somebody with its address may see: `archive: none` has no page for everybody."""
    if not delivered(mailing, page):
        return Standing.HIDDEN
    return Standing.WITHDRAWN if (page or page_of(mailing)).withdrawn_at else Standing.SHOWN


def reached() -> QuerySet[Any]:
    """Ids of the mailings that somebody got."""
    sums = Tally.objects.filter(state__in=REACHED).values("mailing").annotate(people=Sum("people"))
    return sums.filter(people__gt=0).values("mailing")


def published(now: datetime | None = None) -> QuerySet[ArchivePage]:
    """The pages in the list and the feed, the newest first; each has `published`. Read without the frozen issue."""
    now = now or timezone.now()
    began = Coalesce("mailing__started_at", "mailing__approved_at")
    since = Case(When(archive_at__gt=F("mailing__approved_at"), then=Coalesce("archive_at", began)), default=began)
    rows = ArchivePage.objects.filter(Q(archive_at=None) | Q(archive_at__lte=now), listed=True, withdrawn_at=None)
    rows = rows.filter(mailing__in=reached()).select_related("mailing")
    rows = rows.defer("words", "mailing__rendered", "mailing__public").annotate(
        published=Coalesce(since, began, output_field=DateTimeField())
    )
    return rows.order_by("-published", "-pk")


def matching(rows: QuerySet[ArchivePage], wanted: str) -> QuerySet[ArchivePage]:
    """The pages that hold every word, the first eight of them, in whichever letters."""
    for word in wanted.casefold().split()[:8]:
        rows = rows.filter(words__contains=word)
    return rows


def name_of(mailing: Mailing) -> str:
    """The name of its entry in the feed: the same for ever, wherever the site moves (RFC 4287, 4.2.6)."""
    return uuid.uuid5(SPACE, bytes(mailing.public_id).hex()).urn


def may_be_seen(sha256: str) -> bool:
    """True for a picture or file of a mailing that somebody got, and for one from before there were uses."""
    uses = AssetUse.objects.filter(asset_id=sha256)
    return not uses.exists() or uses.filter(mailing__in=reached()).exists()


def note(mailing: Mailing, words: str, by: str = "") -> None:
    """Put words above its page, in all languages the same; "" takes them away."""
    now = timezone.now()
    with whole():
        page = _stored(mailing)
        page.note, page.noted_at, page.changed_at = words, now if words else None, now
        page.save()
        logbook.note(mailing, "page noted" if words else "note removed", words, by=by)


def withdraw(mailing: Mailing, why: str, by: str = "") -> None:
    """Take its page away for everybody (410). Raises NewsletterError(wrong-state) when it is away already."""
    now = timezone.now()
    with whole():
        page = _stored(mailing)
        if page.withdrawn_at:
            raise _wrong(
                f"The page of {mailing.slug} is withdrawn already", "newsletter archive restore shows it again."
            )
        page.withdrawn_at, page.withdrawn_why, page.changed_at = now, why, now
        page.save()
        logbook.note(mailing, "page withdrawn", why, by=by)


def restore(mailing: Mailing, by: str = "") -> None:
    """Show a withdrawn page again. Raises NewsletterError(wrong-state) when it is not withdrawn."""
    with whole():
        page = _stored(mailing)
        if not page.withdrawn_at:
            raise _wrong(f"The page of {mailing.slug} is not withdrawn", "newsletter archive withdraw takes it away.")
        page.withdrawn_at, page.withdrawn_why, page.changed_at = None, "", timezone.now()
        page.save()
        logbook.note(mailing, "page restored", "", by=by)


def _stored(mailing: Mailing) -> ArchivePage:
    """Its row, locked where the database locks rows."""
    page = page_of(mailing)
    if page._state.adding:
        page.save(force_insert=True)
    return ArchivePage.objects.select_for_update().get(pk=mailing.pk)


def _wrong(message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem("wrong-state", message, hint=hint), exit=Exit.REFUSED)
