"""The fixed words of the public pages, in the language of the person who reads them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import HttpRequest
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from newsletter import settings


@dataclass(frozen=True)
class Words:
    """The words of one language. `language` and `direction` are the page's `lang` and `dir`."""

    language: str
    direction: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: str) -> SafeString:
        """The sentence, with each value isolated: an address inside Arabic must not reorder the line."""
        isolated = {name: f"<bdi>{escape(value)}</bdi>" for name, value in values.items()}
        return mark_safe(str(escape(self.texts[key])).format(**isolated))  # noqa: S308  both parts are escaped

    def plain(self, key: str) -> str:
        """The sentence without marks, for a title or a plain-text answer."""
        return self.texts[key]


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """Every language of the folder words/, its files put together. A key stands in one file only."""
    languages: dict[str, dict[str, str]] = {}
    for path in sorted(Path(__file__).with_name("words").glob("*.toml")):
        for language, texts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            known = languages.setdefault(language, {})
            if twice := known.keys() & texts.keys():
                raise ValueError(f"{path.name}: {min(twice)} stands in another file, too")
            known.update(texts)
    return languages


def words(*wanted: str) -> Words:
    """The words for the first of these language tags (`cy`, `en-GB` …) that we speak, else English."""
    languages = all_words()
    for tag in wanted:
        primary = re.split(r"[-_]", tag.strip().lower())[0]
        if primary in languages:
            return Words(primary, languages[primary]["direction"], languages[primary])
    return Words("en", "ltr", languages["en"])


def words_for(request: HttpRequest, person: str = "") -> Words:
    """The person's own language where we know it, else what the browser asks for, else the site's."""
    return words(person, *(() if person else asked(request)), settings.current().site.language)


def asked(request: HttpRequest) -> tuple[str, ...]:
    """The language tags that the browser asks for, in its order, small letters."""
    header = request.headers.get("Accept-Language", "")[:200]
    return tuple(part.split(";")[0].strip().lower() for part in header.split(","))
