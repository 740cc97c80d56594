"""Both themes in a real browser: widths, larger text, dark in every way, style sheets and pictures gone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import looking
from tests.themes import mails

pytestmark = pytest.mark.browser

EVERY = [
    pytest.param((theme, issue), id=f"{theme}-{issue}")
    for theme, issue in (
        ("alert", "asb"),
        ("alert", "winter-letter"),
        ("alert", "galwadau"),
        ("alert", "ghar-ki"),
        ("letter", "asb"),
        ("letter", "winter-letter"),
        ("letter", "ghar-ki"),
    )
]


@pytest.fixture(params=EVERY)
def html(request: pytest.FixtureRequest) -> str:
    return mails.mail(*request.param).viewable


@pytest.mark.parametrize("way", ["light", "no-styles", "no-pictures"])
def test_nothing_scrolls_sideways_on_the_smallest_phone(browser: Browser, html: str, way: str) -> None:
    with looking.looking(browser, html, 320, way) as page:
        assert looking.scroll_width(page) <= 320


@pytest.mark.parametrize("way", ["light", "no-styles"])
def test_nothing_scrolls_sideways_with_text_twice_as_large(browser: Browser, html: str, way: str) -> None:
    with looking.looking(browser, html, 320, way) as page:
        enlarge(page, 2)
        assert looking.scroll_width(page) <= 320


def enlarge(page: Page, factor: float) -> None:
    """Text only, as a reader's own setting does (WCAG 1.4.4)."""
    page.evaluate(
        """factor => {
          const all = [...document.body.querySelectorAll('*')];
          const sizes = all.map(one => parseFloat(getComputedStyle(one).fontSize));
          all.forEach((one, i) => one.style.setProperty('font-size', sizes[i] * factor + 'px', 'important'));
        }""",
        factor,
    )


@pytest.mark.parametrize("way", looking.WAYS)
@pytest.mark.parametrize("which", [EVERY[0], EVERY[1], EVERY[3], EVERY[5]])
def test_every_word_can_be_read_against_what_is_painted_behind_it(
    browser: Browser, which: tuple[str, str], way: str
) -> None:
    with looking.looking(browser, mails.mail(*which).viewable, 320, way, scale=2) as page:
        texts = looking.texts_as_painted(page, 2)
    assert len(texts) > 20
    pale = [text for text in texts if text.ratio < text.needed]
    assert not pale, pale


def test_columns_stand_side_by_side_on_a_desktop_and_below_each_other_on_a_phone(browser: Browser) -> None:
    html = mails.mail("letter", "winter-letter").viewable
    for width, way, beside in ((600, "light", True), (320, "light", False), (320, "no-styles", False)):
        with looking.looking(browser, html, width, way) as page:
            asked = page.get_by_role("heading", name="You asked").bounding_box()
            answered = page.get_by_role("heading", name="We answered").bounding_box()
        assert asked and answered
        assert (abs(asked["y"] - answered["y"]) < 4) is beside


def test_at_600_pixels_the_mail_fills_the_window_and_on_a_desktop_it_stands_in_the_middle(browser: Browser) -> None:
    html = mails.mail("alert", "asb").viewable
    for width, left in ((600, 0), (1000, 200)):
        with looking.looking(browser, html, width) as page:
            bar = page.locator("div.bar").first.bounding_box()
        assert bar and (bar["x"], bar["width"]) == (left, 600)


def test_everything_to_press_is_large_enough_for_a_thumb(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        boxes = page.evaluate(
            """() => [...document.querySelectorAll('a')].map(a => ({
              words: a.textContent.trim(), box: a.getBoundingClientRect().toJSON(), button: !!a.closest('.button'),
              alone: a.parentElement.textContent.trim() === a.textContent.trim()}))"""
        )
    for link in boxes:
        if link["button"]:
            assert link["box"]["height"] >= 44 and link["box"]["width"] >= 200, link
        elif link["alone"]:
            assert link["box"]["height"] >= 24, link


def test_buttons_keep_their_shape_where_high_contrast_drops_the_fill(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320, "high-contrast") as page:
        borders = page.evaluate(
            "() => [...document.querySelectorAll('.button td')].map(td => getComputedStyle(td).borderTopWidth)"
        )
    assert len(borders) >= 3 and set(borders) == {"2px"}


def test_without_pictures_their_descriptions_stand_in_their_place(browser: Browser) -> None:
    with looking.looking(browser, mails.mail("letter", "winter-letter").viewable, 320, "no-pictures") as page:
        shown = page.evaluate(
            "() => [...document.images].filter(i => i.alt).map(i => [i.alt, i.getBoundingClientRect().width])"
        )
    assert len(shown) >= 4 and all(width > 100 for _, width in shown)
