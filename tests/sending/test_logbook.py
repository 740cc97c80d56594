"""The log of what was done: each line is sealed with the one before, and whoever changes one is found out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from django.db import connections

from newsletter.sending import logbook, mailings
from newsletter.sending.models import LogEntry, Mailing
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace


@pytest.fixture
def mailing(workspace: Workspace) -> Mailing:
    """A mailing with three lines of log."""
    workspace.people("p1@home.example")
    made = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    for what, words, by in (("approved", "", "ana"), ("paused", "“wrong” date\n", "bo"), ("resumed", "", "ana")):
        logbook.note(made, what, words, 1, by)
    return made


def test_each_line_follows_from_the_one_before(mailing: Mailing) -> None:
    assert logbook.broken() is None
    first, second, third = LogEntry.objects.order_by("pk")
    assert first.seal == logbook.sealed(first, "") and second.seal == logbook.sealed(second, first.seal)
    assert logbook.last_seal() == third.seal


def changed_words() -> None:
    LogEntry.objects.filter(what="paused").update(words="another date")


def changed_name() -> None:
    LogEntry.objects.filter(what="paused").update(by="carl")


def changed_number() -> None:
    LogEntry.objects.filter(what="paused").update(people=2)


def changed_and_sealed_anew() -> None:
    entry = LogEntry.objects.get(what="paused")
    entry.by = "carl"
    entry.seal = logbook.sealed(entry, LogEntry.objects.order_by("pk")[0].seal)
    entry.save()


def removed() -> None:
    LogEntry.objects.filter(what="paused").delete()


def removed_the_first() -> None:
    LogEntry.objects.filter(what="approved").delete()


def slipped_in() -> None:
    LogEntry.objects.create(mailing=Mailing.objects.get(), what="settled", by="ana")


@pytest.mark.parametrize(
    ("meddle", "found"),
    [
        (changed_words, "paused"),
        (changed_name, "paused"),
        (changed_number, "paused"),
        (changed_and_sealed_anew, "resumed"),
        (removed, "resumed"),
        (removed_the_first, "paused"),
        (slipped_in, "settled"),
    ],
)
def test_the_first_line_that_was_meddled_with_is_named(
    mailing: Mailing, meddle: Callable[[], None], found: str
) -> None:
    meddle()
    entry = logbook.broken()
    assert entry is not None and entry.what == found


def test_status_verify_says_which_line_and_ends_with_5(workspace: Workspace, mailing: Mailing) -> None:
    fine = workspace.run("status", "--verify")
    assert fine.exit == 0 and f"the seal of its last line is {logbook.last_seal()[:16]}" in fine.out
    changed_name()
    ran = workspace.run("status", "--verify")
    assert ran.exit == 5 and "[log-changed]" in ran.err + ran.out and "Paused by carl" in ran.err + ran.out
    assert "as it was written" not in ran.out
    told = json.loads(workspace.run("status", "--verify", "--json").out)
    assert [problem["code"] for problem in told["problems"]] == ["log-changed"]


def test_lines_written_at_the_same_time_still_follow_each_other(mailing: Mailing) -> None:
    def write(name: str) -> None:
        try:
            for _ in range(10):
                logbook.note(mailing, "paused", by=name)
        finally:
            connections.close_all()

    together = [threading.Thread(target=write, args=(name,)) for name in ("ana", "bo", "carl")]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert LogEntry.objects.count() == 33 and logbook.broken() is None
