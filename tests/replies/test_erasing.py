"""Erasing: nothing of the person is left, the numbers still add up, and what is held or another's stays."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone

from newsletter import replies
from newsletter.replies import desk, erasing, intake, tidying
from newsletter.replies.models import Attachment, Conversation, Erasure, Kind, Message, Raw
from newsletter.sending import notices
from newsletter.sending.models import Delivery, Notice
from tests.replies.conftest import Post, mail
from tests.replies.desk_made import Desk, desk_of
from tests.replies.test_evidence import with_picture

HERS = "ameera@example.net"
WORDS = "This is him, on the 12th."


def traces(root: Path, *needles: str) -> list[str]:
    """The files of the workspace that hold one of the needles, the database's own file included."""
    connections.close_all()
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes().lower()
            found += [f"{path.name}: {needle}" for needle in needles if needle.lower().encode() in data]
    return found


def forget_the_rest() -> None:
    """What `recipients forget` does beside us: the person and the ledger."""
    from newsletter.audience.models import Subscriber
    from newsletter.sending.models import UnsubscribeKey

    Delivery.objects.filter(canonical=HERS).update(canonical="erased", address="erased", name="")
    UnsubscribeKey.objects.filter(canonical=HERS).delete()
    Subscriber.objects.filter(canonical=HERS).delete()


def full_desk(post: Post) -> tuple[Desk, Conversation]:
    """Everything that one person can leave behind: a picture, an answer of ours, automatic mail, a bounce, a copy."""
    own = desk_of(post)
    found, raw = with_picture(own)
    sent_to = Raw.objects.get().recipient
    intake.accept(raw, sent_to)  # the same once more
    intake.accept(mail(sent_to, "I am away", subject="Automatic reply: x", message_id="<2@x>"), sent_to, HERS)
    own.asks("ben@example.net", name="Ben", body="Hello, the lights are out.")
    notices.queue(Notice.Kind.ANSWER, HERS, b"To: " + HERS.encode() + b"\r\n\r\nDear Ameera\r\n")
    answer = Notice.objects.get(canonical=HERS)
    Message.objects.create(conversation=found, kind=Message.Kind.ANSWER, notice=answer, to_address=HERS)
    return own, found


@pytest.mark.sqlite
def test_after_erasing_no_file_of_the_workspace_holds_the_person(post: Post) -> None:
    own, found = full_desk(post)
    post.workspace.run("replies", "show", str(found.pk), "--raw", "--as", "jo")
    post.workspace.write(f"var/copies/{found.pk}.eml", f"To: {HERS}")  # as `show --copy` writes it
    assert traces(post.workspace.root, HERS, WORDS, "cam 1.png")
    ran = post.workspace.run("replies", "erase", "Ameera@Example.net", "--yes", "--as", "jo", "--json")
    assert ran.exit == 0, ran.err
    said = json.loads(ran.out)
    assert (said["conversations"], said["messages"], said["raw"], said["notices"], said["files"]) == (1, 3, 3, 1, 1)
    forget_the_rest()
    erasing.compact()
    assert traces(post.workspace.root, HERS, WORDS, "cam 1.png") == []
    assert own.config


def test_a_dump_of_postgresql_or_sqlite_holds_nothing_of_the_person(post: Post) -> None:
    full_desk(post)
    erasing.erase_person(HERS, "jo")
    forget_the_rest()
    from django.core import serializers

    from newsletter.replies import models

    rows = [
        row
        for name in dir(models)
        if hasattr(getattr(models, name), "objects")
        for row in getattr(models, name).objects.all()
    ]
    text = serializers.serialize("json", rows).lower()
    for needle in (HERS, "ameera", "12th", "cam 1"):
        assert needle not in text


def test_the_balance_adds_up_before_and_after(post: Post) -> None:
    full_desk(post)
    before = replies.balance()
    erasing.erase_person(HERS, "jo")
    after = replies.balance()
    assert before["adds_up"] and after["adds_up"]
    for kind in ("received", "person", "auto", "duplicate"):
        assert before[kind] == after[kind]
    assert (before["erased"], after["erased"], after["in_conversations"]) == (0, 3, 1)
    kept = Erasure.objects.get()
    assert (kept.by, kept.why, kept.conversations, kept.files) == ("jo", "asked", 1, 1)


def test_what_others_wrote_stays_also_from_a_copy_that_was_passed_on(post: Post) -> None:
    own = desk_of(post)
    sent = post.sent_to(HERS)
    own.writes(sent, "Mine", sender=f"Ameera <{HERS}>")
    other = own.writes(sent, "A neighbour gave me this", sender="Ben <ben@example.net>")
    erasing.erase_person(HERS, "jo")
    [left] = Conversation.objects.all()
    assert left == other and bytes(left.messages.get().raw.data).endswith(b"gave me this\n")
    assert not Raw.objects.filter(reason__contains=HERS).exists()


def test_a_file_that_somebody_else_sent_too_stays(post: Post) -> None:
    own, _ = full_desk(post)
    theirs = Message.objects.get(from_address="ben@example.net")
    one = Attachment.objects.first()
    assert one is not None
    Attachment.objects.create(message=theirs, name="b.png", content_type="image/png", size=one.size, sha256=one.sha256)
    plan, _ = erasing.erase_person(HERS, "jo")
    assert plan.hashes == set()
    assert (own.config.var / "attachments" / one.sha256[:2] / one.sha256).is_file()


