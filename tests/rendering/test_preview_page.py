"""The preview's page in a real browser: it follows the file without jumping, and is for everybody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from newsletter.cli.preview_server import Preview, Server
from newsletter.config import load
from tests.rendering.conftest import Desk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.browser
LONG = "# News\n\nHello {{ first_name or 'neighbour' }}, one.\n\n" + "Some words for the reader.\n\n" * 120
SCROLLED = "document.getElementById('mail').contentWindow.scrollY"


@pytest.fixture
def page(desk: Desk, browser: Browser) -> Iterator[Page]:
    """A preview of a long issue in a tab of its own."""
    folder = desk.write(LONG)
    preview = Preview(lambda: load(desk.root), folder)
    server = Server(0, preview)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    try:
        tab.goto(server.url)
        shows(tab, "one.")
        yield tab
    finally:
        tab.close()
        preview.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def shows(page: Page, words: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("iframe")).to_have_count(1)
    expect(page.frame_locator("#mail").locator("body")).to_contain_text(words)


def test_a_save_is_shown_and_the_reader_stays_where_they_were(page: Page, desk: Desk) -> None:
    page.evaluate("document.getElementById('mail').contentWindow.scrollTo(0, 1500)")
    assert page.evaluate(SCROLLED) == 1500
    for words in ("two.", "three."):
        desk.write(LONG.replace("one.", words))
        shows(page, words)
        assert page.evaluate(SCROLLED) == 1500


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(page: Page) -> None:
    held: list[Route] = []
    page.route("**/copy?*dark=1*", lambda route: held.append(route))
    page.click("#dark")
    with page.expect_response("**/copy?*dark=0*"):
        page.click("#dark")
    with page.expect_response("**/copy?*dark=1*") as late:
        held[0].continue_()
    late.value.finished()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shows(page, "Hello Sam, one.")
    html = page.evaluate("document.getElementById('mail').contentDocument.documentElement.outerHTML")
    assert page.get_attribute("#dark", "aria-pressed") == "false" and "(min-width:0px)" not in html


def test_a_link_says_where_it_goes_and_leads_nowhere(page: Page, desk: Desk) -> None:
    desk.write("# News\n\nRead [the plan](https://riverside.example/plan).\n")
    shows(page, "the plan")
    page.frame_locator("#mail").get_by_text("the plan").click()
    assert page.text_content("#goes") == "This link goes to https://riverside.example/plan"
    shows(page, "the plan")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_barrier_that_axe_knows(page: Page, desk: Desk, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    desk.write(LONG + "{{ oops }}\n\nSee [here](https://riverside.example/).\n")
    page.wait_for_selector(".problems .tag.error")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    found = Axe().run(page, context={"exclude": ["#mail"]})  # the mail has tests of its own, in tests/browser
    assert not found.response["violations"], found.generate_report()
