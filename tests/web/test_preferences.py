"""A person's own page: they choose there, and who finds a forwarded mail learns nothing and can do no harm."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from unittest import mock

import pytest

from newsletter.mail.tokens import Purpose, new_id
from newsletter.replies import erasing
from tests.sending.test_own_mails import read
from tests.web.conftest import Site, everything
from tests.web.test_signup import later, sign_up, state, work  # noqa: F401 (later is a fixture)

ME = "ameera.k@example.net"


def own_page(site: Site, lists: tuple[str, ...] = ("all-residents",), **facts: object) -> str:
    return site.leave_link(ME, lists, **facts).replace("/u/", "/p/")


def facts() -> dict[str, object]:
    from newsletter.audience.models import Subscriber

    person = Subscriber.objects.get()
    return {"language": person.language, "name": person.name, **person.attributes}


def test_choosing_lists_language_and_area_leaves_proof(site: Site) -> None:
    from newsletter.audience.models import ConsentEvent

    link = own_page(site)
    site.workspace.write("issues/2026-11-24-lamps/issue.md", "# Lamps\n")
    site.workspace.write("issues/2026-11-24-lamps/issue.cy.md", "# Lampau\n")
    assert "Cymraeg" in site.get(link).text and "اردو" not in site.get(link).text
    answer = site.post(link, action="save", list="monthly", language="cy", area="ST16 3AA", pause="none")
    assert answer.status == 200 and "Mae’ch dewisiadau wedi’u cadw." in answer.text and 'lang="cy"' in answer.text
    assert state(ME) == {"all-residents": "left", "monthly": "confirmed"}
    assert facts() == {"language": "cy", "name": "", "postcode": "ST16 3AA"}
    joined = ConsentEvent.objects.get(event="joined")
    assert joined.channel == "page" and joined.wording and "The monthly letter [Save]" in joined.wording.text
    assert site.post(link, action="save", language="cy").status == 200
    assert state(ME) == {"all-residents": "left", "monthly": "left"}


def test_a_language_in_which_nobody_writes_is_not_offered(site: Site) -> None:
    link = own_page(site)
    page = site.get(link).text
    assert 'id="language"' not in page and "Cymraeg" not in page
    assert site.post(link, action="save", list="all-residents", language="ur").status == 200
    assert facts()["language"] == ""


def test_a_pause_ends_by_itself_or_by_hand(site: Site) -> None:
    from django.utils import timezone

    from newsletter.audience.models import Subscription

    link = own_page(site)
    page = site.post(link, action="save", list="all-residents", pause="3").text
    until = Subscription.objects.get(list__key="all-residents").paused_until
    assert until and timedelta(days=90) < until - timezone.now() < timedelta(days=92)
    assert f"Until {timezone.localtime(until).date()}" in page.replace("<bdi>", "").replace("</bdi>", "")
    site.post(link, action="save", list="all-residents", pause="")
    assert Subscription.objects.get(list__key="all-residents").paused_until == until
    site.post(link, action="save", list="all-residents", pause="none")
    assert Subscription.objects.get(list__key="all-residents").paused_until is None


def test_the_finder_of_a_forwarded_mail_reads_nothing_about_its_owner(site: Site) -> None:
    link = own_page(
        site, name="Ameera Khan", language="en", attributes={"postcode": "ST16 3AA", "ward": "Stafford North"}
    )
    for page in (site.get(link), site.post(link, action="save", list="all-residents", pause="none")):
        assert "a•••@e•••.net" in page.text
        for secret in ("ameera", "khan", "st16", "stafford north"):
            assert secret not in page.text.lower(), secret


@pytest.mark.parametrize("action", ["change", "data", "forget"])
def test_what_could_do_harm_only_sends_a_link_to_the_owner(site: Site, action: str) -> None:
    from newsletter.audience.models import Subscriber

    link = own_page(site)
    answer = site.post(link, action=action, email="thief@example.org", new="thief@example.org")
    assert "Look into your mailbox" in answer.text and "a•••@e•••.net" in answer.text and "ameera" not in answer.text
    assert "up to three such mails go out in a day" in answer.text and "not send such a mail again" not in answer.text
    assert "/c/" not in answer.text
    [(to, _, path)] = work(site)
    assert to == ME and path.startswith("/c/") and Subscriber.objects.count() == 1
    before = everything()
    page = site.get(path)
    assert page.status == 200 and everything() == before
    assert "ameera" not in page.text


def test_the_finder_cannot_flood_the_owner(site: Site) -> None:
    link = own_page(site)
    for _ in range(10):
        assert site.post(link, action="forget").status == 200
    assert len(work(site)) == 3


def test_a_person_takes_their_data_along_once(site: Site) -> None:
    site.post(own_page(site, name="Ameera Khan"), action="data")
    [(_, _, path)] = work(site)
    answer = site.post(path, action="yes")
    assert answer.status == 200 and answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert "Ameera Khan" in json.dumps(json.loads(archive.read("data.json")))
    assert "This link was used already" in site.post(path, action="yes").text
    assert not list((site.workspace.root / "var").glob("access-*"))


def test_a_person_is_forgotten_after_a_press(site: Site) -> None:
    from newsletter.audience import never
    from newsletter.audience.models import Request, Subscriber

    link = own_page(site)
    site.post(link, action="forget")
    [(_, _, path)] = work(site)
    assert "This cannot be undone" in site.get(path).text
    assert Subscriber.objects.exists()
    with mock.patch.object(erasing, "compact", side_effect=AssertionError("not while somebody waits for the page")):
        assert "You are forgotten" in site.post(path, action="yes").text
    assert not Subscriber.objects.exists() and not Request.objects.exists() and never.found(ME)
    assert site.post(path, action="yes").status == 404
    for page in (link, link.replace("/p/", "/u/")):
        for answer in (site.get(page), site.post(page, action="undo"), site.post(page, action="forget")):
            assert answer.status == 200 and "You asked us to forget you, and we did" in answer.text
            assert "<form" not in answer.text and "subscribe me again" not in answer.text
    one_click = site.ask("POST", link.replace("/p/", "/u/"), "List-Unsubscribe=One-Click")
    assert (one_click.status, one_click.text) == (200, "Unsubscribed.\n")
    assert not Subscriber.objects.exists() and never.found(ME)


def test_a_person_who_was_taken_out_of_the_list_is_told_so(site: Site) -> None:
    from newsletter.audience.models import Subscriber

    link = own_page(site)
    Subscriber.objects.all().delete()
    answer = site.get(link)
    assert answer.status == 200 and "You are not in our list any more" in answer.text and "<form" not in answer.text


def test_a_person_who_asks_to_be_forgotten_under_a_legal_hold_waits_at_the_desk(site: Site) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from newsletter.audience.models import Subscriber, Suppression
    from newsletter.replies import listing
    from newsletter.replies.models import Conversation

    link = own_page(site)
    long_ago = timezone.now() - timedelta(days=200)
    kept = Conversation.objects.create(writer=ME, from_address=ME, subject="The lamp", state="closed", held=True)
    kept.messages.create(kind="person", at=long_ago, new_words="The lamp is out", full_text="The lamp is out")
    assert not listing.page(site.workspace.config, listing.Filter()).rows
    site.post(link, action="forget")
    [(_, _, path)] = work(site)
    answer = site.post(path, action="yes").text
    assert "A person will write to you" in answer and "We have stopped sending newsletters" in answer
    assert Subscriber.objects.exists()
    stopped = Suppression.objects.get(canonical=ME)
    assert (stopped.scope, stopped.reason) == ("bulk", "unsubscribed")
    assert "Do you want us to forget you? [Delete everything]" in site.workspace.run("recipients", "show", ME).out
    [row] = listing.page(site.workspace.config, listing.Filter()).rows
    assert (row["id"], row["state"], row["stage"], row["tags"]) == (kept.pk, "open", "calm", ["asks to be forgotten"])
    assert row["waiting_since"] > timezone.now() - timedelta(minutes=5)
    assert row["due"] < timezone.now() + timedelta(days=28)
    shown = site.workspace.run("replies", "show", str(kept.pk), "--log")
    assert "asked to be forgotten; a legal hold keeps it" in shown.out
    assert "Write to them within a month what is kept and why" in shown.out
    assert "asks to be forgotten" in site.workspace.run("replies", "list").out


def test_a_change_of_address_is_confirmed_at_both_ends(site: Site) -> None:
    from newsletter.audience.models import Subscriber
    from newsletter.sending.models import Notice

    link = own_page(site)
    site.post(link, action="change")
    [(to, _, first)] = work(site)
    assert to == ME
    assert site.post(first, action="yes", new="no address").status == 422
    assert "new@example.org" in site.post(first, action="yes", new="New@Example.org").text.lower()
    assert Subscriber.objects.get().canonical == ME
    [(to, subject, second)] = work(site)
    assert (to, subject) == ("New@Example.org", "Please confirm your new address")
    assert "New@Example.org" in site.get(second).text
    assert "Your address is changed" in site.post(second, action="yes").text
    assert Subscriber.objects.get().canonical == "new@example.org"
    told = Notice.objects.latest("pk")
    assert told.address == ME and "new@example.org" not in bytes(told.data).decode().lower()
    assert str(read(bytes(told.data))["Subject"]) == "Our messages go to your new address now"
    assert "n•••@e•••.org" in site.get(link).text
    for path in (first, second):
        assert "used already" in site.post(path, action="yes", new="third@example.org").text


def moved(site: Site) -> str:
    """The person has another address now; the link of an old mail."""
    from newsletter.audience import subscribing

    link = own_page(site, name="Ameera Khan")
    assert subscribing.move(ME, "safe@example.org", "page").changed
    return link


@pytest.mark.usefixtures("later")
def test_who_reads_the_old_mailbox_does_not_learn_where_they_went(site: Site) -> None:
    """Somebody leaves a partner who knows the password of the old mailbox."""
    from newsletter.audience import never
    from newsletter.audience.models import Subscriber

    link = moved(site)
    sign_up(site, ME)
    [(to, _, path)] = work(site)
    answer = site.post(path, action="yes")
    own = re.search(r"/p/[a-z2-7]{32}", answer.text)
    assert to == ME and own
    site.post(own[0], action="data")
    [(to, _, path)] = work(site)
    archive = zipfile.ZipFile(io.BytesIO(site.post(path, action="yes").body))
    held = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert to == ME and ME in held and "safe@example.org" not in held and "Ameera" not in held
    site.post(link, action="forget")
    [(to, _, path)] = work(site)
    assert to == ME and "You are forgotten" in site.post(path, action="yes").text
    assert Subscriber.objects.get().canonical == "safe@example.org"
    assert never.found(ME) and never.found("safe@example.org") is None


def test_who_moved_is_forgotten_without_whoever_has_their_old_mailbox(site: Site) -> None:
    from newsletter.audience import never
    from newsletter.audience.models import Subscriber
    from newsletter.replies import forgetting, personal

    moved(site)
    site.workspace.people(ME, name="Somebody Else")
    assert "Somebody Else" not in json.dumps(personal.collect("safe@example.org").data, default=str)
    forgetting.forget(forgetting.plan("safe@example.org"), "us")
    assert Subscriber.objects.get().name == "Somebody Else" and never.found("safe@example.org")


@pytest.mark.parametrize("action", ["data", "forget", "change"])
def test_a_link_at_the_old_mailbox_is_dead_when_they_have_moved(site: Site, action: str) -> None:
    from newsletter.audience import subscribing
    from newsletter.audience.models import Subscriber

    site.post(own_page(site), action=action)
    [(_, _, path)] = work(site)
    if action == "change":
        site.post(path, action="yes", new="thief@example.org")
        [(to, _, path)] = work(site)
        assert to == "thief@example.org"
    assert subscribing.move(ME, "safe@example.org", "page").changed
    answer = site.post(path, action="yes", new="thief@example.org")
    assert "used already" in answer.text
    assert Subscriber.objects.get().canonical == "safe@example.org"


@pytest.mark.usefixtures("later")
def test_a_stranger_who_types_a_former_address_does_not_keep_anybody_from_leaving(site: Site) -> None:
    from newsletter.audience import subscribing

    link = moved(site).replace("/p/", "/u/")
    sign_up(site, ME)
    assert len(work(site)) == 1
    assert site.ask("POST", link, "List-Unsubscribe=One-Click").text == "Unsubscribed.\n"
    assert subscribing.has_left("safe@example.org", ["all-residents"])


def test_a_taken_address_is_not_given_away(site: Site) -> None:
    from newsletter.audience.models import Subscriber

    site.workspace.people("taken@example.org")
    site.post(own_page(site), action="change")
    [(_, _, first)] = work(site)
    answer = site.post(first, action="yes", new="taken@example.org")
    assert "Look into your mailbox" in answer.text
    [(_, _, second)] = work(site)
    assert "We cannot do this by ourselves" in site.post(second, action="yes").text
    assert Subscriber.objects.count() == 2


def test_opening_the_page_changes_nothing(site: Site) -> None:
    link = own_page(site)
    before = everything()
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        site.ask(method, link + "?action=forget&list=monthly")
    site.post(link, action="nonsense")
    assert everything() == before


def test_a_test_copy_changes_nothing(site: Site) -> None:
    site.workspace.people(ME)
    link = f"/p/{site.keyring.make(Purpose.TEST, new_id())}"
    before = everything()
    assert "This link comes from a test copy." in site.get(link).text
    assert "nobody was unsubscribed" in site.post(link, action="forget").text
    assert everything() == before


@pytest.mark.parametrize("purpose", [Purpose.REPLY, Purpose.BOUNCE, Purpose.MESSAGE_ID, Purpose.VIEW, Purpose.CONFIRM])
def test_a_token_for_something_else_opens_no_page(site: Site, purpose: Purpose) -> None:
    from newsletter.sending.models import UnsubscribeKey

    own_page(site)
    other = f"/p/{site.keyring.make(purpose, bytes(UnsubscribeKey.objects.get().token))}"
    assert site.get(other).status == 404 and site.post(other, action="forget").status == 404


def test_a_complaint_is_not_lifted_by_ticking_boxes(site: Site) -> None:
    from newsletter.audience import never, subscribing

    link = own_page(site)
    subscribing.suppress(ME, "bulk", "complaint", "mail")
    site.post(link, action="save", list="all-residents", pause="none")
    assert never.found(ME)


def test_only_one_list_and_back(site: Site) -> None:
    link = site.leave_link(ME, ("all-residents", "monthly"))
    page = site.get(link).text
    assert "Stop only: <bdi>The monthly letter</bdi>" in page and link.replace("/u/", "/p/") in page
    answer = site.post(link, action="only:monthly").text
    assert state(ME) == {"all-residents": "confirmed", "monthly": "left"} and "The monthly letter" in answer
    assert 'value="undo:monthly"' in answer
    site.post(link, action="undo:monthly")
    assert state(ME) == {"all-residents": "confirmed", "monthly": "confirmed"}
    before = everything()
    site.post(link, action="only:somebody-elses")
    assert everything() == before


def test_a_pause_of_three_months_and_its_undo(site: Site) -> None:
    from newsletter.audience.models import Subscription

    link = site.leave_link(ME)
    assert "You have a pause" in site.post(link, action="pause").text
    assert Subscription.objects.get().paused_until
    assert "The pause is over" in site.post(link, action="resume").text
    assert Subscription.objects.get().paused_until is None


def test_a_reason_is_a_number_without_a_name(site: Site) -> None:
    from newsletter.audience.models import LeavingReason

    link = site.leave_link(ME)
    site.post(link, action="leave")
    assert "Thank you for telling us." in site.post(link, action="reason", reason="many").text
    site.post(link, action="reason", reason="drop table")
    assert [(one.list_key, one.reason, one.count) for one in LeavingReason.objects.all()] == [
        ("all-residents", "many", 1)
    ]


def test_a_mail_says_goodbye_only_where_asked_for_and_once(site: Site) -> None:
    from newsletter.sending.models import Notice

    link = site.leave_link(ME)
    site.post(link, action="goodbye")
    site.post(link, action="leave")
    assert not Notice.objects.exists()
    for _ in range(3):
        assert "is on its way" in site.post(link, action="goodbye").text
    assert str(read(bytes(Notice.objects.get().data))["Subject"]) == "You have left: no more messages"


@pytest.mark.parametrize("reason", ["complaint", "gone", "staff"])
def test_who_complained_or_cannot_be_reached_is_not_sent_a_goodbye_by_a_button(site: Site, reason: str) -> None:
    from newsletter.audience import subscribing
    from newsletter.sending.models import Notice

    link = site.leave_link(ME)
    subscribing.suppress(ME, "bulk", reason, "mail")
    assert 'value="goodbye"' not in site.get(link).text
    assert "is on its way" not in site.post(link, action="goodbye").text
    assert not Notice.objects.exists()
