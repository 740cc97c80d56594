"""The pages in a real browser: axe, sizes, keyboard, dark, right to left, and a scanner that runs scripts."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Locator, Page

from newsletter.mail.tokens import Purpose, new_id
from tests.web.conftest import Site, everything

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = [(width, scheme) for width in (320, 1280) for scheme in ("light", "dark")]

pytestmark = pytest.mark.browser


def opened(browser: Browser, width: int = 1280, scheme: str = "light", **more: object) -> Page:
    # bypass_csp: the pages forbid every script, and axe is one.
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        bypass_csp=True,
        **more,  # type: ignore[arg-type]
    )
    return context.new_page()


def pressed(page: Page, control: Locator) -> None:
    """Press it and be on the page that answers: a click alone comes back while the old page is still going."""
    with page.expect_navigation():
        control.click()


def faults(page: Page) -> list[str]:
    """What axe finds, in one line each."""
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run({runOnly: rules}).then(r => r.violations)", RULES)
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


def links(site: Site) -> dict[str, str]:
    """A page of every kind, in every language."""
    ring = site.keyring
    people = {tag: site.leave_link(f"{tag}@example.net", language=tag) for tag in ("en", "cy", "ar", "ur")}
    everything_link = site.leave_link("all@example.net", lists=())
    test = f"/u/{ring.make(Purpose.TEST, new_id())}"
    for tag in ("en", "cy", "ar", "ur"):
        people[f"reply {tag}"] = reply_link(site, tag)
    people |= {"reply test": f"/r/{ring.make(Purpose.TEST, new_id())}", "reply without a link": "/r/"}
    return {
        **people,
        "no lists": everything_link,
        "test copy": test,
        "unknown": "/u/unknown",
        "front": "/",
        "accessibility": "/accessibility",
    }


def reply_link(site: Site, language: str) -> str:
    """The reply page of a copy in this language."""
    from newsletter.sending import mailings
    from newsletter.sending.models import Delivery
    from tests.sending.made import a_rendered, an_issue

    address = f"reader-{language}@example.net"
    site.workspace.people(address, lists=("all-residents",), language=language)
    mailings.approve(site.workspace.config, {"": a_rendered()}, an_issue(slug=f"2026-11-24-{language}"))
    token = Delivery.objects.filter(canonical=address).latest("pk").token
    return f"/r/{site.keyring.make(Purpose.REPLY, bytes(token))}"


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_every_page_is_clean_for_axe_and_fits_the_screen(site: Site, browser: Browser, width: int, scheme: str) -> None:
    page = opened(browser, width, scheme)

    def look(name: str) -> None:
        assert faults(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        for button in page.locator("button").all():
            box = button.bounding_box()
            assert box and box["height"] >= 44 and box["width"] >= 44, name

    for name, path in links(site).items():
        page.goto(site.url + path)
        look(name)
        if page.locator("button").count() and name != "test copy":
            pressed(page, page.locator("button").first)
            look(f"{name}, left")
            pressed(page, page.locator("button").first)
            look(f"{name}, back")
    page.context.close()


def test_leaving_and_coming_back_by_keyboard_without_scripts(site: Site, browser: Browser) -> None:
    from newsletter.audience import subscribing

    link = site.leave_link()
    page = opened(browser, java_script_enabled=False)
    page.goto(site.url + link)
    page.keyboard.press("Tab")
    assert page.locator("button:focus-visible").count() == 1
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert subscribing.has_left("ameera.k@example.net", ["all-residents"])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are subscribed again").wait_for()
    assert not subscribing.has_left("ameera.k@example.net", ["all-residents"])
    page.context.close()


def test_the_focus_can_be_seen(site: Site, browser: Browser) -> None:
    page = opened(browser)
    page.goto(site.url + site.leave_link())
    page.keyboard.press("Tab")
    outline = page.locator("button").first.evaluate(
        "b => getComputedStyle(b).outlineStyle + getComputedStyle(b).outlineWidth"
    )
    assert outline == "solid3px"
    page.context.close()


def test_right_to_left_pages_read_from_the_right(site: Site, browser: Browser) -> None:
    page = opened(browser, 320)
    page.goto(site.url + site.leave_link(language="ar"))
    heading, card = page.locator("h1").bounding_box(), page.locator(".card").first.bounding_box()
    assert heading and card
    assert page.locator("h1").evaluate("h => getComputedStyle(h).textAlign") in ("start", "right")
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    page.context.close()


def test_a_hundred_visits_and_a_scanner_that_runs_scripts_change_nothing(site: Site, browser: Browser) -> None:
    paths = list(links(site).values())
    before = everything()
    for number in range(100):
        site.ask(("GET", "HEAD", "OPTIONS")[number % 3], paths[number % len(paths)])
    for path in paths:
        page = opened(browser, ignore_https_errors=True)  # its own each time: “Exit this page” leads away
        page.goto(site.url + path, wait_until="networkidle")
        page.evaluate("document.querySelectorAll('a').forEach(a => a.click())")
        page.context.close()
    assert everything() == before


def test_nothing_is_loaded_or_stored_and_no_script_would_run(site: Site, browser: Browser) -> None:
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url + site.leave_link())
    assert [url for url in asked if not url.endswith("/favicon.ico")] == [page.url]
    assert page.context.cookies() == []
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    page.context.close()


def test_a_script_in_a_copy_does_not_run_and_pictures_show(site: Site, browser: Browser) -> None:
    from unittest import mock

    from newsletter.sending import copies
    from tests.web.test_pages import asset, mailing

    picture = asset(DOT, "png", "image/png")
    html = f"""<!doctype html><html lang="en"><title>Old</title><body onload="document.title='owned'">
        <script>document.title='owned'</script><img id="p" src="{picture}" onerror="document.title='owned'" alt="">
        <form action="/u/x" method="post"><button>Go</button></form><a href="https://elsewhere.example/">out</a>"""
    made = mailing()
    page = browser.new_context().new_page()
    with mock.patch.object(copies, "public", return_value=html):
        page.goto(f"{site.url}/v/{site.keyring.make(Purpose.VIEW, bytes(made.public_id))}")
        assert page.title() == "Old"
        assert page.locator("#p").evaluate("p => p.naturalWidth") == 1
    page.context.close()


# A picture of one dot, as a real PNG.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360f8ffff3f0005fe02fea735814b0000000049454e44ae426082"
)
