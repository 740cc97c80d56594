"""A correction: a new issue from the first, for exactly those who got the first; and the archive's commands."""

from __future__ import annotations

import json

import pytest

from newsletter.audience import subscribing
from newsletter.sending import correcting, logbook, mailings
from newsletter.sending.models import ArchivePage, Delivery, Mailing
from tests.sending.steps import put
from tests.web.archived import SLUG, sent
from tests.workspace import Workspace


def first(workspace: Workspace) -> Mailing:
    """Got by Ameera, uncertain for Bob, refused for Kim; Lee came later."""
    workspace.people("bob@home.example", "kim@home.example", "gone@home.example", "left@home.example")
    mailing: Mailing = sent(workspace)
    put("uncertain", "bob@home.example")
    put("failed", "kim@home.example")
    subscribing.leave("left@home.example", ["all-residents"], "page", "Stop")
    subscribing.suppress("gone@home.example", "bulk", "gone", "bounce")
    workspace.people("lee@home.example")
    return mailing


def slug_of(workspace: Workspace) -> str:
    ran = workspace.run("correct", SLUG, "--json")
    assert ran.exit == 0, ran.out + ran.err
    return str(json.loads(ran.out)["slug"])


def test_it_starts_from_the_first_and_says_whom_it_goes_to(workspace: Workspace) -> None:
    first(workspace)
    ran = workspace.run("correct", SLUG)
    assert ran.exit == 0 and "It goes to 2 people" in ran.out, ran.out + ran.err
    [folder] = [path for path in (workspace.root / "issues").iterdir() if path.name != SLUG]
    text = (folder / "issue.md").read_text()
    assert f"corrects: {SLUG}\n" in text and "subject: Correction: Is it you?" in text
    assert "# Correction: Is it you?" in text and (folder / "images" / "dot.png").exists()
    assert workspace.run("correct", SLUG).exit == 4


def test_it_goes_to_exactly_those_who_got_the_first(workspace: Workspace) -> None:
    mailing = first(workspace)
    slug = slug_of(workspace)
    ran = workspace.run("send", slug, "--yes", "--expect", "2")
    assert ran.exit == 0, ran.out + ran.err
    assert "Got 2026-11-24-worry 4 − 2 left or suppressed since = 2" in ran.out
    second = Mailing.objects.get(slug=slug)
    rows = Delivery.objects.filter(mailing=second)
    assert sorted(row.canonical for row in rows) == ["ameera@home.example", "bob@home.example"]
    assert all(row.lists == ["all-residents"] for row in rows), "List-Id as of the first"
    assert second.page.corrects == mailing


@pytest.mark.parametrize("state", ["pending", "deferred"])
def test_while_the_first_still_goes_out_nobody_is_corrected_and_somebody_forgotten(
    workspace: Workspace, state: str
) -> None:
    mailing = first(workspace)
    slug = slug_of(workspace)
    put(state, "kim@home.example")
    Mailing.objects.update(state="sending")
    ran = workspace.run("send", slug, "--yes", "--expect", "2")
    assert ran.exit == 4 and "[cannot-correct]" in ran.err and f"newsletter stop {SLUG}" in ran.err, ran.out + ran.err
    assert Mailing.objects.count() == 1
    assert workspace.run("send", slug, "--dry-run").exit == 0
    mailings.stop(mailing)
    assert workspace.run("send", slug, "--yes", "--expect", "2").exit == 0


def test_who_has_moved_since_gets_it_at_the_new_address(workspace: Workspace) -> None:
    first(workspace)
    subscribing.move("ameera@home.example", "ameera@new.example", "page")
    ran = workspace.run("send", slug_of(workspace), "--yes", "--expect", "2")
    assert ran.exit == 0 and "= 2" in ran.out, ran.out + ran.err
    second = Delivery.objects.exclude(mailing__slug=SLUG)
    assert sorted(row.canonical for row in second) == ["ameera@new.example", "bob@home.example"]
    assert set(second.values_list("state", flat=True)) == {"accepted"}


def test_a_correction_names_other_lists_or_nobody(workspace: Workspace) -> None:
    first(workspace)
    slug = slug_of(workspace)
    path = workspace.root / "issues" / slug / "issue.md"
    text = path.read_text()
    assert workspace.run("send", slug, "--to", "all-residents", "--yes", "--expect", "2").exit == 4
    for wrong in (text.replace("[all-residents]", "[monthly]"), text.replace(f"corrects: {SLUG}", "corrects: nothing")):
        path.write_text(wrong)
        ran = workspace.run("send", slug, "--yes", "--expect", "2")
        assert ran.exit == 4 and "cannot-correct" in ran.out + ran.err
    assert Mailing.objects.count() == 1


def test_nobody_got_it_so_nobody_needs_a_correction(workspace: Workspace) -> None:
    first(workspace)
    put("cancelled")
    ran = workspace.run("correct", SLUG)
    assert ran.exit == 4 and "cannot-correct" in ran.out + ran.err


def test_the_count_is_what_is_frozen(workspace: Workspace) -> None:
    mailing = first(workspace)
    explanation = correcting.explain(mailing)
    assert explanation.adds_up and explanation.will_get == 2


def test_notes_and_withdrawals_are_commands_that_leave_a_record(workspace: Workspace) -> None:
    mailing = first(workspace)
    assert workspace.run("archive", "note", SLUG, "The hall is  closed.").exit == 0
    assert ArchivePage.objects.get().note == "The hall is closed."
    assert workspace.run("archive", "note", SLUG).exit == 2
    assert workspace.run("archive", "note", SLUG, "x" * 2000).exit == 2
    assert workspace.run("archive", "withdraw", SLUG).exit == 2, "why must be said"
    assert workspace.run("archive", "withdraw", SLUG, "--why", "a wrong name").exit == 0
    assert workspace.run("archive", "withdraw", SLUG, "--why", "again").exit == 4
    listed = json.loads(workspace.run("archive", "list", "--json").out)["pages"]
    assert listed == [{"issue": SLUG, "state": "withdrawn", "note": "The hall is closed."}]
    assert workspace.run("archive", "restore", SLUG).exit == 0
    assert workspace.run("archive", "restore", SLUG).exit == 4
    what = [(one.what, one.words) for one in mailing.log.order_by("pk")]
    assert what == [("page noted", "The hall is closed."), ("page withdrawn", "a wrong name"), ("page restored", "")]
    assert logbook.broken() is None


def test_a_mailing_from_before_there_were_pages_can_have_one(workspace: Workspace) -> None:
    mailing = first(workspace)
    ArchivePage.objects.all().delete()
    assert workspace.run("archive", "note", SLUG, "Old.").exit == 0
    assert ArchivePage.objects.get().mailing == mailing and ArchivePage.objects.get().listed
    assert mailings.find(SLUG) == mailing


def test_a_correction_that_still_says_what_the_first_said_is_worth_a_look(workspace: Workspace) -> None:
    first(workspace)
    slug = slug_of(workspace)
    path = workspace.root / "issues" / slug / "issue.md"
    ran = workspace.run("check", slug)
    assert ran.exit == 0 and "correction-unchanged" in ran.err + ran.out and "issue.md:2:11" in ran.err + ran.out
    path.write_text(path.read_text() + "\nWe had named the wrong street.\n")
    ran = workspace.run("check", slug)
    assert "correction-unchanged" not in ran.err + ran.out
