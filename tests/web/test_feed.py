"""The Atom feed, read by a parser that others read feeds with."""

from __future__ import annotations

import re
from datetime import timedelta
from xml.etree import ElementTree

import feedparser
from django.utils import timezone

from newsletter.sending import archiving
from newsletter.sending.models import ArchivePage, Mailing
from tests.web.archived import SLUG, approved, sent
from tests.web.conftest import Site

ATOM = "{http://www.w3.org/2005/Atom}"


def read(site: Site):  # type: ignore[no-untyped-def]
    answer = site.get("/feed.xml")
    assert answer.status == 200 and answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    found = feedparser.parse(answer.body)
    assert not found.bozo, found.get("bozo_exception")
    must_have_all_of_rfc_4287(answer.body)
    return found


def must_have_all_of_rfc_4287(data: bytes) -> None:
    """4.1.1 and 4.1.2: what a feed and an entry must have, once; whole IRIs; times with an offset (RFC 3339)."""
    top = ElementTree.fromstring(data)
    for node in (top, *top.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(node.findall(f"{ATOM}{name}")) == 1, name
        assert re.match(r"[a-z][a-z0-9+.-]*:", node.findtext(f"{ATOM}id", ""))
        assert node.findtext(f"{ATOM}author/{ATOM}name")
        assert [link for link in node.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        for name in ("updated", "published"):
            time = node.findtext(f"{ATOM}{name}")
            assert time is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time)


def test_a_feed_without_messages_is_a_feed(site: Site) -> None:
    approved(site.workspace)
    found = read(site)
    assert found.feed.title == "Example Council" and found.entries == []


def test_a_message_is_an_entry_whose_name_stays(site: Site) -> None:
    mailing = sent(site.workspace, more="title: Tom & <Jerry> \u202e\n")
    [one] = read(site).entries
    assert one.title.startswith("Tom & &lt;Jerry&gt;") or one.title.startswith("Tom & <Jerry>")
    assert one.link.endswith(f"/archive/{SLUG}") and one.summary == "What worries you about your street?"
    assert one.id == archiving.name_of(mailing) and one.id.startswith("urn:uuid:")
    site.workspace.toml(
        "", base=(site.workspace.root / "newsletter.toml").read_text().replace("Example Council", "Other")
    )
    assert read(site).entries[0].id == one.id


def test_the_time_moves_with_a_note_a_withdrawal_and_a_correction(site: Site) -> None:
    mailing = sent(site.workspace)
    Mailing.objects.update(
        started_at=timezone.now() - timedelta(days=3), approved_at=timezone.now() - timedelta(days=4)
    )
    first = read(site)
    archiving.note(mailing, "Moved to 6 pm.")
    second = read(site)
    assert second.entries[0].updated > first.entries[0].updated and second.feed.updated > first.feed.updated
    assert second.entries[0].published == first.entries[0].published
    assert "Moved to 6 pm." in second.entries[0].summary
    ArchivePage.objects.update(changed_at=timezone.now() - timedelta(days=2))
    archiving.withdraw(mailing, "wrong")
    third = read(site)
    assert third.entries == [] and third.feed.updated > first.feed.updated


def test_an_unchanged_feed_is_not_sent_again(site: Site) -> None:
    mailing = sent(site.workspace)
    etag = site.get("/feed.xml").headers["etag"]
    for asked in (etag, f'"other", W/{etag}'):
        again = site.get("/feed.xml", If_None_Match=asked)
        assert (again.status, again.body) == (304, b"")
    assert site.ask("HEAD", "/feed.xml").headers["etag"] == etag
    archiving.note(mailing, "New.")
    assert site.get("/feed.xml", If_None_Match=etag).status == 200
