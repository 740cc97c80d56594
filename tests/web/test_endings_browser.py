"""The pages that the other browser tests do not pass: how things end, own and shared copies, the form elsewhere."""

from __future__ import annotations

from unittest import mock

import pytest
from playwright.sync_api import Browser, Page

from newsletter.mail.tokens import Purpose
from newsletter.sending import archiving
from newsletter.sending.models import Delivery
from tests.web.archived import sent
from tests.web.conftest import Site
from tests.web.test_browser import SIZES, faults, opened, pressed, reply_link
from tests.web.test_signup import work

pytestmark = pytest.mark.browser


def seen(page: Page, what: str, heading: str = "") -> None:
    """The page that is open has no fault, fits, and is the one that was meant."""
    assert faults(page) == [], what
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    if heading:
        assert page.locator("h1").first.inner_text() == heading, what


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_how_things_end_is_clean_for_axe(site: Site, browser: Browser, width: int, scheme: str) -> None:
    from newsletter.audience import requests, subscribing
    from newsletter.audience.models import Request
    from newsletter.web import confirm, filling, own_data

    page = opened(browser, width, scheme)
    own = site.leave_link("ameera@example.net").replace("/u/", "/p/")
    for action in ("forget", "change"):
        site.post(own, action=action)
    (_, _, forget), (_, _, change) = work(site)
    page.goto(site.url + forget)
    with mock.patch.object(own_data, "forget", return_value=False):  # a legal hold
        pressed(page, page.locator("button").first)
    seen(page, "held", "A person will write to you")
    page.goto(site.url + forget)
    seen(page, "used", "This link was used already")
    site.post(change, action="yes", new="new@example.net")
    [(_, _, move)] = work(site)
    page.goto(site.url + move)
    seen(page, "move")
    with mock.patch.object(confirm.subscribing, "move", return_value=subscribing.Change(False, why="taken")):
        pressed(page, page.locator("button").first)
    seen(page, "refused")
    site.post(own, action="forget")
    [(_, _, late)] = work(site)
    Request.objects.update(expires="2020-01-01T00:00:00Z")
    page.goto(site.url + late)
    seen(page, "expired")
    page.goto(f"{site.url}/subscribe")
    page.fill("#email", "busy@example.net")
    page.check("#list-all-residents")
    with mock.patch.object(requests, "busy", return_value=True), mock.patch.object(filling, "QUICKEST", 0.0):
        pressed(page, page.locator("button"))
    seen(page, "busy")
    page.context.close()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_copies_rating_and_reply_are_clean_for_axe(site: Site, browser: Browser, width: int, scheme: str) -> None:
    page = opened(browser, width, scheme)
    mailing = sent(site.workspace)
    archiving.note(mailing, "The meeting was moved to 6 pm.")
    ring = site.keyring
    own = ring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))
    for noted in (True, False):
        for name, token in (("own copy", own), ("shared copy", ring.make(Purpose.VIEW, bytes(mailing.public_id)))):
            page.goto(f"{site.url}/v/{token}?noted={noted}")  # another address: a copy is cached for a minute
            assert page.locator("h1").count() == 1 and page.locator("aside").count() == noted, name
            seen(page, name)
        archiving.note(mailing, "")
    page.goto(f"{site.url}/rate/{own}")
    pressed(page, page.locator("button").first)
    seen(page, "rated")
    page.goto(site.url + reply_link(site, "en"))
    pressed(page, page.locator("button[type=submit]"))
    seen(page, "reply without words")
    page.fill("#message", "The lamp is out again.")
    pressed(page, page.locator("button[type=submit]"))
    seen(page, "reply kept", "We have your message")
    page.context.close()


def test_the_form_is_clean_for_axe_on_a_page_of_others(site: Site, browser: Browser) -> None:
    ran = site.workspace.run("web", "--form")
    page = opened(browser)
    page.set_content(f"<!doctype html><html lang=en><title>Ours</title><main><h1>Ours</h1>{ran.out}</main></html>")
    assert page.locator("form button").count() == 1 and page.locator("script").count() == 0
    seen(page, "embedded form")
    page.context.close()
