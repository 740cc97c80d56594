"""The page to leave: opening changes nothing, the button leaves at once, undo comes back."""

from __future__ import annotations

import re

import pytest

from newsletter.mail.tokens import Purpose, new_id
from tests.web.conftest import Site, everything

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="b"'
MULTIPART_BODY = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


def left(address: str = "ameera.k@example.net", *lists: str) -> bool:
    from newsletter.audience import subscribing

    return subscribing.has_left(address, lists or ("all-residents",))


def events() -> list[tuple[str, str, str]]:
    from newsletter.audience.models import ConsentEvent

    return list(ConsentEvent.objects.order_by("id").values_list("event", "channel", "list_key"))


def test_opening_the_link_shows_what_leaving_means_and_changes_nothing(site: Site) -> None:
    link = site.leave_link()
    before = everything()
    answer = site.get(link)
    assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "All residents" in answer.text and "Unsubscribe</button>" in answer.text
    assert "a•••@e•••.net" in answer.text and "ameera" not in answer.text.lower()
    assert "Nothing changes until you press the button." in answer.text
    assert everything() == before


def test_the_button_leaves_at_once_with_proof(site: Site) -> None:
    from newsletter.audience.models import ConsentEvent

    answer = site.post(site.leave_link(), action="leave")
    assert answer.status == 200 and "You are unsubscribed" in answer.text
    assert left() and events() == [("left", "page", "all-residents")]
    assert "Unsubscribe" in ConsentEvent.objects.get().wording.text


def test_undo_comes_back_by_a_button_too(site: Site) -> None:
    link = site.leave_link()
    site.post(link, action="leave")
    before = everything()
    assert "Undo: subscribe me again" in site.get(link).text
    assert everything() == before
    assert "You are subscribed again" in site.post(link, action="undo").text
    assert not left() and [event for event, _, _ in events()] == ["left", "returned"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [(FORM, ONE_CLICK), (FORM, "list-unsubscribe=one-click"), (MULTIPART, MULTIPART_BODY), ("text/plain", ONE_CLICK)],
    ids=["urlencoded", "small letters", "multipart", "no form type"],
)
def test_the_mail_services_one_click_leaves_without_anything_else(site: Site, kind: str, body: str) -> None:
    answer = site.ask("POST", site.leave_link(lists=("all-residents", "monthly")), body, Content_Type=kind)
    assert (answer.status, answer.text) == (200, "Unsubscribed.\n")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "location" not in answer.headers and "set-cookie" not in answer.headers
    assert left("ameera.k@example.net", "all-residents", "monthly")
    assert {channel for _, channel, _ in events()} == {"one-click"}


def test_one_click_twice_is_one_change(site: Site) -> None:
    link = site.leave_link()
    for _ in range(3):
        assert site.ask("POST", link, ONE_CLICK, Content_Type=FORM).status == 200
    assert len(events()) == 1


def test_one_click_works_when_list_mailing_and_person_are_gone(site: Site) -> None:
    from newsletter.audience.models import MailingList, Subscriber, Suppression

    link = site.leave_link(lists=("a-list-that-was-deleted",))
    Subscriber.objects.all().delete()
    MailingList.objects.all().delete()
    assert site.get(link).status == 200
    assert site.ask("POST", link, ONE_CLICK, Content_Type=FORM).status == 200
    assert Suppression.objects.get().scope == "bulk"


def test_a_link_without_lists_stops_everything(site: Site) -> None:
    from newsletter.audience.models import Suppression

    link = site.leave_link(lists=())
    assert "newsletters or community messages from <bdi>Example Council</bdi>" in site.get(link).text
    site.post(link, action="leave")
    assert Suppression.objects.get().reason == "unsubscribed"
    site.post(link, action="undo")
    assert not Suppression.objects.exists()


def test_undo_does_not_lift_a_complaint(site: Site) -> None:
    from newsletter.audience import subscribing

    link = site.leave_link()
    subscribing.suppress("ameera.k@example.net", "bulk", "complaint", "mail")
    answer = site.post(link, action="undo")
    assert "We cannot undo this here" in answer.text and left()


@pytest.mark.parametrize(
    "form", [{}, {"action": ""}, {"action": "LEAVE!"}, {"List-Unsubscribe": "Two-Clicks"}, {"confirm": "yes"}]
)
def test_a_post_that_says_nothing_we_know_changes_nothing(site: Site, form: dict[str, str]) -> None:
    link = site.leave_link()
    before = everything()
    assert site.post(link, **form).status == 200
    assert everything() == before


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_no_other_method_changes_anything(site: Site, method: str) -> None:
    link = site.leave_link()
    before = everything()
    answer = site.ask(method, f"{link}?action=leave&List-Unsubscribe=One-Click", ONE_CLICK, Content_Type=FORM)
    assert answer.status in (200, 204, 405)
    assert everything() == before