def test_a_legal_hold_stops_it_until_it_is_lifted(post: Post) -> None:
    own, found = full_desk(post)
    desk.hold(found.pk, own.jo, True, "asked for by the court")
    plan, _ = erasing.erase_person(HERS, "jo")
    assert (plan.conversations, plan.held) == ([], [found.pk])
    assert bytes(found.messages.get(kind="person").raw.data)
    assert found.messages.filter(kind="answer").exists() and replies.balance()["adds_up"]
    desk.hold(found.pk, own.jo, False, "the case is closed")
    plan, _ = erasing.erase_person(HERS, "jo")
    assert plan.conversations == [found.pk]


def test_the_same_mail_read_once_more_does_not_come_back(post: Post) -> None:
    own = desk_of(post)
    _, raw = with_picture(own)
    recipient = Raw.objects.get().recipient
    erasing.erase_person(HERS, "jo")
    assert intake.accept(raw, recipient, HERS).kind == Kind.DUPLICATE
    assert not Conversation.objects.exists() and not Raw.objects.filter(sender=HERS).exists()
    assert replies.balance()["adds_up"]


def test_the_command_asks_for_the_address_and_a_dry_run_changes_nothing(post: Post) -> None:
    full_desk(post)
    before = Raw.objects.filter(erased=None).count()
    dry = post.workspace.run("replies", "erase", HERS, "--dry-run", "--as", "jo")
    assert dry.exit == 0 and "would be erased" in dry.out
    asked = post.workspace.run("replies", "erase", HERS, "--as", "jo")
    assert asked.exit == 2 and "no-answer" in asked.err
    assert post.workspace.run("replies", "erase", "nobody", "--as", "jo").exit == 2
    none = post.workspace.run("replies", "erase", "stranger@example.net", "--as", "jo")
    assert none.exit == 0 and "Nothing here is from" in none.out
    assert Raw.objects.filter(erased=None).count() == before


def test_retention_takes_what_is_closed_old_and_not_held(post: Post) -> None:
    own, found = full_desk(post)
    waiting = Conversation.objects.exclude(pk=found.pk).get()
    held = own.asks("cy@example.net", name="Cy")
    for one in (found, held):
        desk.close(one.pk, own.jo)
    desk.hold(held.pk, own.jo, True, "court")
    later = timezone.now() + timedelta(days=370)
    nothing = tidying.tidy(own.config)
    assert (nothing.conversations, nothing.raw) == (0, 0)
    dry = tidying.tidy(own.config, dry_run=True, now=later)
    done = tidying.tidy(own.config, now=later)
    assert (dry.conversations, dry.raw, dry.files, dry.held) == (done.conversations, done.raw, done.files, done.held)
    assert (done.conversations, done.raw, done.files, done.held) == (1, 3, 1, 1)
    assert set(Conversation.objects.values_list("pk", flat=True)) == {waiting.pk, held.pk}
    assert replies.balance()["adds_up"]
    again = tidying.tidy(own.config, now=later)
    assert (again.conversations, again.raw) == (0, 0)


def test_the_command_shows_what_is_old_enough_and_a_dry_run_changes_nothing(post: Post) -> None:
    own, found = full_desk(post)
    desk.close(found.pk, own.jo)
    assert "Nothing is that old." in post.workspace.run("replies", "tidy", "--yes").out
    long_ago = timezone.now() - timedelta(days=400)
    Conversation.objects.filter(pk=found.pk).update(changed=long_ago)
    dry = post.workspace.run("replies", "tidy", "--dry-run", "--json")
    facts = json.loads(dry.out)
    assert dry.exit == 0 and not facts["erased"] and facts["conversations"] == 1 and facts["files"] == 1
    assert Conversation.objects.filter(pk=found.pk).exists() and Raw.objects.filter(erased=None).count() > 2
    assert post.workspace.run("replies", "tidy").exit == 2, "without a terminal nobody can be asked"
    done = post.workspace.run("replies", "tidy", "--yes")
    assert "Erased 1 conversation" in done.out and not Conversation.objects.filter(pk=found.pk).exists()
    assert replies.balance()["adds_up"]


def test_no_months_means_that_nothing_is_erased_by_age(post: Post) -> None:
    own, found = full_desk(post)
    desk.close(found.pk, own.jo)
    config = post.workspace.toml("[replies]\nkeep_months = 0\n")
    assert tidying.tidy(config, now=timezone.now() + timedelta(days=9999)).conversations == 0


def test_the_worker_tidies_only_where_it_is_switched_on(post: Post) -> None:
    from newsletter.replies import chores

    own, found = full_desk(post)
    desk.close(found.pk, own.jo)
    Conversation.objects.filter(pk=found.pk).update(changed=timezone.now() - timedelta(days=400))
    assert chores.tidy(own.config) == ""
    assert "1 conversation" in chores.tidy(post.workspace.toml("[replies]\ntidy = true\n"))


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [("2026-03-31", 1, "2026-02-28"), ("2026-11-24", 12, "2025-11-24"), ("2024-02-29", 12, "2023-02-28")],
)
def test_months_are_those_of_the_calendar(day: str, months: int, before: str) -> None:
    from datetime import datetime

    assert f"{tidying.months_before(datetime.fromisoformat(day), months):%Y-%m-%d}" == before
