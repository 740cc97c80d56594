"""The verbs of a mailing: approve, start, pause, resume, stop, and how it stands."""

# ruff: noqa: S608 - the SQL is put together from constants of ours; every value is a parameter

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from newsletter.audience import dialect, selecting
from newsletter.config import Config
from newsletter.content.model import Issue
from newsletter.mail.tokens import new_id
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.rendering import freeze, merge
from newsletter.rendering.model import Rendered
from newsletter.sending import archiving, correcting, freezing, list_words, previewing, tally
from newsletter.sending.models import OF_MAILING, Delivery, Mailing
from newsletter.sending.store import whole

OPEN = (Delivery.State.PENDING, Delivery.State.LEASED, Delivery.State.INFLIGHT, Delivery.State.DEFERRED)


def approve(
    config: Config,
    renders: Mapping[str, Rendered],
    issue: Issue,
    *,
    public: Mapping[str, Rendered] | None = None,
    lists: Sequence[str] | None = None,
    expect: range | None = None,
    excluded: Mapping[str, int] | None = None,
) -> Mailing:
    """Freeze what is sent and to whom, all in one transaction: from here on edits change nothing.

    `renders`: language → Rendered, "" = the default language. `public`: the same in web mode, for the page
    that everybody may see. `lists` narrows the issue's audience. `expect`: the numbers of people that were agreed
    to; another number (somebody joined or left meanwhile) undoes everything.
    An issue that corrects another goes to exactly those who got that one.
    Raises NewsletterError: already-approved, nobody-to-send-to, count-changed, unknown-list, cannot-correct.
    """
    first = correcting.first(issue, now=True)
    audience = tuple(first.audience) if first else narrowed(issue, lists)
    with whole():
        dialect.one_at_a_time(f"approve {issue.slug}")  # two who press at once: the second is told, not thrown out
        if Mailing.objects.filter(slug=issue.slug).exists():
            raise NewsletterError(
                Problem(
                    "already-approved",
                    f"{issue.slug} has been approved before; an issue is sent once",
                    hint="`newsletter status` shows how it stands; `newsletter send` goes on where it stopped. "
                    "To write to the same people again, start a new issue.",
                ),
                exit=Exit.REFUSED,
            )
        mailing = Mailing.objects.create(
            slug=issue.slug,
            rendered={language: freeze.to_json(rendered) for language, rendered in renders.items()},
            public={language: freeze.to_json(rendered) for language, rendered in (public or {}).items()},
            checksum=renders[""].checksum,
            audience=list(audience),
            settings={**settings_of(config, issue), "subject": plain_subject(renders[""])},
            public_id=new_id(),
            excluded=dict(excluded or {}),
        )
        for rendered in (*renders.values(), *(public or {}).values()):
            previewing.keep_assets(rendered.assets, mailing)
        archiving.enter(config, mailing, issue, public or renders)
        people = correcting.people(first) if first else None
        mailing.frozen = freezing.freeze_people(mailing, audience, freezing.keys_used(renders.values()), people)
        must_be_expected(mailing.frozen, expect)
        mailing.save(update_fields=["frozen"])
    return mailing


def narrowed(issue: Issue, lists: Sequence[str] | None) -> tuple[str, ...]:
    """The lists of the issue, or those of them that are named. Raises NewsletterError(cannot-widen)."""
    if lists is None:
        return issue.front.audience
    stray = [key for key in lists if key not in issue.front.audience]
    if stray:
        raise NewsletterError(
            Problem(
                "cannot-widen",
                f"‘{stray[0]}’ is not among the lists of this issue ({', '.join(issue.front.audience)})",
                hint="--to narrows the audience of the issue; to write to more people, change `audience` in issue.md.",
            ),
            exit=Exit.REFUSED,
        )
    return tuple(key for key in issue.front.audience if key in lists)


def settings_of(config: Config, issue: Issue) -> dict[str, Any]:
    """What building a message needs beside the Rendered, so that a later change of newsletter.toml changes nothing."""
    sender = config.senders[issue.front.sender]
    return {
        "sender_name": sender.name,
        "sender_address": sender.address,
        "reply_to": issue.front.reply_to,
        "source_sha256": issue.sha256,
        "lists": {key: list_words.kept(config.lists[key]) for key in selecting.lists_of(config, issue.front.audience)},
        "organisation": config.site.name,
        "archive": issue.front.archive,
        "useful_until": issue.front.useful_until,
        "sensitive": issue.front.sensitive,
    }


def plain_subject(rendered: Rendered) -> str:
    """The subject as staff know it: every field at its fallback."""
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    return merge.join(variant.subject, merge.fill(rendered, variant, {}, {}))