def test_a_test_copy_shows_the_page_and_changes_nothing(site: Site) -> None:
    link = f"/u/{site.keyring.make(Purpose.TEST, new_id())}"
    before = everything()
    assert "This link comes from a test copy." in site.get(link).text
    assert "nobody was unsubscribed" in site.post(link, action="leave").text
    one_click = site.ask("POST", link, ONE_CLICK, Content_Type=FORM)
    assert one_click.status == 200 and "test copy" in one_click.text
    assert everything() == before


def test_a_broken_link_says_how_to_leave_by_mail(site: Site) -> None:
    link = site.leave_link()
    for wrong in (link[:-1], link[:-1] + ("a" if link[-1] != "a" else "b"), "/u/", "/u/%00", "/u/" + "a" * 199):
        answer = site.get(wrong)
        assert answer.status == 404, wrong
        assert "reply to the message" in answer.text and "news@council.example" in answer.text
    assert site.ask("POST", link[:-1], ONE_CLICK, Content_Type=FORM).status == 404


def test_every_single_changed_letter_makes_the_link_worthless(site: Site) -> None:
    link = site.leave_link()
    token = link[3:]
    for place in range(32):
        letter = "b" if token[place] == "a" else "a"
        changed = f"/u/{token[:place]}{letter}{token[place + 1 :]}"
        assert site.ask("POST", changed, ONE_CLICK, Content_Type=FORM).status == 404
    assert not left()


@pytest.mark.parametrize("purpose", [Purpose.REPLY, Purpose.BOUNCE, Purpose.MESSAGE_ID, Purpose.VIEW, Purpose.CONFIRM])
def test_a_token_for_something_else_does_not_leave(site: Site, purpose: Purpose) -> None:
    from newsletter.sending.models import UnsubscribeKey

    site.leave_link()
    other = f"/u/{site.keyring.make(purpose, bytes(UnsubscribeKey.objects.get().token))}"
    assert site.ask("POST", other, ONE_CLICK, Content_Type=FORM).status == 404
    assert not left()


def test_a_link_that_a_mail_program_ended_too_late_still_works(site: Site) -> None:
    link = site.leave_link()
    for more in (".", ")", ">", "/", "%22"):
        assert site.get(link + more).status == 200, more
    assert site.get(link.upper().replace("/U/", "/u/")).status == 200


@pytest.mark.parametrize(
    ("language", "direction", "button"),
    [("cy", "ltr", "Dad-danysgrifio"), ("ar", "rtl", "إلغاء الاشتراك"), ("ur-PK", "rtl", "رکنیت ختم کریں")],
)
def test_the_page_speaks_the_persons_language(site: Site, language: str, direction: str, button: str) -> None:
    answer = site.get(site.leave_link(language=language))
    assert f'<html lang="{language[:2]}" dir="{direction}">' in answer.text and button in answer.text
    assert answer.headers["content-language"] == language[:2]


def test_the_browser_is_asked_when_we_do_not_know_the_persons_language(site: Site) -> None:
    link = site.leave_link()
    assert '<html lang="cy"' in site.get(link, Accept_Language="de-DE, cy;q=0.8, en;q=0.5").text
    assert '<html lang="en"' in site.get(link, Accept_Language="\u00e9".encode().decode("latin-1")).text


def test_values_stand_on_the_page_as_text_only(site: Site) -> None:
    evil = "<script>alert(1)</script>\"'&{{ 7*7 }}{0}"
    text = (site.workspace.root / "newsletter.toml").read_text()
    text = text.replace('"All residents"', f"'''{evil}'''").replace('name = "Example Council"', f"name = '''{evil}'''")
    (site.workspace.root / "newsletter.toml").write_text(text)
    site.workspace.ready()
    page = site.get(site.leave_link()).text
    assert "<script" not in page and "49" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # title, header, list


def test_a_request_larger_than_any_honest_one_is_refused(site: Site) -> None:
    link = site.leave_link()
    assert site.ask("POST", link, b"x" * 200_000, Content_Type=FORM).status == 413
    assert not left()


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=\xe9", "nonsense", ""])
def test_a_broken_form_changes_nothing_and_is_answered(site: Site, kind: str) -> None:
    answer = site.ask("POST", site.leave_link(), b"--\xff\x00garbage", Content_Type=kind)
    assert answer.status in (200, 400, 404) and not left()
