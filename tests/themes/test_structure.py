"""What must hold in the HTML of every theme, whatever the issue: proved without a browser."""

from __future__ import annotations

import re
from html import unescape
from itertools import pairwise

import pytest

from newsletter.content import reading
from newsletter.rendering import pipeline, themes
from newsletter.rendering.material import Material
from newsletter.rendering.model import Mode
from tests.themes import mails, markup

ISSUES = ("asb", "winter-letter", "galwadau", "ghar-ki")
EVERY = [pytest.param((theme, issue), id=f"{theme}-{issue}") for theme in mails.THEMES for issue in ISSUES]


@pytest.fixture(params=EVERY)
def mail(request: pytest.FixtureRequest) -> mails.Mail:
    return mails.mail(*request.param)


@pytest.fixture
def html(mail: mails.Mail) -> str:
    return mail.html


def test_the_examples_render_without_anything_that_must_be_fixed(mail: mails.Mail) -> None:
    assert not [problem for problem in mail.rendered.problems if problem.severity == "error"]


def test_language_and_direction_stand_on_every_child_of_body(mail: mails.Mail) -> None:
    children = [child for child in markup.body(mail.html) if isinstance(child.tag, str)]
    assert children
    for child in children:
        assert child.get("lang") == mail.rendered.language
        assert child.get("dir") == mail.rendered.direction


