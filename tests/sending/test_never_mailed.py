"""No mailing reaches an address that must not be mailed, whichever way somebody tries; what they asked for does."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from openpyxl import Workbook

from newsletter.audience import never, requests, segments, selecting, subscribing
from newsletter.audience.models import MailingList, Request, Subscriber, Subscription, Suppression
from newsletter.problems import NewsletterError
from newsletter.replies import answering, forgetting
from newsletter.sending import heartbeats, keys, laws, notices, own_asking, own_mails
from newsletter.sending.models import Delivery, Heartbeat, Mailing, Notice
from newsletter.web import filling
from tests.sending.test_again import ended
from tests.sending.test_commands import ISSUE, SLUG
from tests.workspace import Workspace

SAM, KIM = "sam@home.example", "kim@home.example"
LIST = "all-residents"
STOPS = {
    "left everything": ("bulk", "unsubscribed"),
    "complained": ("bulk", "complaint"),
    "dead": ("all", "gone"),
    "by staff": ("bulk", "staff"),
    "erased": ("all", "erased"),
}


def stop(name: str) -> None:
    scope, reason = STOPS[name]
    if reason == "erased":
        Subscriber.objects.filter(canonical=SAM).delete()
        Suppression.objects.create(canonical=never.hashed(SAM), scope="all", reason="erased")
    else:
        subscribing.suppress(SAM, scope, reason, "staff")


def envelopes(workspace: Workspace) -> list[str]:
    found = []
    for path in workspace.root.glob("var/mail/*.eml"):
        head = path.read_bytes().partition(b"\n\n")[0].decode("latin-1")
        found += [
            line.partition(":")[2].strip(" <>\r") for line in head.splitlines() if line.startswith("X-Envelope-To")
        ]
    return sorted(found)


def sends(workspace: Workspace, expect: str = "1", *more: str) -> None:
    ran = workspace.run("send", "--yes", "--expect", expect, *more)
    assert ran.exit in (0, 4), ran.out + ran.err


def _import(workspace: Workspace, name: str, data: str | bytes) -> None:
    workspace.write(f"recipients/{name}", data)
    workspace.run("recipients", "import", f"recipients/{name}", "--list", LIST, "--consent", "They said yes.", "--yes")


def _import_comma(workspace: Workspace) -> None:
    _import(workspace, "people.csv", f"email,first_name\n{SAM},Sam\n")


def _import_tabs(workspace: Workspace) -> None:
    _import(workspace, "people.tsv", f"email\tfirst_name\n{SAM}\tSam\n".encode("utf-16"))


def _import_another_spelling(workspace: Workspace) -> None:
    _import(workspace, "people.csv", "email;first_name\n  SAM@Home.Example ;Sam\nsam@HOME.example;Sam\n")


def _import_lists_in_the_file(workspace: Workspace) -> None:
    _import(workspace, "people.csv", f"email,lists\n{SAM},{LIST};monthly\n")


def _added(workspace: Workspace) -> None:
    workspace.run("recipients", "add", "Sam@home.example", "--list", LIST, "--told", "x", "--again")


def _edited(workspace: Workspace) -> None:
    workspace.run("recipients", "edit", SAM, "--set", "name=Sam")


def _moved_onto(workspace: Workspace) -> None:
    workspace.people("jo@home.example")
    workspace.run("recipients", "edit", "jo@home.example", "--address", SAM)
    subscribing.leave("jo@home.example", [LIST], "page")


def _moved_away_and_back(workspace: Workspace) -> None:
    subscribing.move(SAM, "sam@new.example", "page")
    subscribing.move("sam@new.example", SAM, "page")


def _asked_and_confirmed(workspace: Workspace) -> None:
    subscribing.ask(SAM, SAM, [LIST], "page")
    subscribing.confirm(SAM, [LIST], "page")


def _chosen(workspace: Workspace) -> None:
    subscribing.choose(SAM, [LIST], "page")


def _rejoined(workspace: Workspace) -> None:
    subscribing.rejoin(SAM, [LIST], "page")


def _paused_and_resumed(workspace: Workspace) -> None:
    subscribing.pause(SAM, [], datetime(2027, 1, 1, tzinfo=UTC), "page")
    subscribing.resume(SAM, [], "page")


def _rows_by_hand(workspace: Workspace) -> None:
    person, _ = Subscriber.objects.get_or_create(canonical=SAM, defaults={"address": SAM})
    chosen, _ = MailingList.objects.get_or_create(key=LIST)
    Subscription.objects.update_or_create(subscriber=person, list=chosen, defaults={"state": "confirmed"})


def _the_list_of_never_mail_again(workspace: Workspace) -> None:
    workspace.write("never.txt", f"{SAM}\n")
    workspace.run("recipients", "suppress", "import", "never.txt")
    _rows_by_hand(workspace)


def _import_a_workbook(workspace: Workspace) -> None:
    book, data = Workbook(), io.BytesIO()
    for row in (("E-mail", "First name"), ("SAM@home.example", "Sam")):
        book.active.append(row)
    book.save(data)
    _import(workspace, "people.xlsx", data.getvalue())


def _import_from_another_service(workspace: Workspace) -> None:
    """As if Sam were subscribed at each of them, since later than anything here."""
    exports = {
        "mailchimp": f"Email Address,LEID,CONFIRM_TIME\n{SAM},7,2026-11-29 10:00:00\n",
        "govdelivery": f"Contacts,Origin,Subscription Created\n{SAM},Direct,2026-11-29\n",
        "listmonk": f"id,email,name,attributes,status,created_at\n1,{SAM},Sam,{{}},enabled,2026-11-29 10:00:00\n",
    }
    for service, data in exports.items():
        workspace.write(f"recipients/{service}.csv", data)
        words = ("--from", service, "--list", LIST, "--consent", "They said yes.", "--yes")
        assert workspace.run("recipients", "import", f"recipients/{service}.csv", *words).exit == 0


def _form_and_link(workspace: Workspace) -> None:
    config = workspace.ready()
    form = {"shown": filling.stamp(keys.keyring(config), time.time() - 60), "email": SAM, "list": LIST}
    assert Client().post("/subscribe", form).status_code == 200
    own_asking.work(config)
    for row in Request.objects.all():
        Client().post(f"/c/{requests.token_of(keys.keyring(config), row)}", {"action": "yes"})


def _own_page(workspace: Workspace) -> None:
    link = own_mails.preferences_link(workspace.ready(), SAM, [LIST])
    Client().post(link[link.index("/p/") :], {"action": "save", "list": [LIST], "pause": "none"})


def _undo_of_an_old_mail(workspace: Workspace) -> None:
    token = own_mails.preferences_link(workspace.ready(), SAM, [LIST])[-32:]
    for action in ("undo", f"undo:{LIST}", "resume"):
        Client().post(f"/u/{token}", {"action": action})


WAYS: list[Callable[[Workspace], None]] = [
    _import_comma,
    _import_tabs,
    _import_another_spelling,
    _import_lists_in_the_file,
    _added,
    _edited,
    _moved_onto,
    _moved_away_and_back,
    _asked_and_confirmed,
    _chosen,
    _rejoined,
    _paused_and_resumed,
    _rows_by_hand,
    _the_list_of_never_mail_again,
    _import_a_workbook,
    _import_from_another_service,
    _form_and_link,
    _own_page,
    _undo_of_an_old_mail,
]
# These lift what the person did themselves, and nothing else.
OWN_WISH = (_asked_and_confirmed, _chosen, _rejoined, _form_and_link, _own_page, _undo_of_an_old_mail)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
@pytest.mark.parametrize("why", STOPS)
def test_no_way_back_onto_a_list_leads_to_a_mail(
    workspace: Workspace, why: str, way: Callable[[Workspace], None]
) -> None:
    workspace.people(SAM, KIM, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    stop(why)
    way(workspace)
    own = why == "left everything" and way in OWN_WISH
    sends(workspace, "1..2" if own or way is _moved_away_and_back else "1")
    assert [one for one in envelopes(workspace) if one in (SAM, KIM)] == ([KIM, SAM] if own else [KIM])


def everybody(list_keys: Any) -> tuple[str, list[Any]]:
    """What a bug in choosing would do: all people there are, whoever must not be mailed."""
    return (
        "SELECT id AS subscriber_id, canonical, address, name, first_name, last_name, language, attributes,"
        """ '["all-residents"]' AS lists FROM audience_subscriber""",
        [],
    )


@pytest.mark.parametrize("why", STOPS)
def test_a_bug_in_choosing_freezes_them_and_still_nothing_is_sent(workspace: Workspace, why: str) -> None:
    from django.db import connection

    workspace.people(SAM, KIM, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    stop(why)
    _rows_by_hand(workspace)
    cast = "CAST(%s AS jsonb)" if connection.vendor == "postgresql" else "%s"

    def wrong(*keys: Any) -> tuple[str, list[Any]]:
        statement, _ = everybody(keys)
        return statement.replace("""'["all-residents"]'""", cast), [json.dumps([LIST])]

    counted = selecting.explain(workspace.config, [LIST, "monthly"])
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(selecting, "sql", wrong))
        claimed = mock.Mock(wraps=counted, lists=counted.lists, left_out={}, will_get=2, entries=2)
        stack.enter_context(mock.patch.object(selecting, "explain", lambda *_: claimed))
        ran = workspace.run("send", "--yes", "--expect", "1..3")
    assert envelopes(workspace) == [KIM], ran.out + ran.err
    assert Delivery.objects.filter(state="suppressed").count() == 1


@pytest.mark.parametrize("why", STOPS)
def test_send_missing_leaves_out_who_must_not_be_mailed_since(workspace: Workspace, why: str) -> None:
    ended(workspace)
    before = envelopes(workspace)
    row = Delivery.objects.get(state="failed")
    scope, reason = STOPS[why]
    if reason == "erased":
        forgetting.forget(forgetting.plan(row.canonical), "jo")
        before = [one for one in before if one != row.canonical]
    else:
        subscribing.suppress(row.canonical, scope, reason, "staff")
    ran = workspace.run("send", "--missing", SLUG, "--yes", "--expect", "2")
    assert "2 people of 6 did not get" in ran.out, ran.out + ran.err
    assert row.canonical not in envelopes(workspace)[len(before) + 2 :]
    assert len(envelopes(workspace)) == len(before) + 2
    assert Delivery.objects.get(pk=row.pk).state == "failed"


@pytest.mark.parametrize("why", STOPS)
def test_a_correction_leaves_out_who_must_not_be_mailed_since(workspace: Workspace, why: str) -> None:
    workspace.people(SAM, KIM, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    sends(workspace, "2")
    if why == "erased":
        forgetting.forget(forgetting.plan(SAM), "jo")
    else:
        stop(why)
    before = envelopes(workspace)
    slug = json.loads(workspace.run("correct", SLUG, "--json").out)["slug"]
    ran = workspace.run("send", slug, "--yes", "--expect", "1")
    assert ran.exit == 0, ran.out + ran.err
    assert envelopes(workspace) == sorted([*before, KIM])


@pytest.mark.parametrize("why", STOPS)
def test_a_segment_never_holds_who_must_not_be_mailed(workspace: Workspace, why: str) -> None:
    workspace.people(SAM, KIM, first_name="Sam", attributes={"tags": ["young"]})
    config = workspace.ready()
    segments.save(config, "young", "Young people", {"include": [{"tag": "young"}, {"list": [LIST]}]})
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE.replace("[all-residents, monthly]", "[young]"))
    stop(why)
    _rows_by_hand(workspace)
    sends(workspace, "1")
    assert [one for one in envelopes(workspace) if one in (SAM, KIM)] == [KIM]


@pytest.mark.parametrize("why", STOPS)
def test_who_is_stopped_after_the_approval_is_not_mailed(workspace: Workspace, why: str) -> None:
    workspace.people(SAM, KIM, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    heartbeats.beat("a worker of the test")
    ran = workspace.run("send", "--yes", "--expect", "2", "--at", "tomorrow 09:00")
    assert Mailing.objects.count() == 1, ran.out + ran.err
    if why == "erased":
        forgetting.forget(forgetting.plan(SAM), "jo")
    else:
        stop(why)
    Mailing.objects.update(send_at=None, begins=None)
    Heartbeat.objects.all().delete()  # so that the command carries it itself
    ran = workspace.run("send", "--yes", "--expect", "1..2")
    assert envelopes(workspace) == [KIM], ran.out + ran.err


def test_an_answer_and_a_confirmation_that_they_asked_for_still_come(workspace: Workspace) -> None:
    subscribing.suppress(SAM, "bulk", "complaint", "mail")
    answering.may_be_written_to(SAM)
    for kind in (Notice.Kind.ANSWER, Notice.Kind.CONFIRMATION):
        notices.queue(kind, SAM, f"To: {SAM}\r\nSubject: x\r\n\r\nWords\r\n".encode(), sender="news@council.example")
    assert notices.deliver(workspace.config) == 2
    assert envelopes(workspace) == [SAM, SAM]


@pytest.mark.parametrize("why", ["dead", "erased"])
def test_to_a_dead_or_erased_address_nothing_comes_at_all(workspace: Workspace, why: str) -> None:
    notices.queue(Notice.Kind.ANSWER, SAM, f"To: {SAM}\r\n\r\nWords\r\n".encode())
    stop(why)
    notices.queue(Notice.Kind.CONFIRMATION, SAM, f"To: {SAM}\r\n\r\nWords\r\n".encode())
    assert notices.deliver(workspace.config) == 0
    assert envelopes(workspace) == []
    with pytest.raises(NewsletterError, match="never written to"):
        answering.may_be_written_to(SAM)


def test_who_had_left_elsewhere_years_ago_was_not_mailed_against_our_knowledge(workspace: Workspace) -> None:
    workspace.people(SAM, KIM, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    sends(workspace, "2")
    workspace.write("recipients/cleaned.csv", f"Email Address,LEID,CLEAN_TIME\n{SAM},7,2023-03-04 05:06:07\n")
    ran = workspace.run("recipients", "import", "recipients/cleaned.csv", "--from", "mailchimp", "--yes")
    assert ran.exit == 0 and Suppression.objects.get().reason == "gone", ran.err
    assert laws.check(Mailing.objects.get()) == []
    sends(workspace, "1")
