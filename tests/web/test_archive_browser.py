"""The archive in a real browser: axe, sizes, dark, right to left, the address that is shown, a page without scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.mail.tokens import Purpose
from newsletter.sending import archiving
from newsletter.sending.models import Delivery
from tests.sending.steps import put
from tests.web.archived import SLUG, approved, sent
from tests.web.conftest import Site
from tests.web.test_browser import SIZES, faults, opened, pressed

pytestmark = pytest.mark.browser
URDU = "---\nsubject: کیا یہ آپ ہیں؟\npreheader: آپ کی گلی\n---\n\n# کیا یہ آپ ہیں؟\n\nسلام۔\n\n::reply[جواب دیں]\n"
PICTURES = os.environ.get("NEWSLETTER_PICTURES")  # a folder to look at them in


def pages(site: Site) -> dict[str, str]:
    site.workspace.write(f"issues/{SLUG}/issue.ur.md", URDU)
    mailing = sent(site.workspace, more="sensitive: true\n")
    archiving.note(mailing, "The meeting was moved to 6 pm.")
    second = sent(site.workspace, "2026-11-25-correction", more=f"corrects: {SLUG}\ntitle: What we got wrong\n")
    gone = sent(site.workspace, "2026-11-20-gone", more="title: Gone\n")
    put("accepted")
    archiving.withdraw(gone, "wrong")
    approved(site.workspace, "2026-12-24-next", more="title: Next\n")
    link = site.workspace.run("preview", "2026-12-24-next", "--link").out.split()[0]
    own = site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.filter(mailing=second).latest("pk").token))
    return {
        "list": "/archive",
        "list-ur": "/archive?lang=ur",
        "search": "/archive?q=nothing",
        "message": f"/archive/{SLUG}?lang=en",
        "message-ur": f"/archive/{SLUG}?lang=ur",
        "correction": "/archive/2026-11-25-correction",
        "withdrawn": "/archive/2026-11-20-gone",
        "preview": link.removeprefix(site.workspace.config.base_url),
        "rate": f"/rate/{own}",
    }


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_every_page_is_clean_for_axe_and_fits_the_screen(site: Site, browser: Browser, width: int, scheme: str) -> None:
    for name, path in pages(site).items():
        page = opened(browser, width, scheme, locale="ur" if name.endswith("ur") else "en-GB")
        page.goto(site.url + path)
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}-{scheme}.png", full_page=True)
        assert faults(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        for target in page.locator("button, .nl-button, .nl-exit, .nl-link, .row a").all():
            box = target.bounding_box()
            assert box and box["height"] >= 44, (name, target.inner_text())
        page.context.close()


def test_the_address_that_is_shown_names_nobody(site: Site, browser: Browser) -> None:
    sent(site.workspace)
    token = site.keyring.make(Purpose.VIEW, bytes(Delivery.objects.get().token))
    page = browser.new_context().new_page()
    page.goto(f"{site.url}/v/{token}")
    page.get_by_text("Hello Ameera").first.wait_for()
    assert token not in page.url and "?" not in page.url
    page.goto(page.url)
    page.get_by_text("Hello neighbour").first.wait_for()
    page.context.close()
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site.url}/v/{token}")
    page.get_by_text("Hello Ameera").first.wait_for()
    assert token not in page.url
    page.context.close()


def test_one_can_read_answer_and_go_back_by_keyboard_without_scripts(site: Site, browser: Browser) -> None:
    sent(site.workspace)
    page = opened(browser, java_script_enabled=False)
    page.goto(f"{site.url}/archive")
    pressed(page, page.get_by_role("link", name="Is it you?"))
    page.keyboard.press("Tab")
    assert page.locator(".nl-skip:focus").inner_text() == "Skip to the message"
    page.keyboard.press("Enter")
    assert page.url.endswith("#nl-message")
    pressed(page, page.get_by_role("link", name="Write to us about this"))
    page.get_by_role("heading", name="Reply to this message").wait_for()
    page.go_back()
    pressed(page, page.get_by_role("link", name="All messages").first)
    page.get_by_role("heading", name="Messages we have sent").wait_for()
    page.context.close()
