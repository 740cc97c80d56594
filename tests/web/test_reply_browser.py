"""The reply page in a real browser: by keyboard, without scripts, and leaving in a hurry."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from newsletter.replies.models import Conversation
from tests.web.conftest import Site
from tests.web.test_browser import faults, opened, pressed, reply_link

pytestmark = pytest.mark.browser
HARMLESS = "/robots.txt"  # stands for the page that “Exit this page” leads to


def test_a_frightened_resident_is_heard_by_keyboard_alone_and_without_scripts(site: Site, browser: Browser) -> None:
    page = opened(browser, 320, java_script_enabled=False)
    page.goto(site.url + reply_link(site, "en"))
    page.focus("#message")
    page.keyboard.type("He is outside again.")
    page.focus("#write-no")
    page.keyboard.press("Space")
    page.focus("#phone")
    page.keyboard.type("01785 232385")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="We have your message").wait_for()
    talk = Conversation.objects.get()
    assert talk.reference in (page.text_content(".reference") or "")
    assert (talk.messages.get().new_words, talk.safe_to_write) == ("He is outside again.", "no")
    page.context.close()


def test_a_picture_from_the_phone_is_added_on_the_page_after(site: Site, browser: Browser) -> None:
    page = opened(browser, 320)
    page.goto(site.url + reply_link(site, "en"))
    page.fill("#message", "A picture follows.")
    pressed(page, page.locator("button[type=submit]"))
    page.set_input_files("#files", {"name": "IMG_1.heic", "mimeType": "image/heic", "buffer": b"heic" * 5000})
    pressed(page, page.locator("button[type=submit]"))
    page.get_by_text("IMG_1.heic").wait_for()
    assert faults(page) == []
    assert Conversation.objects.get().messages.count() == 2
    page.context.close()


@pytest.mark.parametrize("by", ["link", "keys"])
def test_exit_this_page_leaves_at_once_and_back_does_not_show_what_was_typed(
    site: Site, browser: Browser, by: str
) -> None:
    page = browser.new_context().new_page()  # with the page's own security header: its one script must be allowed
    page.goto(site.url + "/healthz")
    page.goto(site.url + reply_link(site, "en"))
    page.evaluate(f"document.getElementById('exit').href = '{site.url}{HARMLESS}'")
    page.fill("#message", "He is outside again.")
    if by == "link":
        page.click("#exit")
    else:
        for _ in range(3):
            page.keyboard.press("Escape")
    page.wait_for_url(f"**{HARMLESS}")
    page.go_back()
    assert page.url.endswith("/healthz")
    page.context.close()


def test_the_way_out_stays_in_view_however_far_one_scrolls(site: Site, browser: Browser) -> None:
    page = opened(browser, 320)
    page.goto(site.url + reply_link(site, "ur"))
    page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
    box = page.locator("#exit").bounding_box()
    assert box and 0 <= box["y"] < 100
    page.context.close()