def must_be_expected(frozen: int, expect: range | None) -> None:
    """Raises NewsletterError: nobody-to-send-to, or count-changed when it is another number than was agreed."""
    if frozen == 0:
        raise NewsletterError(
            Problem(
                "nobody-to-send-to",
                "Nobody would get this: the lists of this issue have no people who may be mailed",
                hint="`newsletter recipients count` explains the number; `newsletter recipients import` adds people.",
            ),
            exit=Exit.REFUSED,
        )
    if expect is not None and frozen not in expect:
        wanted = str(expect[0]) if len(expect) == 1 else f"{expect[0]} to {expect[-1]}"
        raise NewsletterError(
            Problem(
                "count-changed",
                f"This would go to {frozen} people, but {wanted} was agreed; nothing was sent",
                hint="Somebody joined or left meanwhile, or the number is of another list. Look again and repeat.",
                affected=frozen,
            ),
            exit=Exit.REFUSED,
        )


def find(slug: str) -> Mailing | None:
    """The mailing of an issue, or None when it was never approved."""
    return Mailing.objects.filter(slug=slug).first()


def start(mailing: Mailing) -> None:
    """From approved to sending; a mailing that is sending already stays so."""
    if mailing.state == Mailing.State.APPROVED:
        _move(mailing, (Mailing.State.APPROVED,), Mailing.State.SENDING, started_at=timezone.now())


def pause(mailing: Mailing, why: str = "") -> bool:
    """Stop taking people until resume; what is in flight ends. True when it was sending or approved.

    `why` is kept in words when the mailing paused itself.
    """
    more = {"paused_why": why} if why else {}
    return _move(mailing, (Mailing.State.APPROVED, Mailing.State.SENDING), Mailing.State.PAUSED, **more)


def resume(mailing: Mailing) -> bool:
    """Carry on after a pause. True when it was paused."""
    moved = _move(mailing, (Mailing.State.PAUSED,), Mailing.State.SENDING)
    if moved and mailing.started_at is None:
        Mailing.objects.filter(pk=mailing.pk, started_at=None).update(started_at=timezone.now())
        mailing.refresh_from_db()
    return moved


def stop(mailing: Mailing) -> int:
    """End it for good: everybody who still waits is cancelled; what is in flight ends. Returns how many."""
    with whole():
        _move(
            mailing,
            (Mailing.State.APPROVED, Mailing.State.SENDING, Mailing.State.PAUSED),
            Mailing.State.STOPPED,
            finished_at=timezone.now(),
        )
        return cancel_the_rest(mailing)


def cancel_the_rest(mailing: Mailing) -> int:
    """Cancel whoever still waits in a stopped mailing; a result that came in after the stop may have left somebody."""
    cancelled = 0
    with whole(), connection.cursor() as cursor:
        counts = tally.counts(mailing.pk)  # asked after every sending: walk over the rows only for those who are there
        for state in filter(counts.get, ("pending", "leased", "deferred")):
            cursor.execute(
                "UPDATE sending_delivery SET state = 'cancelled', reason = 'stopped by staff', due = NULL,"
                f" leased_until = NULL WHERE {OF_MAILING} AND state = %s"
                " AND EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = mailing_id AND m.state = 'stopped')",
                [*mailing.ids, state],
            )
            people = int(cursor.rowcount)
            tally.moved(cursor, mailing.pk, "", {state: -people, Delivery.State.CANCELLED: people})
            cancelled += people
    return cancelled


def finish(mailing: Mailing) -> bool:
    """Call it finished when, and only when, nobody waits, is in flight, is to be tried again or is uncertain."""
    counts = tally.counts(mailing.pk)
    if any(counts[state] for state in (*OPEN, Delivery.State.UNCERTAIN)):
        return False
    return _move(mailing, (Mailing.State.SENDING,), Mailing.State.FINISHED, finished_at=timezone.now())


def _move(mailing: Mailing, sources: Sequence[str], target: str, **more: Any) -> bool:
    """One UPDATE that checks the state it starts from, so that two commands at once cannot cross."""
    moved = Mailing.objects.filter(pk=mailing.pk, state__in=sources).update(state=target, **more)
    mailing.refresh_from_db()
    return bool(moved)


def status(mailing: Mailing) -> dict[str, Any]:
    """How it stands, under the names of `status --json`; frozen is the sum of the ten states (law L1)."""
    found = tally.counts(mailing.pk)
    mailing.refresh_from_db(fields=["state", "frozen"])
    return {
        "mailing": mailing.pk,
        "issue": mailing.slug,
        "state": mailing.state,
        "frozen": mailing.frozen,
        **found,
    }
