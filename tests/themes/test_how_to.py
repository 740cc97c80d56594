"""The page that tells how to make a theme: its examples are run as they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from newsletter.content import reading
from newsletter.rendering import pipeline, themes
from tests.themes import mails, markup

PAGE = (mails.ROOT / "docs" / "how-to" / "make-a-theme.md").read_text(encoding="utf-8")


def test_the_theme_from_nothing_makes_a_mail_without_faults(tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "plain"
    folder.mkdir(parents=True)
    files = re.findall(r"`templates/plain/([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in files] == ["theme.toml", "theme.mjml.j2", "inline.css.j2"]
    for name, text in files:
        (folder / name).write_text(text, encoding="utf-8")
    config = mails.workspace(tmp_path)
    for issue in ("asb", "winter-letter", "ghar-ki"):
        made = pipeline.render(reading.read(mails.slug(issue), mails.config()), themes.load("plain", config), config)
        assert not [problem for problem in made.problems if problem.severity == "error"]
        html = mails.merged(made, {}).html
        assert markup.nesting_faults(markup.for_outlook(html)) == []
        assert mails.SYSTEM["unsubscribe_url"] in html and "#7a1f4b" in html


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_options_of_the_example_exist_and_all_are_listed(theme: str) -> None:
    example = tomllib.loads(re.search(r"```toml\n(\[themes.*?)```", PAGE, re.DOTALL)[1])  # type: ignore[index]
    known = themes.load(theme, mails.config()).known
    assert set(example["themes"][theme]) <= set(known)
    row = re.search(rf"^\| `{theme}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert row and re.findall(r"`(\w+)`", row[1]) == list(known)


def test_the_files_it_names_are_there() -> None:
    for name in ("theme.mjml.j2", "after.mjml.j2", "blocks.mjml.j2", "inline.css.j2", "keep.css.j2", "theme.toml"):
        assert name in PAGE
        assert all((mails.ROOT / "templates" / theme / name).is_file() for theme in mails.THEMES)
