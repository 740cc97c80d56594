"""The fixed words: complete in every language, with the same values in each sentence."""

from __future__ import annotations

import re

import pytest

from newsletter.files import PACKAGE
from newsletter.web.links import masked
from newsletter.web.words import all_words, words


def test_every_language_says_the_same_things() -> None:
    languages = all_words()
    assert set(languages) == {"en", "cy", "ar", "ur"}
    for name, texts in languages.items():
        assert set(texts) == set(languages["en"]), name
        for key, text in texts.items():
            assert text.strip(), (name, key)
            assert sorted(re.findall(r"{(\w+)}", text)) == sorted(re.findall(r"{(\w+)}", languages["en"][key])), key


def test_no_sentence_is_left_over() -> None:
    folder = PACKAGE / "web"
    code = "".join(path.read_text() for path in [*folder.glob("*.py"), *folder.glob("pages/*.html")])
    built = {f"{start}_{end}" for start in ("leave", "left", "back") for end in ("lists", "all")}
    ended = ("used", "expired", "refused", "moved", "forgotten", "held")  # ended.html
    built |= {f"{name}_{part}" for name in ended for part in ("title", "text")}
    built |= {f"{name}_title" for name in ("data", "forget")} | {f"preferences_{name}" for name in ("change", "data")}
    built |= {
        "preferences_forget",
        "nobody_forgotten",
        "nobody_removed",
        *(f"reason_{name}" for name in ("many", "topic", "asked", "other")),
    }
    for key in all_words()["en"]:
        assert f'"{key}"' in code or key in built, key


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(("cy-GB",), "cy"), (("de", "ur_PK"), "ur"), (("", "xx"), "en"), (("EN-gb",), "en"), ((), "en")],
)
def test_the_first_language_that_we_speak_wins(wanted: tuple[str, ...], found: str) -> None:
    assert words(*wanted).language == found


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ameera.k@example.net", "a•••@e•••.net"),
        ("x@y.co.uk", "x•••@y•••.uk"),
        ("root@localhost", "r•••@l•••"),
        ("", "•••@•••"),
    ],
)
def test_an_address_is_masked_so_that_only_its_owner_knows_it(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_the_stylesheet_is_small() -> None:
    assert (PACKAGE / "web" / "page.css").stat().st_size < 10_000
