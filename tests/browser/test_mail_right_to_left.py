"""The Urdu issue: mirrored, tall letters with room, numbers and names in one piece."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import looking
from tests.themes import mails

pytestmark = pytest.mark.browser


@pytest.fixture(params=mails.THEMES)
def html(request: pytest.FixtureRequest) -> str:
    return mails.mail(request.param, "ghar-ki").viewable


@pytest.mark.parametrize("way", ["light", "no-styles"])
def test_words_start_on_the_right(browser: Browser, html: str, way: str) -> None:
    with looking.looking(browser, html, 320, way) as page:
        for selector in ("h1", "h2", ".copy p", "li", "th"):
            style = page.eval_on_selector(
                selector, "one => [getComputedStyle(one).direction, getComputedStyle(one).textAlign]"
            )
            assert style[0] == "rtl" and style[1] in ("right", "start"), (selector, style)


def test_the_bar_of_a_callout_stands_on_the_right(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        widths = page.eval_on_selector(
            ".callout > table > tbody > tr > td",
            "td => [getComputedStyle(td).borderLeftWidth, getComputedStyle(td).borderRightWidth]",
        )
    assert widths == ["0px", "6px"]


def test_the_english_part_reads_from_the_left(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        part = page.get_by_text("In English:")
        assert part.evaluate("one => getComputedStyle(one).direction") == "ltr"
        assert part.evaluate("one => one.closest('[lang]').lang") == "en-GB"


def test_telephone_numbers_are_isolated_and_not_torn_apart(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        spans = page.evaluate(
            """() => [...document.querySelectorAll('span[dir=ltr]')].filter(s => s.textContent[0] == "+").map(
              s => [s.textContent, getComputedStyle(s).unicodeBidi, s.getClientRects().length])"""
        )
    assert [span[:2] for span in spans] == [["+44 1632 960 123", "isolate"]] * 2
    assert spans[1][2] == 1  # the one in running text stays on one line


def test_the_letters_of_a_number_are_painted_in_their_order(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        places = page.evaluate(
            """() => { const node = document.querySelector('a span[dir=ltr]').firstChild, xs = [];
              for (let i = 0; i < node.length; i++) { const r = document.createRange();
                r.setStart(node, i); r.setEnd(node, i + 1); xs.push(r.getBoundingClientRect().x); }
              return xs; }"""
        )
    assert places == sorted(places)


def test_a_name_in_latin_letters_keeps_its_place_in_the_greeting(browser: Browser) -> None:
    mail = mails.mail("alert", "ghar-ki")
    assert "\u2068Ameera\u2069" in mail.html or "<bdi>Ameera</bdi>" in mail.html
    assert "\u20682026-122\u2069" in mail.html


def test_tall_letters_have_room_and_nothing_is_cut_off(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        tight, cut = page.evaluate(
            """() => { const tight = [], cut = [];
              for (const one of document.querySelectorAll('h1, h2, h3, p, li, td, th')) {
                const own = [...one.childNodes].some(n => n.nodeType === 3 && /[\\u0600-\\u06ff]/.test(n.data));
                if (!own) continue;
                const style = getComputedStyle(one);
                if (parseFloat(style.lineHeight) / parseFloat(style.fontSize) < 1.95) tight.push(one.textContent);
                for (let up = one; up; up = up.parentElement)
                  if (getComputedStyle(up).overflow !== 'visible') cut.push(up.outerHTML.slice(0, 80));
              }
              return [tight, cut]; }"""
        )
    assert tight == [] and cut == []


def test_the_font_for_urdu_is_named_first(browser: Browser, html: str) -> None:
    with looking.looking(browser, html, 320) as page:
        family = page.eval_on_selector("h1", "one => getComputedStyle(one).fontFamily")
    assert family.startswith('"Noto Nastaliq Urdu"')
