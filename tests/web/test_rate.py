"""Useful or not: asked by GET, counted by POST, once for each copy, and only as a number."""

from __future__ import annotations

import json

import pytest

from newsletter.mail.tokens import Purpose, new_id
from newsletter.sending import rating
from newsletter.sending.models import Delivery, Rating
from tests.web.archived import sent
from tests.web.conftest import Site, everything


@pytest.fixture
def link(site: Site) -> str:
    sent(site.workspace)
    return f"/rate/{site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))}"


def test_opening_it_counts_nothing(site: Site, link: str) -> None:
    before = everything()
    for method in ("GET", "HEAD", "OPTIONS"):
        assert site.ask(method, link).status in (200, 204)
    text = site.get(link).text
    assert text.count("<button") == 2 and "ameera" not in text.lower()
    assert site.post(link).status == 200 and site.post(link, useful="maybe").status == 200
    assert site.ask("DELETE", link).status == 405
    assert everything() == before


def test_a_press_counts_once_and_can_be_changed(site: Site, link: str) -> None:
    mailing = Delivery.objects.get().mailing
    assert "Thank you" in site.post(link, useful="yes").text
    site.post(link, useful="yes")
    assert rating.counts(mailing) == {"useful": 1, "not_useful": 0}
    site.post(link, useful="no")
    assert rating.counts(mailing) == {"useful": 0, "not_useful": 1}
    assert "not useful”" not in site.get(link).text, "who opens a forwarded link does not learn what was said"
    ran = site.workspace.run("report")
    assert "0 said yes, 1 no" in ran.out
    assert json.loads(site.workspace.run("report", "--json").out)["after"]["not_useful"] == 1


def test_nothing_of_the_person_is_kept(site: Site, link: str) -> None:
    site.post(link, useful="yes")
    assert {field.name for field in Rating._meta.fields} == {"id", "mailing", "token", "useful", "at"}


@pytest.mark.parametrize("purpose", [Purpose.REPLY, Purpose.UNSUBSCRIBE, Purpose.MESSAGE_ID, Purpose.CONFIRM])
def test_another_links_token_does_not_count(site: Site, link: str, purpose: Purpose) -> None:
    other = f"/rate/{site.keyring.make(purpose, bytes(Delivery.objects.get().token))}"
    assert site.post(other, useful="yes").status == 404
    for forged in (link[:-1] + ("a" if link[-1] != "a" else "b"), f"/rate/{site.keyring.make(Purpose.VIEW, new_id())}"):
        assert site.post(forged, useful="yes").status == 404
    shared = site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().mailing.public_id))
    assert site.post(f"/rate/{shared}", useful="yes").status == 404
    assert not Rating.objects.exists()


def test_a_test_copys_link_counts_nothing(site: Site) -> None:
    before = everything()
    answer = site.post(f"/rate/{site.keyring.make(Purpose.TEST, new_id())}", useful="yes")
    assert answer.status == 200 and "test copy" in answer.text and everything() == before