def test_there_is_one_headline_and_no_level_is_left_out(html: str) -> None:
    levels = [int(element.tag[1]) for element in markup.body(html).iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_title_is_set_and_names_the_mail_for_screen_readers(mail: mails.Mail) -> None:
    (root,) = markup.body(mail.html).xpath("./div[@role='article']")
    assert root.get("aria-label") == mail.rendered.title
    title = re.search(r"<title>\s*(.*?)\s*</title>", mail.html, re.DOTALL)
    assert title and unescape(title[1]) == mail.rendered.title


def test_layout_tables_say_so_and_tables_of_facts_have_column_heads(html: str) -> None:
    for table in markup.body(html).iter("table"):
        if table.get("role") == "presentation":
            assert not table.xpath("./*/tr/th") and not table.xpath("./tr/th")
        else:
            heads = table.xpath(".//th")
            assert heads and all(head.get("scope") == "col" for head in heads)


def test_every_picture_has_its_size_and_a_decided_alt(html: str) -> None:
    for picture in markup.body(html).iter("img"):
        assert picture.get("alt") is not None
        assert int(picture.get("width")) > 0 and int(picture.get("height")) > 0
        assert picture.get("src").startswith("cid:")


def test_line_heights_of_words_have_no_unit(html: str) -> None:
    for element in markup.with_own_text(html):
        value = markup.inherited(element, "line-height")
        assert re.fullmatch(r"\d+(\.\d+)?", value), (value, element.text)


def test_no_words_are_smaller_than_16_pixels(html: str) -> None:
    for element in markup.with_own_text(html):
        size = markup.inherited(element, "font-size")
        assert size.endswith("px") and float(size[:-2]) >= 16, (size, element.text)


def test_links_are_underlined_or_are_buttons(html: str) -> None:
    for link in markup.body(html).xpath(".//a[not(img)]"):
        button = "background" in markup.styles(link)
        assert button or markup.styles(link)["text-decoration"] == "underline", link.text_content()
        assert markup.styles(link)["color"].startswith("#")


def test_every_link_has_words_and_goes_somewhere(html: str) -> None:
    for link in markup.body(html).iter("a"):
        words = " ".join(link.text_content().split()) or link.xpath("string(.//img/@alt)")
        assert len(words) > 2 and words.lower() not in ("click here", "here", "read more", "link")
        assert re.match(r"https://|http://127\.0\.0\.1|mailto:[^@\s]+@|tel:\+?\d", link.get("href")), link.get("href")


def test_nothing_is_fetched_from_elsewhere_and_nothing_runs(html: str) -> None:
    assert not re.search(r"@import|<link\b|<script|<iframe|<form|url\(|position:\s*(fixed|absolute)", html)


def test_no_left_over_of_the_making_is_seen(html: str) -> None:
    assert not re.search(r"Zq[0-9a-f]{8}|\{\{|\{%|%\(", html)


def test_outlook_gets_balanced_conditions_and_well_nested_tables(html: str) -> None:
    opened = len(re.findall(r"<!--\[if ", html))
    assert opened == len(re.findall(r"<!\[endif\]-->", html)) > 10
    assert "<![if" not in html
    outlook = markup.for_outlook(html)
    assert markup.nesting_faults(outlook) == []
    assert markup.nesting_faults(html) == []


def test_there_is_no_vml_so_none_without_an_alternative(html: str) -> None:
    assert not re.search(r"<v:|<o:(?!OfficeDocumentSettings|AllowPNG|PixelsPerInch)", html)


def test_outlook_gets_widths_in_pixels_that_fit_the_mail(html: str) -> None:
    outlook = markup.for_outlook(html)
    widths = re.findall(r'class="[\w-]*-outlook[^>]*?width:([\d.]+)(px|%)', outlook)
    assert widths and all(unit == "px" and 0 < float(width) <= 600 for width, unit in widths)
    for row in re.findall(
        r'<tr>\s*((?:<td class="[^"]*" style="vertical-align:top;width:[\d.]+px">.*?)+)</tr>', outlook
    ):
        assert sum(map(float, re.findall(r"vertical-align:top;width:([\d.]+)px", row))) <= 600


def test_buttons_are_padded_cells_in_outlook_too(html: str) -> None:
    buttons = markup.body(html).xpath("//td[@bgcolor and contains(@style, 'mso-padding-alt')]")
    assert len(buttons) >= 3
    for cell in buttons:
        assert re.search(r"mso-padding-alt:1[0-9]px \d+px", cell.get("style"))
        assert "border:2px solid #" in cell.get("style")
        (link,) = cell.iter("a")
        assert "mso-padding-alt:0px" in link.get("style") and "padding:1" in link.get("style")


def test_the_preheader_comes_first_and_once(mail: mails.Mail) -> None:
    text = " ".join(markup.body(mail.html).text_content().split())
    assert text.startswith(mail.rendered.preheader)
    assert text.count(mail.rendered.preheader) == 1
    assert "\u200c" not in text and "\u00ad" not in text and "\u034f" not in text


def test_colour_schemes_are_declared_and_both_kinds_of_dark_hooks_are_there(html: str) -> None:
    assert '<meta name="color-scheme" content="light dark"' in html
    assert '<meta name="supported-color-schemes" content="light dark"' in html
    for hook in ("@media (prefers-color-scheme: dark)", "[data-ogsc]", "[data-ogsb]"):
        assert hook in html


def test_the_mail_stays_far_from_the_size_at_which_gmail_cuts(html: str) -> None:
    assert len(html.encode()) < 80_000


def test_gmail_keeps_the_style_sheets(html: str) -> None:
    """Gmail drops a style element of more than 8,192 letters, and every one after it."""
    sheets = re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL)
    assert 0 < sum(len(sheet) for sheet in sheets) < 8_192


@pytest.mark.parametrize("which", EVERY)
def test_mjml_itself_finds_nothing_wrong(which: tuple[str, str]) -> None:
    from mjml import mjml_to_html

    from newsletter.rendering import placeholders

    theme, issue = which
    read = reading.read(mails.slug(issue), mails.config())
    material = Material(read, themes.load(theme, mails.config()), mails.config(), Mode.SEND)
    token = placeholders.current.set(material.tokens)
    try:
        source, _ = pipeline.mjml(material)
    finally:
        placeholders.current.reset(token)
    assert mjml_to_html(source).errors == []
