"""The archive: what is listed and since when, each message as a page, notes, withdrawals, languages, search."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from lxml.html import fromstring

from newsletter.mail.tokens import Purpose
from newsletter.sending import archiving
from newsletter.sending.models import ArchivePage, Delivery
from tests.sending.steps import put
from tests.web.archived import SLUG, approved, sent
from tests.web.conftest import Site, everything

PAGE = f"/archive/{SLUG}"
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "[click](javascript:alert(1))",
    "<iframe src=https://evil.example></iframe>",
    "<form action=/u/x method=post><button>Go</button></form>",
    "</main></body><script>alert(1)</script>",
    "<base href=https://evil.example>",
)


def pictures(text: str) -> list[str]:
    return re.findall(r"/i/[0-9a-f]{64}\.png[^\"]*", text)


def test_before_its_first_delivery_nothing_of_a_message_is_there(site: Site) -> None:
    mailing = approved(site.workspace)
    shared = f"/v/{site.keyring.make(Purpose.VIEW, bytes(mailing.public_id))}"
    own = f"/v/{site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))}"
    [asset] = mailing.asset_uses.all()
    picture = f"/i/{asset.asset_id}.png"
    for path in (PAGE, shared, own, picture, f"/rate/{own[3:]}"):
        answer = site.get(path)
        assert answer.status == 404 and answer.headers["cache-control"] == "no-store", path
    assert SLUG not in site.get("/archive").text and SLUG not in site.get("/feed.xml").text
    put("inflight")  # the first mail is on its way: its reader may open everything in the next moment
    for path in (PAGE, shared, picture):
        assert site.get(path).status == 200, path
    assert SLUG in site.get("/archive").text and SLUG in site.get("/feed.xml").text


def test_nobody_got_it_after_all(site: Site) -> None:
    approved(site.workspace)
    put("failed")
    assert site.get(PAGE).status == 404


def test_a_message_is_a_page_of_the_site_without_anybody_in_it(site: Site) -> None:
    sent(site.workspace)
    answer = site.get(PAGE)
    text = answer.text
    assert answer.status == 200 and "Ameera" not in text and "neighbour" in text and "For people in Stone" in text
    assert "<title>Is it you? – Example Council</title>" in text and '<html lang="en' in text
    assert (
        text.index("nl-skip")
        < text.index("<header")
        < text.index('<main id="nl-message"')
        < text.index("Is it you?</h1>")
    )
    assert 'href="/archive"' in text and 'href="/r/"' in text and 'href="/feed.xml"' in text
    assert "/u/" not in text and "reply+" not in text
    assert "Exit this page" not in text
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy and "allow-scripts" not in policy and "form-action 'none'" in policy
    assert answer.headers["x-robots-tag"] == "all" and answer.headers["cache-control"] == "public, max-age=60"
    for picture in pictures(text):
        assert site.get(picture).status == 200


def test_a_sensitive_message_can_be_left_at_once(site: Site) -> None:
    sent(site.workspace, more="sensitive: true\n")
    text = site.get(PAGE).text
    assert f'href="{site.workspace.config.web.exit_url}"' in text and "Exit this page" in text


@pytest.mark.parametrize("archive", ["unlisted", "none"])
def test_what_is_not_public_is_not_in_the_archive(site: Site, archive: str) -> None:
    mailing = sent(site.workspace)
    ArchivePage.objects.update(listed=False)
    mailing.settings["archive"] = archive
    mailing.save()
    assert site.get(PAGE).status == 404
    assert SLUG not in site.get("/archive").text and SLUG not in site.get("/feed.xml").text


def test_a_message_may_come_into_the_archive_later_than_it_was_sent(site: Site) -> None:
    mailing = sent(site.workspace, more="archive_at: 2999-01-01 08:00\n")
    shared = f"/v/{site.keyring.make(Purpose.VIEW, bytes(mailing.public_id))}"
    assert site.get(PAGE).status == 404 and SLUG not in site.get("/archive").text
    assert site.get(shared).status == 200, "the link of the mail works for those who got it"
    assert ArchivePage.objects.get().archive_at is not None
    ArchivePage.objects.update(archive_at=timezone.now() - timedelta(seconds=1))
    assert site.get(PAGE).status == 200 and SLUG in site.get("/archive").text


def test_an_early_archive_time_shows_nothing_before_the_first_delivery(site: Site) -> None:
    approved(site.workspace, more="archive_at: 2020-01-01 08:00\n")
    assert site.get(PAGE).status == 404


def test_a_note_stands_above_the_message_everywhere(site: Site) -> None:
    mailing = sent(site.workspace)
    archiving.note(mailing, "Moved to <b>6 pm</b>.")
    shared = f"/v/{site.keyring.make(Purpose.VIEW, bytes(mailing.public_id))}"
    own = site.get(f"/v/{site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))}").headers["location"]
    for path in (PAGE, shared, own, "/archive", "/feed.xml"):
        assert "Moved to &lt;b&gt;6 pm&lt;/b&gt;." in site.get(path).text, path
    archiving.note(mailing, "")
    assert "6 pm" not in site.get(PAGE).text
    assert [one.what for one in mailing.log.all()] == ["page noted", "note removed"]


def test_a_withdrawn_message_is_gone_and_its_record_is_not(site: Site) -> None:
    mailing = sent(site.workspace)
    ring = site.keyring
    paths = [
        PAGE,
        *(f"/v/{ring.make(Purpose.VIEW, bytes(id_))}" for id_ in (mailing.public_id, Delivery.objects.get().token)),
    ]
    archiving.withdraw(mailing, "a name that must not be public")
    for path in paths:
        answer = site.get(path)
        assert answer.status == 410 and "something happened" not in answer.text, path
        assert "was withdrawn" in answer.text and "a name that" not in answer.text
    assert SLUG not in site.get("/archive?q=happened").text and SLUG not in site.get("/feed.xml").text
    assert Delivery.objects.count() == 1 and mailing.log.get().words == "a name that must not be public"
    archiving.restore(mailing)
    assert site.get(PAGE).status == 200


def test_the_list_can_be_searched_and_turned_by_page_and_year(site: Site) -> None:
    first = sent(site.workspace)
    for number in range(24):
        copy = ArchivePage.objects.get(pk=first.pk)
        mailing = type(first).objects.get(pk=first.pk)
        mailing.pk, mailing.slug, mailing.public_id = None, f"more-{number:02}", bytes([number]) * 9
        mailing.started_at = timezone.now() - timedelta(days=1 + number)
        mailing.save()
        mailing.tallies.create(state="accepted", people=1)
        copy.pk, copy.mailing, copy.words = None, mailing, "cats 100% ÄRGER".casefold()
        copy.save(force_insert=True)
    ArchivePage.objects.filter(mailing__slug="more-23").update(words="dogs")
    type(first).objects.filter(slug="more-23").update(started_at=timezone.now() - timedelta(days=800))
    one = site.get("/archive").text
    assert one.count('class="entry"') == 20 and "page=2" in one and SLUG in one
    two = site.get("/archive?page=2").text
    assert two.count('class="entry"') == 5 and 'href="/archive"' in two and "more-23" in two
    assert site.get("/archive?q=dogs").text.count('class="entry"') == 1
    assert site.get("/archive?q=CATS+100%25+%C3%A4rger").text.count('class="entry"') == 20
    assert site.get("/archive?q=100_").text.count('class="entry"') == 0, "_ and % are letters here"
    assert site.get("/archive?q=cats+dogs").text.count('class="entry"') == 0
    year = (timezone.now() - timedelta(days=800)).year
    assert f"/archive?year={year}" in one
    assert "more-23" in site.get(f"/archive?year={year}").text
    assert SLUG not in site.get(f"/archive?year={year}").text


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "year=99999999", "q=%00", "q=" + "a" * 5000, "page=999999"]
)
def test_a_bad_question_is_answered_all_the_same(site: Site, query: str) -> None:
    assert site.get(f"/archive?{query}").status == 200


def test_who_doubts_a_mail_finds_it_by_its_number_and_a_made_up_number_finds_nothing(site: Site) -> None:
    sent(site.workspace, more="number: NH-4711\n")
    assert "Is it you?" in site.get("/archive?q=nh-4711").text
    assert "Is it you?" not in site.get("/archive?q=nh-4712").text


def test_what_is_searched_for_is_shown_as_text(site: Site) -> None:
    text = site.get("/archive?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script" not in text and "&lt;script&gt;" in text


def test_the_list_and_the_message_are_in_the_readers_language(site: Site) -> None:
    welsh = "---\nsubject: Ai chi yw?\npreheader: Gair\n---\n\n# Ai chi yw?\n\nHelo.\n\n::reply[Ateb]\n"
    site.workspace.write(f"issues/{SLUG}/issue.cy.md", welsh)
    sent(site.workspace)
    listed = site.get("/archive", Accept_Language="cy")
    assert "Negeseuon" in listed.text and "Ai chi yw?" in listed.text and '<html lang="cy"' in listed.text
    answer = site.get(PAGE, Accept_Language="cy")
    assert "<title>Ai chi yw?" in answer.text and "Pob neges" in answer.text and "?lang=en" in answer.text
    assert "Accept-Language" in answer.headers["vary"]
    assert "<title>Is it you?" in site.get(f"{PAGE}?lang=en", Accept_Language="cy").text


@pytest.mark.parametrize("words", HOSTILE)
def test_nothing_hostile_in_an_issue_reaches_the_archive(site: Site, words: str) -> None:
    sent(site.workspace, words=words, more=f"title: {words}\n")
    for path in (PAGE, "/archive", "/feed.xml"):
        tree = fromstring(site.get(path).body)
        assert not tree.xpath("//script | //iframe | //svg | //base | //form[contains(@action, '/u/')]"), path
        assert not tree.xpath("//@*[starts-with(name(), 'on') or starts-with(., 'javascript:')]"), path
        assert len(tree.xpath("//body")) <= 1 and not tree.xpath("//main//main"), path


def test_looking_changes_nothing(site: Site) -> None:
    mailing = sent(site.workspace)
    own = site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))
    paths = ["/archive", "/archive?q=x&year=2026", PAGE, "/feed.xml", "/archive/nothing", "/preview/x/y", "/robots.txt"]
    paths += [f"/v/{own}", site.get(f"/v/{own}").headers["location"], f"/rate/{own}", *pictures(site.get(PAGE).text)]
    before = everything()
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert site.ask(method, path).status in (200, 204, 303, 404), path
    for path in (p for p in paths if not p.startswith("/rate/")):
        assert site.ask("POST", path).status == 405, path
    assert everything() == before and mailing.ratings.count() == 0


def test_no_address_leads_away(site: Site) -> None:
    """T14: what a visitor puts into an address never becomes the place that one is sent to."""
    sent(site.workspace)
    own = site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))
    for more in ("?next=//evil.example", "?own=//evil.example", "//evil.example", "%0d%0aLocation:%20//evil.example"):
        where = site.get(f"/v/{own}{more}", Host="evil.example").headers.get("location", "/v/")
        assert where.startswith("/v/") and "evil" not in where
        assert "evil.example" not in site.get(f"{PAGE}{more}", Host="evil.example").text


def test_every_page_is_small(site: Site) -> None:
    sent(site.workspace)
    from newsletter.sending import copies

    mail = len(copies.public(archiving.published()[0].mailing))
    assert len(site.get("/archive").body) < 15_000
    assert len(site.get(PAGE).body) - mail < 7_000


def test_a_copy_in_the_browser_loses_its_name_from_the_address(site: Site) -> None:
    sent(site.workspace)
    delivery = Delivery.objects.get()
    token = site.keyring.make(Purpose.VIEW, bytes(delivery.token))
    where = site.get(f"/v/{token}").headers["location"]
    shared, _, seal = where.partition("?own=")
    own = site.get(where)
    assert "Ameera" in own.text and own.headers["cache-control"] == "private, no-store"
    assert own.headers["x-robots-tag"] == "noindex, nofollow"
    assert "Ameera" not in site.get(shared).text
    stored, end, mac = seal.split("-")
    for bad in (
        f"{stored}-{end}-{'0' * 32}",
        f"{stored}-zzzzzz-{mac}",
        f"{'00' * 9}-{end}-{mac}",
        "",
        "x",
        f"{stored}--",
    ):
        answer = site.get(f"{shared}?own={bad}")
        assert answer.status == 200 and "Ameera" not in answer.text, bad


def test_the_seal_of_an_own_copy_ends_after_ten_minutes(site: Site) -> None:
    from newsletter.sending import previewing

    now = timezone.now()
    seal = previewing.seal(site.keyring, previewing.COPY, "00", now + timedelta(minutes=10))
    assert previewing.ends(site.keyring, previewing.COPY, "00", seal, now + timedelta(minutes=9))
    assert not previewing.ends(site.keyring, previewing.COPY, "00", seal, now + timedelta(minutes=10))
    assert not previewing.ends(site.keyring, previewing.PAGE, "00", seal, now)
