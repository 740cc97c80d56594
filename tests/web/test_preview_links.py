"""Preview links: what nobody has got yet is shown to who holds one, until it ends."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from newsletter.sending import previewing
from newsletter.sending.models import AssetUse, Draft
from tests.sending.steps import put
from tests.web.archived import SLUG, approved, sent, written
from tests.web.conftest import Site
from tests.web.test_archive import pictures


def link(site: Site, *more: str) -> str:
    ran = site.workspace.run("preview", SLUG, "--link", "--json", *more)
    assert ran.exit == 0, ran.out + ran.err
    return str(json.loads(ran.out)["url"]).removeprefix(site.workspace.config.base_url)


def test_an_approved_message_is_shown_with_its_pictures(site: Site) -> None:
    approved(site.workspace)
    answer = site.get(link(site))
    assert answer.status == 200 and "A preview:" in answer.text and "something happened" in answer.text
    assert (
        answer.headers["x-robots-tag"] == "noindex, nofollow" and answer.headers["cache-control"] == "private, no-store"
    )
    [picture] = set(pictures(answer.text))
    shown = site.get(picture)
    assert shown.status == 200 and shown.headers["cache-control"] == "private, max-age=3600"
    assert site.get(picture.partition("?")[0]).status == 404
    assert site.get(picture[:-1] + "x").status == 404
    put("accepted")
    assert site.get(picture.partition("?")[0]).status == 200


def test_a_message_that_is_not_approved_is_shown_as_it_was(site: Site) -> None:
    site.workspace.people("ameera@home.example")
    written(site.workspace)
    path = link(site, "--for", "36h")
    written(site.workspace, words="something else.")
    answer = site.get(path)
    assert "something happened" in answer.text
    [picture] = set(pictures(answer.text))
    assert site.get(picture).status == 200 and site.get(picture.partition("?")[0]).status == 404
    assert "something else" in site.get(link(site)).text and Draft.objects.count() == 1


def test_a_link_ends_and_cannot_be_forged(site: Site) -> None:
    approved(site.workspace)
    now = timezone.now()
    over = previewing.seal(site.keyring, previewing.PAGE, SLUG, now - timedelta(seconds=1))
    other = previewing.seal(site.keyring, previewing.PAGE, "another", now + timedelta(days=1))
    good = previewing.seal(site.keyring, previewing.PAGE, SLUG, now + timedelta(days=1))
    later = good.replace(good.partition("-")[0], "zzzzzz")
    picture = previewing.seal(site.keyring, previewing.PICTURE, SLUG, now + timedelta(days=1))
    for bad in (over, other, later, picture, "x", good[:-1]):
        assert site.get(f"/preview/{SLUG}/{bad}").status == 404, bad
    assert site.get(f"/preview/{SLUG}/{good}").status == 200


@pytest.mark.parametrize("text", ["0d", "91d", "x", "7", "-1d", "99999w", ""])
def test_a_link_must_end(site: Site, text: str) -> None:
    written(site.workspace)
    ran = site.workspace.run("preview", SLUG, "--link", "--for", text)
    assert ran.exit == 2 and "bad-duration" in ran.out + ran.err


def test_the_pictures_of_a_test_copy_show_to_whoever_got_it(site: Site) -> None:
    written(site.workspace)
    site.workspace.toml('[images]\ncarry = "url"\n[catch]\nsmtp = "127.0.0.1:1"\n')
    ran = site.workspace.run("test", SLUG, "--to", "sam@council.example")
    assert ran.exit == 0, ran.out + ran.err
    [mail] = (site.workspace.root / "var" / "mail").glob("*.eml")
    from email import message_from_bytes, policy

    body = message_from_bytes(mail.read_bytes(), policy=policy.default).get_body(("html",))  # type: ignore[attr-defined]
    [picture] = set(pictures(body.get_content()))
    assert site.get(picture).status == 200 and site.get(picture.partition("?")[0]).status == 404
    assert not AssetUse.objects.exclude(mailing=None).exists()


def test_a_picture_that_another_message_has_shown_is_shown(site: Site) -> None:
    sent(site.workspace)
    page = site.get(f"/archive/{SLUG}").text
    approved(site.workspace, "2026-12-01-next", more="title: Next\n")
    [picture] = set(pictures(page))
    assert site.get(picture).status == 200
