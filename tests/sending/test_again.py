"""`newsletter send --missing`: to those who did not get it, once more, and to nobody else."""

from __future__ import annotations

import pytest
from django.db import connection

from newsletter.sending import again, laws, mailings, tally
from newsletter.sending.models import Delivery, LogEntry, Mailing
from tests.sending.test_commands import ISSUE, SLUG
from tests.workspace import Workspace

PEOPLE = ("ann", "bob", "cat", "dan", "eve", "fay")
STATES = ("accepted", "failed", "expired", "cancelled", "uncertain", "suppressed")


def ended(workspace: Workspace) -> Mailing:
    """A stopped mailing with one person in every state that an end leaves."""
    workspace.people(*[f"{name}@home.example" for name in PEOPLE], first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    ran = workspace.run("send", "--yes", "--expect", "6")
    assert ran.exit == 0, ran.out + ran.err
    mailing = Mailing.objects.get()
    for row, state in zip(Delivery.objects.order_by("address"), STATES, strict=True):
        reason = "mailbox full" if state == "failed" else ""
        Delivery.objects.filter(pk=row.pk).update(state=state, reason=reason, tries=3)
        with connection.cursor() as cursor:
            tally.moved(cursor, mailing.pk, "", {"accepted": -1})
            tally.moved(cursor, mailing.pk, "", {state: 1})
    Mailing.objects.update(state="stopped")
    return mailing


def copies(workspace: Workspace) -> int:
    return len(list(workspace.root.glob("var/mail/*.eml")))


def test_it_goes_to_those_who_did_not_get_it_and_says_why_so_many(workspace: Workspace) -> None:
    mailing = ended(workspace)
    workspace.people("new@home.example")
    ran = workspace.run("send", "--missing", SLUG, "--yes", "--expect", "3")
    assert "3 people of 6 did not get" in ran.out and "failed: mailbox full" in ran.out, ran.out + ran.err
    assert "people who joined since are not in it" in ran.out
    assert copies(workspace) == 6 + 3
    found = dict(Delivery.objects.values_list("address", "state"))
    assert [found[f"{name}@home.example"] for name in PEOPLE] == [*["accepted"] * 4, "uncertain", "suppressed"]
    assert laws.check(mailing) == []
    assert [(entry.what, entry.people) for entry in LogEntry.objects.filter(what="again")] == [("again", 3)]
    attempts = set(Delivery.objects.filter(state="accepted").values_list("attempt", flat=True))
    assert attempts == {1, 2}  # it only grows: a frozen sender of the first time stays fenced


def test_several_people_of_one_reason_are_counted_one_by_one(workspace: Workspace) -> None:
    mailing = ended(workspace)
    Delivery.objects.filter(state__in=("expired", "cancelled")).update(state="failed")
    with connection.cursor() as cursor:
        tally.moved(cursor, mailing.pk, "", {"expired": -1, "cancelled": -1, "failed": 2})
    ran = workspace.run("send", "--missing", SLUG, "--yes", "--expect", "3")
    assert "3 people of 6 did not get" in ran.out and copies(workspace) == 6 + 3, ran.out + ran.err
    assert [entry.people for entry in LogEntry.objects.filter(what="again")] == [3]


def test_another_number_or_nobody_to_agree_changes_nothing(workspace: Workspace) -> None:
    mailing = ended(workspace)
    for words, code in ((("--yes", "--expect", "4"), "count-changed"), ((), "must-be-agreed")):
        ran = workspace.run("send", "--missing", *words)
        assert ran.exit == 4 and f"[{code}]" in ran.err
    assert workspace.run("send", "--missing", "--dry-run").exit == 0
    mailing.refresh_from_db()
    assert mailing.state == "stopped" and copies(workspace) == 6 and laws.check(mailing) == []


def test_a_mailing_that_goes_on_or_misses_nobody_is_refused(workspace: Workspace) -> None:
    mailing = ended(workspace)
    Mailing.objects.update(state="paused")
    ran = workspace.run("send", "--missing", "--yes", "--expect", "3")
    assert ran.exit == 4 and "[wrong-state]" in ran.err
    Mailing.objects.update(state="stopped")
    again.missing(mailing)
    mailings.stop(mailing)
    Delivery.objects.filter(state="cancelled").update(state="accepted", proof="staff")
    with connection.cursor() as cursor:
        tally.moved(cursor, mailing.pk, "", {"cancelled": -3, "accepted": 3})
    ran = workspace.run("send", "--missing", "--yes", "--expect", "3")
    assert ran.exit == 4 and "[nobody-to-send-to]" in ran.err


@pytest.mark.parametrize("expect", [range(2, 3), range(4, 9)])
def test_a_number_that_changed_meanwhile_undoes_everything(workspace: Workspace, expect: range) -> None:
    mailing = ended(workspace)
    with pytest.raises(Exception, match="agreed"):
        again.missing(mailing, expect)
    assert Delivery.objects.filter(state="pending").count() == 0 and laws.check(mailing) == []
