"""axe finds nothing in any example mail, light or dark, in either theme."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser

from tests.browser import looking
from tests.browser.test_mail_looks import EVERY
from tests.themes import mails

pytestmark = pytest.mark.browser

# A mail has no landmarks of its own: it is shown inside the page of the mail app.
NOT_FOR_MAIL = ["landmark-one-main", "region"]


@pytest.mark.parametrize("way", ["light", "dark"])
@pytest.mark.parametrize("which", EVERY)
def test_axe_finds_nothing(browser: Browser, which: tuple[str, str], way: str) -> None:
    with looking.looking(browser, mails.mail(*which).viewable, 320, way) as page:
        page.evaluate(AXE_SCRIPT)
        rules = {name: {"enabled": False} for name in NOT_FOR_MAIL}
        found = page.evaluate("rules => axe.run(document, {rules, resultTypes: ['violations']})", rules)
    assert [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]] == []
    assert len(found["passes"]) > 10
