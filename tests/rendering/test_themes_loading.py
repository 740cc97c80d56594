"""A theme.toml is checked whole, and what a theme offers is what it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.content import keys, places
from newsletter.problems import NewsletterError
from newsletter.rendering import languages, styles, themes
from tests.rendering.conftest import Desk


def broken(desk: Desk, old: str, new: str) -> NewsletterError:
    path = desk.root / "templates" / "plain" / "theme.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(NewsletterError) as caught:
        themes.load("plain", desk.config)
    return caught.value


def test_a_theme_is_loaded_with_its_options(desk: Desk) -> None:
    theme = themes.load("plain", desk.config)
    assert (theme.name, theme.options["accent"], theme.options["shout"]) == ("plain", "#0b5a7a", False)
    assert theme.words("cy-GB")["leave"] == "Gadael y rhestr hon"


def test_the_themes_of_the_product_are_found_from_any_workspace(desk: Desk) -> None:
    assert {"alert", "letter", "plain"} <= set(places.themes(desk.config))
    assert themes.load("alert", desk.config).name == "alert"


def test_an_unknown_theme_names_the_nearest(desk: Desk) -> None:
    with pytest.raises(NewsletterError) as caught:
        themes.load("alrt", desk.config)
    assert caught.value.problems[0].hint == "did you mean alert?"


@pytest.mark.parametrize("name", ["../issues", "..", "", "/etc", "alert/../alert"])
def test_a_theme_outside_of_templates_is_no_theme(desk: Desk, name: str) -> None:
    (desk.root / "issues").mkdir(exist_ok=True)
    (desk.root / "issues" / "theme.toml").write_text("")
    with pytest.raises(NewsletterError):
        themes.load(name, desk.config)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('leave = "Gadael y rhestr hon"', "", "[strings.cy] lacks ‘leave’"),
        ('type = "colour"', 'type = "color"', "needs a type"),
        ('name = "plain"', 'nam = "plain"', "no key ‘nam’"),
        ('supports = ["text"', 'supports = ["texts"', "no block called ‘texts’"),
        ('default = "#0b5a7a"', 'default = "blueish"', "not a colour"),
        ("[options.accent]", "[options.accent", "cannot be read"),
    ],
)
def test_every_mistake_of_a_theme_has_its_place(desk: Desk, old: str, new: str, words: str) -> None:
    error = broken(desk, old, new)
    assert any(words in problem.message for problem in error.problems) and int(error.exit) == 3
    assert all(problem.where and problem.where.file == "templates/plain/theme.toml" for problem in error.problems)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('accent = "red; } body{"', "not a colour"),
        ("shout = 1", "neither true nor false"),
        ('acent = "#ffffff"', "no option ‘acent’"),
    ],
)
def test_a_wrong_option_points_into_newsletter_toml(desk: Desk, line: str, words: str) -> None:
    desk.configure(f"\n[themes.plain]\n{line}\n")
    with pytest.raises(NewsletterError) as caught:
        themes.load("plain", desk.config)
    (problem,) = caught.value.problems
    assert words in problem.message and problem.where is not None
    assert problem.where.file == "newsletter.toml" and problem.where.line


def test_a_logo_of_the_workspace_is_a_picture_of_the_mail(desk: Desk) -> None:
    from PIL import Image

    Image.new("RGB", (240, 80), "navy").save(desk.root / "logo.png")
    desk.configure('\n[themes.plain]\nlogo = "logo.png"\n')
    made = desk.copy("Words.\n").html
    assert 'alt="Riverside Council"' in made and 'height="40"' in made


@pytest.mark.parametrize("name", ["nowhere.png", "../../etc/hostname", "/etc/hostname"])
def test_a_logo_that_is_not_there_is_a_problem(desk: Desk, name: str) -> None:
    desk.configure(f'\n[themes.plain]\nlogo = "{name}"\n')
    assert [problem.code for problem in desk.render("Words.\n").problems] == ["theme-picture"]


def test_a_block_that_the_theme_does_not_draw_is_said(desk: Desk) -> None:
    path = desk.root / "templates" / "plain" / "theme.toml"
    path.write_text(path.read_text().replace('"columns", "card"', '"columns"'))
    body = ":::card[A]\nWords.\n:::\n"
    (problem,) = desk.render(body).problems
    assert problem.code == "unsupported-block" and problem.where is not None and problem.where.line


def test_a_theme_may_override_one_macro_and_keep_the_others(desk: Desk) -> None:
    (desk.root / "templates" / "plain" / "blocks.mjml.j2").write_text(
        '{% macro divider(b) %}<mj-divider css-class="mine"></mj-divider>{% endmacro %}'
    )
    made = desk.copy("One.\n\n---\n\nTwo.\n").html
    assert "mine" in made and "One." in made


def test_the_engines_words_are_complete_in_four_languages() -> None:
    words = languages.own_words()
    assert set(words) == set(themes.LANGUAGES)
    assert all(set(words[language]) == set(words["en"]) for language in words)


@pytest.mark.parametrize(
    ("language", "direction"),
    [
        ("en-GB", "ltr"),
        ("ar", "rtl"),
        ("ur-PK", "rtl"),
        ("pa-Arab", "rtl"),
        ("ar-Latn", "ltr"),
        ("cy", "ltr"),
        ("he", "rtl"),
    ],
)
def test_the_direction_follows_the_language(language: str, direction: str) -> None:
    assert languages.direction(language) == direction


@pytest.mark.parametrize("value", ["#12345", "red;}", "url(x)", "#12 345", "rgb(1,2,3)", '"red"', ""])
def test_only_colours_are_colours(value: str) -> None:
    with pytest.raises(ValueError, match="not a colour"):
        styles.css_color(value)


def test_three_digits_become_six() -> None:
    assert styles.css_color("#ABC") == "#aabbcc"


def test_the_theme_of_the_tests_is_the_one_in_the_reference() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "theme-format.md").read_text(encoding="utf-8")
    for kind in themes.KINDS:
        assert f"`{kind}`" in text
    for block in themes.BLOCKS:
        assert f"`{block}" in text


@pytest.mark.parametrize("language", themes.LANGUAGES)
def test_every_kind_and_priority_of_a_message_has_its_word(language: str) -> None:
    words = languages.own_words()[language]
    assert all(words[f"kind_{kind}"] for kind in keys.KINDS)
    assert all(words[f"priority_{priority}"] for priority in keys.PRIORITIES)


@pytest.mark.parametrize(
    "toml",
    [
        'options = "none"',
        "strings = 3",
        'strings.en = "Hello"',
        "blocks = []",
        'blocks.supports = "text"',
        "options.x = 3",
        'options.x = {type = "choice", choices = 3}',
        "options.x = {type = [], help = 3}",
        "options.x = {type = 'colour', default = [1]}",
    ],
)
def test_a_theme_toml_of_any_shape_is_a_problem_and_never_a_bug(desk: Desk, toml: str) -> None:
    (desk.root / "templates" / "plain" / "theme.toml").write_text(f'name = "plain"\n{toml}\n')
    with pytest.raises(NewsletterError) as caught:
        themes.load("plain", desk.config)
    assert {problem.code for problem in caught.value.problems} <= {"bad-theme", "theme-option"}
