"""axe finds nothing in any example mail, light or dark, in either theme."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser

from newsletter.rendering.model import Mode
from tests.browser import looking
from tests.browser.test_mail_looks import EVERY
from tests.themes import mails

pytestmark = pytest.mark.browser

# A mail has no landmarks of its own: it is shown inside the page of the mail app.
NOT_FOR_MAIL = ["landmark-one-main", "region"]


@pytest.mark.parametrize("way", ["light", "dark"])
@pytest.mark.parametrize("which", EVERY)
def test_axe_finds_nothing(browser: Browser, which: tuple[str, str], way: str) -> None:
    assert axe(browser, mails.mail(*which).viewable, way) == []


def axe(browser: Browser, html: str, way: str) -> list[str]:
    """Each violation with its first place."""
    with looking.looking(browser, html, 320, way) as page:
        page.evaluate(AXE_SCRIPT)
        rules = {name: {"enabled": False} for name in NOT_FOR_MAIL}
        found = page.evaluate("rules => axe.run(document, {rules, resultTypes: ['violations']})", rules)
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]]


@pytest.mark.parametrize("mode", [Mode.WEB, Mode.TEST])
@pytest.mark.parametrize("theme", mails.THEMES)
def test_axe_finds_nothing_on_the_public_page_and_the_test_copy(browser: Browser, theme: str, mode: Mode) -> None:
    assert axe(browser, mails.mail(theme, "winter-letter", mode=mode).viewable, "light") == []
