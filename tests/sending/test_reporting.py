"""`newsletter report`: whatever became of people, every table of it adds up to everybody, in words."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience.models import ConsentEvent
from newsletter.replies import bounces
from newsletter.replies.models import Conversation, Raw
from newsletter.sending import mailings, rating, reporting
from newsletter.sending.models import STATES, Delivery, Mailing, Tally
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace

# What may have become of one person: state, provider, reason, the server's number.
FATES = (
    ("accepted", "google", "", 250),
    ("accepted", "", "", 250),
    ("failed", "google", "address does not exist (550 5.1.1 <p1@home.example> unknown)", 550),
    ("failed", "outlook", "refused by the mail server (554 5.7.0 not wanted here)", 554),
    ("failed", "default/home.example", "mailbox is full (552 5.2.2 over quota)", 552),
    ("deferred", "outlook", "not now, said the mail server (451 4.7.500 busy)", 451),
    ("expired", "outlook", "not now, said the mail server (451 4.7.500 busy)", 451),
    ("uncertain", "", "the connection broke after the whole message was handed over; it may have arrived", None),
    ("suppressed", "", "left since approval", None),
    ("cancelled", "", "stopped by staff", None),
    ("pending", "", "", None),
)
FATE = st.sampled_from(FATES)


def a_mailing(workspace: Workspace, fates: list[tuple[str, str, str, int | None]]) -> Mailing:
    """A mailing of which this became of its people, one for each fate; its tallies tell the same."""
    for model in (Raw, Conversation, Delivery, Mailing):
        model.objects.all().delete()
    workspace.people(*(f"p{number}@{'gmail.com' if number % 2 else 'home.example'}" for number in range(len(fates))))
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    rows = Delivery.objects.filter(mailing=mailing).order_by("id")
    Tally.objects.filter(mailing=mailing).delete()
    for row, (state, provider, reason, code) in zip(rows, fates, strict=False):
        due = timezone.now() + timedelta(hours=1) if state == "deferred" else None
        proof = "answer" if state == "accepted" else ""
        Delivery.objects.filter(pk=row.pk).update(
            state=state, provider=provider, reason=reason, reply_code=code, due=due, proof=proof
        )
    for state in STATES:
        people = Delivery.objects.filter(mailing=mailing, state=state).count()
        Tally.objects.create(mailing=mailing, state=state, people=people)
    return mailing


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(FATE, min_size=1, max_size=12))
def test_every_table_adds_up_to_everybody_who_was_frozen(workspace: Workspace, fates: list) -> None:  # type: ignore[type-arg]
    Raw.objects.all().delete()
    Conversation.objects.all().delete()
    Delivery.objects.all().delete()
    mailing = a_mailing(workspace, fates)
    report = reporting.make(mailing)
    assert report.balances
    assert sum(report.outcomes().values()) == mailing.frozen
    assert sum(people for *_, people in report.reasons()) == mailing.frozen
    assert sum(sum(numbers.values()) for _, numbers in report.by_provider()) == mailing.frozen
    for outcome, people in report.outcomes().items():
        assert sum(numbers[outcome] for _, numbers in report.by_provider()) == people
    assert sum(int(row[-1]) for row in reporting.as_rows(report)[1:]) == mailing.frozen


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        ("address does not exist (550 5.1.1 <a@b.example> unknown)", 550, ("Address does not exist", "550 5.1.1")),
        ("mailbox is full (452 4.2.2 over quota)", 452, ("Mailbox is full", "452 4.2.2")),
        (
            "refused by the mail server (554 5.7.0 We do not want this)",
            554,
            ("Their server refused us (We do not want this)", "554 5.7.0"),
        ),
        ("refused by the mail server (550 a@b.example: 4F1A2B9C77)", 550, ("Their server refused us", "550")),
        ("stopped by staff", None, ("Stopped by staff", "")),
        ("", None, ("No reason was given", "")),
    ],
)
def test_a_reason_is_said_in_words_and_its_code_apart(reason: str, code: int | None, words: tuple[str, str]) -> None:
    assert reporting.plain(reason, code) == words


def test_the_report_says_it_in_words_without_codes(workspace: Workspace) -> None:
    a_mailing(workspace, list(FATES))
    ran = workspace.run("report")
    assert ran.exit == 0, ran.out + ran.err
    for words in ("Failed: Address does not exist", "Their server refused us (not wanted here)", "Google", "Waiting"):
        assert words in ran.out, ran.out
    assert "5.1.1" not in ran.out and "\x1b" not in ran.out
    assert "[550 5.1.1]" in workspace.run("report", "--codes").out


def test_whoever_was_not_tried_is_counted_by_their_domain(workspace: Workspace) -> None:
    mailing = a_mailing(workspace, [("pending", "", "", None), ("pending", "", "", None)])
    assert [name for name, _ in reporting.make(mailing).by_provider()] == sorted(
        [reporting.name("google"), reporting.name("default")]
    )


def test_what_came_later_is_told_beside_and_changes_no_sum(workspace: Workspace) -> None:
    mailing = a_mailing(workspace, [("accepted", "google", "", 250)] * 3)
    one, two, three = Delivery.objects.filter(mailing=mailing).order_by("id")
    for number in range(2):  # a server that reports the same bounce twice
        raw = Raw.objects.create(
            sha256=str(number), recipient="b", channel="pipe", data=b"", kind="bounce", delivery=one, sorted_at=None
        )
        bounces.land(raw, one, None, one.canonical, "gone", "5.1.1")
    Conversation.objects.create(mailing=mailing, delivery=two, writer=two.canonical)
    ConsentEvent.objects.create(canonical=two.canonical, event="left", channel="one-click")
    ConsentEvent.objects.create(canonical=one.canonical, event="left", channel="import")
    ConsentEvent.objects.create(
        canonical=three.canonical, event="left", channel="staff", why=f"jo {reporting.ASKED} in conversation 7"
    )
    ConsentEvent.objects.create(canonical=one.canonical, event="left", channel="staff", why="moved away")
    rating.keep(two, True)
    report = reporting.make(mailing)
    assert report.after == {"replies": 1, "bounced": 1, "complaints": 0, "left": 2, "useful": 1, "not_useful": 0}
    assert report.outcomes()["accepted"] == 3 and report.balances


def test_json_has_every_sum(workspace: Workspace) -> None:
    a_mailing(workspace, list(FATES))
    value = json.loads(workspace.run("report", "--json").out)
    assert value["ok"] and value["balances"] and value["frozen"] == len(FATES)
    assert sum(value["outcomes"].values()) == len(FATES)
    assert sum(row["people"] for row in value["providers"]) == len(FATES)


def test_csv_is_safe_for_a_spreadsheet_and_adds_up(workspace: Workspace, tmp_path: Path) -> None:
    evil = ("failed", "google", "=cmd|' /C calc'!A0", 550)
    a_mailing(workspace, [*FATES, evil])
    file = tmp_path / "report.csv"
    assert workspace.run("report", "--csv", str(file)).exit == 0
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert sum(int(row["people"]) for row in rows) == len(FATES) + 1
    assert [row["reason"] for row in rows if "cmd" in row["reason"]] == ["'=cmd|' /C calc'!A0"]
    again = workspace.run("report", "--csv", str(file))
    assert again.exit == 4 and "file-exists" in again.err
    assert workspace.run("report", "--csv", str(file), "--yes").exit == 0


def test_the_page_stands_alone_and_its_picture_has_words(workspace: Workspace, tmp_path: Path) -> None:
    evil = ("failed", "google", "<script>alert(1)</script>", 550)
    a_mailing(workspace, [*FATES, evil])
    file = tmp_path / "report.html"
    assert workspace.run("report", "--html", str(file)).exit == 0
    text = file.read_text(encoding="utf-8-sig")
    assert '<html lang="en">' in text and 'role="img" aria-label="Of 12: 2 accepted' in text
    assert "<script" not in text and "http" not in re.sub(r"<code>.*?</code>", "", text)
    assert "prefers-color-scheme: dark" in text and text.count("<tfoot>") == 3


@pytest.mark.broken_books("one person too many is frozen by hand")
def test_a_report_that_does_not_add_up_says_so(workspace: Workspace) -> None:
    mailing = a_mailing(workspace, [("accepted", "google", "", 250)] * 2)
    Mailing.objects.filter(pk=mailing.pk).update(frozen=3)
    ran = workspace.run("report")
    assert ran.exit == 5 and "books-do-not-balance" in ran.out


def test_while_it_goes_on_it_has_not_taken_its_time_yet(workspace: Workspace) -> None:
    a_mailing(workspace, [FATES[0], FATES[5]])
    assert ", began " in (said := workspace.run("report").out) and " s so far" in said and "took" not in said


def test_with_only_uncertain_people_left_nothing_is_sent_any_more(workspace: Workspace) -> None:
    a_mailing(workspace, [FATES[0], FATES[7]])
    said = workspace.run("report").out
    assert "Everybody was handed over, began " in said and "took" in said and " s so far" not in said


def test_providers_without_a_name_come_last(workspace: Workspace) -> None:
    report = reporting.make(a_mailing(workspace, [FATES[1], FATES[4], FATES[4], FATES[4], FATES[0]]))
    assert [who for who, _ in report.by_provider()][-1] == reporting.OTHERS


@pytest.mark.parametrize(("failed", "said"), [(2, "Ended, but most of it did not arrive"), (1, "Finished")])
def test_a_mailing_that_mostly_failed_is_not_called_finished(workspace: Workspace, failed: int, said: str) -> None:
    refused = ("failed", "google", "address does not exist (550 5.1.1 x)", 550)
    taken = ("accepted", "google", "", 250)
    mailing = a_mailing(workspace, [*[taken] * (3 - failed), *[refused] * failed])
    mailing.state = "finished"
    mailing.save(update_fields=["state"])
    for command in ("status", "report"):
        assert said in workspace.run(command).out
