"""The pages of signing up, choosing and leaving in a real browser: axe, small screens, dark, right to left, zoom."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, Page

from tests.web.conftest import Site
from tests.web.test_browser import SIZES, faults, opened, pressed
from tests.web.test_signup import work

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("NEWSLETTER_PICTURES", "")  # a folder: every page is kept there, to be looked at


class Visitor:
    """One browser window; `seen` checks the page that is open."""

    def __init__(self, site: Site, browser: Browser, width: int, scheme: str, language: str) -> None:
        self.site, self.width, self.name = site, width, f"{language}-{width}-{scheme}"
        self.page: Page = opened(browser, width, scheme, locale=language)
        self.sizes: dict[str, int] = {}

    def open(self, path: str) -> None:
        self.page.goto(self.site.url + path)

    def press(self, value: str) -> None:
        pressed(self.page, self.page.locator(f"button[value='{value}']").first)

    def seen(self, what: str) -> None:
        page = self.page
        assert faults(page) == [], what
        assert page.evaluate("document.documentElement.scrollWidth") <= self.width, what
        for control in page.locator("button, select, input:visible:not([type=checkbox]):not([type=radio])").all():
            box = control.bounding_box()
            if box and box["x"] >= 0 and box["x"] < self.width:
                assert box["height"] >= 44, (what, control.evaluate("c => c.outerHTML"))
        self.sizes[what] = len(page.content().encode())
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{what}-{self.name}.png", full_page=True)


def everything_seen(visitor: Visitor) -> None:
    """Every page that signing up, choosing and leaving can show."""
    site = visitor.site
    visitor.open("/subscribe")
    visitor.seen("subscribe")
    pressed(visitor.page, visitor.page.locator("button"))
    visitor.seen("subscribe-error")
    visitor.page.fill("#email", "new@example.net")
    visitor.page.check("#list-all-residents")
    pressed(visitor.page, visitor.page.locator("button"))
    visitor.seen("asked")
    visitor.open("/subscribe/form")
    visitor.seen("form")
    [(_, _, link)] = work(site)
    visitor.page.context.clear_cookies()
    visitor.open(link)
    visitor.seen("confirm")
    visitor.press("yes")
    visitor.seen("confirmed")
    pressed(visitor.page, visitor.page.locator("main a"))
    visitor.seen("preferences")
    visitor.press("save")
    visitor.seen("saved")
    own = visitor.page.url.removeprefix(site.url)
    for action in ("change", "data", "forget"):
        visitor.open(own)
        visitor.press(action)
        [(_, _, link)] = work(site)
        visitor.open(link)
        visitor.seen(action)
        if action == "change":
            visitor.page.fill("#new", "no address")
            visitor.page.evaluate("document.querySelector('form').noValidate = true")
            visitor.press("yes")
            visitor.seen("change-error")
    visitor.press("yes")
    visitor.seen("forgotten")
    visitor.open(site.leave_link("two@example.net", ("all-residents", "monthly")))
    visitor.seen("leave")
    visitor.press("pause")
    visitor.seen("paused")
    visitor.press("resume")
    visitor.seen("resumed")
    visitor.press("leave")
    visitor.seen("left")
    visitor.press("reason")
    visitor.press("goodbye")
    visitor.seen("goodbye")


@pytest.mark.parametrize("language", ["en", "ur"])
@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_every_page_is_clean_for_axe_and_small(
    site: Site, browser: Browser, width: int, scheme: str, language: str
) -> None:
    from newsletter.web import filling

    visitor = Visitor(site, browser, width, scheme, language)
    with mock.patch.object(filling, "QUICKEST", 0.0):
        everything_seen(visitor)
    visitor.page.context.close()
    assert max(visitor.sizes.values()) <= 30_000, visitor.sizes


def test_the_form_can_be_used_at_twice_the_size(site: Site, browser: Browser) -> None:
    visitor = Visitor(site, browser, 640, "light", "en")  # 1280 at 200 % is 640 CSS pixels
    for path in ("/subscribe", site.leave_link().replace("/u/", "/p/")):
        visitor.open(path)
        visitor.page.evaluate("document.documentElement.style.fontSize = '200%'")
        visitor.seen("zoomed")
    visitor.page.context.close()
