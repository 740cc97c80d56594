"""The colours and words of the themes: readable as shipped, changeable, explained, and complete in four languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from newsletter.rendering import themes
from newsletter.rendering.styles import contrast
from tests.themes import mails

LARGEST_PAGE = {"alert": "#e8eef0", "letter": "#f0ede4"}


def folder(theme: str) -> Path:
    return mails.ROOT / "templates" / theme


def sources(theme: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder(theme).glob("*.j2")))


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_shipped_colours_can_be_read_on_each_other(theme: str) -> None:
    option = themes.load(theme, mails.config()).options
    pairs = [(option["accent"], "#ffffff"), (option["accent"], option["accent_text"])]
    if theme == "alert":
        pairs += [(option["header_colour"], option["header_text"]), (option["accent"], LARGEST_PAGE[theme])]
    else:
        pairs += [(option["footer_colour"], "#ffffff")]
    assert all(contrast(str(one), str(other)) >= 4.5 for one, other in pairs)


def test_every_kind_of_message_has_a_bar_on_which_white_can_be_read() -> None:
    bands = re.search(r"set band = (\{.*?\})", sources("alert"))
    assert bands
    colours = re.findall(r'"(\w+)": "(#\w{6})"', bands[1])
    assert {kind for kind, _ in colours} == {"alert", "advice", "appeal", "event", "update"}
    assert all(contrast(colour, "#ffffff") >= 4.5 for _, colour in colours)


@pytest.mark.parametrize("theme", mails.THEMES)
def test_every_option_says_what_it_is_for_and_is_used(theme: str) -> None:
    for name, option in themes.load(theme, mails.config()).known.items():
        assert option.help.endswith(".")
        assert f"option.{name}" in sources(theme)


@pytest.mark.parametrize("theme", mails.THEMES)
def test_every_fixed_word_is_used_and_every_language_has_its_own(theme: str) -> None:
    strings = themes.load(theme, mails.config()).strings
    for key in strings["en"]:
        assert f't("{key}"' in sources(theme)
    for language in ("cy", "ar", "ur"):
        same = [key for key in strings["en"] if strings[language][key] == strings["en"][key]]
        assert not same, same


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_places_in_fixed_words_are_the_same_in_every_language(theme: str) -> None:
    strings = themes.load(theme, mails.config()).strings
    for key, words in strings["en"].items():
        for language in ("cy", "ar", "ur"):
            assert set(re.findall(r"\{\w+\}", strings[language][key])) == set(re.findall(r"\{\w+\}", words))


@pytest.mark.parametrize("theme", mails.THEMES)
def test_an_installation_can_choose_its_own_colour(theme: str) -> None:
    mail = mails.variation(theme, "asb", "language:", "language:", accent="#5a1a6e")
    shipped = mails.mail(theme, "asb").html
    assert mail.html.count("#5a1a6e") >= 10
    assert shipped.count("#0b5d77") - mail.html.count("#0b5d77") == mail.html.count("#5a1a6e")


@pytest.mark.parametrize("theme", mails.THEMES)
def test_a_logo_stands_above_the_name_and_is_not_read_out_twice(theme: str) -> None:
    def put_logo(root: Path) -> None:
        Image.new("RGB", (360, 120), "#ffffff").save(root / "logo.png")

    mail = mails.variation(theme, "asb", "language:", "language:", prepare=put_logo, logo="logo.png")
    (logo,) = re.findall(r"<img[^>]*>", mail.html)
    assert 'alt=""' in logo and 'width="200"' in logo and 'height="67"' in logo


def test_the_line_about_emergencies_can_be_left_out() -> None:
    assert "Call 999" in mails.mail("alert", "asb").html
    assert "Call 999" not in mails.variation("alert", "asb", "language:", "language:", emergency_line=False).html
