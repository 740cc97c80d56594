"""[lists.KEY.cy]: title and sentence of a list in other languages, read as strictly as everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.config import ListConfig
from tests.config.test_reading import GOOD, only, problems, read

WELSH = GOOD + '\n[lists.everyone.cy]\ntitle = "Newyddion"\nwhy = "Gofynnoch amdano."\n'


def everyone(folder: Path, text: str) -> ListConfig:
    return read(folder, text).lists["everyone"]


@pytest.mark.parametrize("language", ["cy", "CY", "cy-GB"])
def test_a_welsh_reader_is_told_in_welsh(tmp_path: Path, language: str) -> None:
    said = everyone(tmp_path, WELSH).said(language)
    assert (said.title, said.why, said.language) == ("Newyddion", "Gofynnoch amdano.", "cy")


@pytest.mark.parametrize("language", ["en-GB", "en", "ur", ""])
def test_everybody_else_is_told_in_the_default_language(tmp_path: Path, language: str) -> None:
    said = everyone(tmp_path, WELSH).said(language)
    assert (said.title, said.why, said.language) == ("News", "You asked for it.", "en-GB")


def test_what_is_missing_in_a_language_is_said_in_the_default_one(tmp_path: Path) -> None:
    text = WELSH.replace('title = "Newyddion"\n', "")
    said = everyone(tmp_path, text).said("cy")
    assert (said.title, said.why, said.language) == ("News", "Gofynnoch amdano.", "en-GB")
    assert everyone(tmp_path, text).lacks("cy") == ("title",)


def test_words_for_a_region_are_for_the_whole_language_unless_it_is_the_sites(tmp_path: Path) -> None:
    text = WELSH.replace(".cy]", ".cy-GB]") + '[lists.everyone.en-US]\ntitle = "The news"\n'
    known = everyone(tmp_path, text)
    assert known.said("cy").title == "Newyddion"
    assert known.said("en").title == "News" and known.said("en-US").title == "The news"


def test_what_a_reader_would_read_in_another_language_is_known(tmp_path: Path) -> None:
    known = everyone(tmp_path, WELSH)
    assert known.lacks("ur") == ("title", "why")
    assert known.lacks("cy-GB") == known.lacks("en") == ()


def test_each_word_knows_its_line(tmp_path: Path) -> None:
    config = read(tmp_path, WELSH)
    assert config.origins["lists.everyone.cy.title"] == "newsletter.toml:14"
    assert config.origins["lists.everyone.cy.why"] == "newsletter.toml:15"


def test_a_variable_overrides_a_word_that_is_there(tmp_path: Path) -> None:
    config = read(tmp_path, WELSH, NEWSLETTER_LISTS__EVERYONE__CY__TITLE="Y newyddion")
    assert config.lists["everyone"].said("cy").title == "Y newyddion"


def test_a_misspelt_key_of_a_language_is_named_with_the_nearest_right_one(tmp_path: Path) -> None:
    found = only(problems(tmp_path, WELSH.replace('title = "Newyddion"', 'titel = "Newyddion"')))
    assert (found.code, found.hint) == ("unknown-key", "did you mean title?")
    assert found.message == "There is no key ‘titel’ in [lists.everyone.cy]"
    assert str(found.where) == "newsletter.toml:14:1"


def test_a_list_is_urgent_in_every_language_or_in_none(tmp_path: Path) -> None:
    found = only(problems(tmp_path, WELSH + "urgent = true\n"))
    assert found.code == "unknown-key" and found.where and found.where.line == 16


def test_a_word_that_is_no_text_is_refused_at_its_line(tmp_path: Path) -> None:
    found = only(problems(tmp_path, WELSH.replace('"Newyddion"', "7")))
    assert (found.code, found.message) == ("bad-value", "[lists.everyone.cy] title must be text in quotes, not 7")
    assert found.where and found.where.line == 14
    inline = GOOD + "cy = { title = 7 }\n"
    where = only(problems(tmp_path, inline)).where
    assert where and where.line == 12


@pytest.mark.parametrize("name", ["welsh", "cy_GB", "c"])
def test_a_section_that_is_named_by_no_language_is_refused(tmp_path: Path, name: str) -> None:
    found = only(problems(tmp_path, WELSH.replace(".cy]", f".{name}]")))
    assert found.code == "unknown-key" and "[lists.KEY.cy]" in found.hint
    assert found.where and found.where.line == 13


def test_a_text_under_the_name_of_a_language_is_no_section(tmp_path: Path) -> None:
    found = only(problems(tmp_path, GOOD + 'cy = "Newyddion"\n'))
    assert found.code == "unknown-key" and "[lists.KEY.cy] with title and why" in found.hint
    assert only(problems(tmp_path, GOOD + 'wy = "You asked."\n')).hint == "did you mean why?"


def test_only_lists_have_words_in_languages(tmp_path: Path) -> None:
    found = only(problems(tmp_path, GOOD + '\n[senders.office.cy]\nname = "Y swyddfa"\n'))
    assert (found.code, found.where and found.where.line) == ("unknown-key", 13)


def test_a_list_needs_its_own_words_all_the_same(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace('title = "News"\nwhy = "You asked for it."\n', "") + WELSH[len(GOOD) :])
    assert [one.code for one in found] == ["missing-key", "missing-key"]


def test_a_list_that_is_no_section_is_told_once(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + '\n[lists]\nmonthly = "The letter"\n')
    assert [one.message for one in found if one.code == "bad-value"] == ["[lists.monthly] must be a section"]
