"""A theme: its folder, its options with the values this installation chose, and its fixed words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from newsletter import files
from newsletter.config import FILE, Config
from newsletter.content import places
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean
from newsletter.rendering import languages, styles

LANGUAGES = ("en", "cy", "ar", "ur")
BLOCKS = ("text", "heading", "table", "picture", "button", "reply", "divider", "spacer", "callout", "columns", "card")
KINDS = ("colour", "text", "image", "number", "flag", "choice")
KEYS = {"name", "title", "version", "options", "strings", "blocks"}


@dataclass(frozen=True)
class Option:
    """One `[options.X]` of theme.toml."""

    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Theme:
    """A theme as loaded: `options` hold checked values, colours as Markup that may enter MJML literally."""

    name: str
    folder: Path
    title: str
    version: str
    options: Mapping[str, Any]
    known: Mapping[str, Option]
    strings: Mapping[str, Mapping[str, str]]
    supports: tuple[str, ...]

    def words(self, language: str) -> Mapping[str, str]:
        """Every fixed word in `language`, else in English (checks.check says so)."""
        key = languages.primary(language)
        own = languages.own_words()
        return {**own.get(key, own[languages.FALLBACK]), **self.strings.get(key, self.strings[languages.FALLBACK])}


def load(name: str, config: Config) -> Theme:
    """Read and check a theme. Raises NewsletterError with every Problem found, exit 3 for a broken theme."""
    for folder in places.theme_folders(config):
        place = folder / name
        if Path(name).name == name and (place / "theme.toml").is_file() and files.is_inside(place, folder):
            return _Reader(name, place, config).theme()
    known = places.themes(config)
    hint = did_you_mean(name, known) or f"Themes here: {', '.join(known) or 'none'}."
    raise NewsletterError(Problem("unknown-theme", f"There is no theme called ‘{name}’", hint=hint))


class _Reader:
    """Collects everything that is wrong in one theme.toml before giving up."""

    def __init__(self, name: str, folder: Path, config: Config) -> None:
        self.name, self.folder, self.config = name, folder, config
        self.path = folder / "theme.toml"
        self.problems: list[Problem] = []
        self.text = ""

    def theme(self) -> Theme:
        raw = self._read()
        for key in raw:
            if key not in KEYS:
                self._problem(f"theme.toml has no key ‘{key}’", did_you_mean(key, KEYS), key)
        known = self._known(self._table(raw, "options"))
        options = self._options(known)
        strings = self._strings(self._table(raw, "strings"))
        supports = self._list(self._table(raw, "blocks"), "supports", BLOCKS)
        for block in supports:
            if block not in BLOCKS:
                self._problem(f"There is no block called ‘{block}’", did_you_mean(str(block), BLOCKS), "supports")
        if not (self.folder / "theme.mjml.j2").is_file():
            self._problem("The theme has no theme.mjml.j2", "That file is the mail's design, in Jinja and MJML.", "")
        if self.problems:
            raise NewsletterError(*self.problems, exit=Exit.CONFIG)
        title, version = str(raw.get("title", self.name)), str(raw.get("version", ""))
        return Theme(self.name, self.folder, title, version, options, known, strings, supports)

    def _read(self) -> dict[str, Any]:
        try:
            self.text = self.path.read_text(encoding="utf-8")
            return _parsed(self.text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problem = Problem("bad-theme", f"theme.toml cannot be read: {error}", where=Where(self._shown()))
            raise NewsletterError(problem, exit=Exit.CONFIG) from error

    def _known(self, raw: Mapping[str, Any]) -> dict[str, Option]:
        known = {}
        for key, value in raw.items():
            kind = value.get("type", "text") if isinstance(value, dict) else ""
            if kind not in KINDS:
                self._problem(f"Option ‘{key}’ needs a type", f"Types: {', '.join(KINDS)}.", key)
                continue
            choices = self._list(value, "choices", ())
            known[key] = Option(kind, value.get("default", ""), str(value.get("help", "")), choices)
        return known

    def _table(self, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = raw.get(key, {})
        if isinstance(value, dict):
            return value
        self._problem(f"‘{key}’ must be a section", f"Write a line [{key}] and its keys below.", key)
        return {}

    def _list(self, raw: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = raw.get(key, default)
        if isinstance(value, list | tuple):
            return tuple(map(str, value))
        self._problem(f"‘{key}’ must be a list", f'Write {key} = ["one", "another"]', key)
        return default

    def _options(self, known: Mapping[str, Option]) -> dict[str, Any]:
        chosen = self.config.themes.get(self.name, {})
        for key in chosen:
            if key not in known:
                hint = did_you_mean(key, known) or f"Options: {', '.join(known) or 'none'}."
                message = f"The theme ‘{self.name}’ has no option ‘{key}’"
                self.problems.append(Problem("theme-option", message, hint=hint, where=self._origin(key)))
        values = {}
        for key, option in known.items():
            value = chosen.get(key, option.default)
            try:
                values[key] = _checked(value, option)
            except ValueError as error:
                where = self._origin(key) if key in chosen else self._where(key)
                message = f"Option ‘{key}’ of the theme ‘{self.name}’: {error}"
                self.problems.append(Problem("theme-option", message, hint=option.help, where=where))
        return values

    def _strings(self, raw: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
        strings = {language: self._table(raw, language) for language in dict.fromkeys((*LANGUAGES, *raw))}
        every = {key for words in strings.values() for key in words}
        for language in LANGUAGES:
            for key in sorted(every - set(strings[language])):
                self._problem(f"[strings.{language}] lacks ‘{key}’", "Fixed words must be complete.", "strings")
        return {language: {key: str(text) for key, text in words.items()} for language, words in strings.items()}

    def _origin(self, key: str) -> Where:
        file, _, line = self.config.origins.get(f"themes.{self.name}.{key}", FILE).partition(":")
        return Where(file, int(line) if line.isdigit() else None)

    def _shown(self) -> str:
        inside = self.path.is_relative_to(self.config.root)
        return str(self.path.relative_to(self.config.root)) if inside else f"templates/{self.name}/theme.toml"

    def _where(self, word: str) -> Where:
        for number, line in enumerate(self.text.splitlines(), 1):
            if word and word in line:
                return Where(self._shown(), number, line.index(word) + 1, line.index(word) + 1 + len(word), line)
        return Where(self._shown())

    def _problem(self, message: str, hint: str, word: str) -> None:
        self.problems.append(Problem("bad-theme", message, hint=hint, where=self._where(word)))


@lru_cache(maxsize=8)
def _parsed(text: str) -> dict[str, Any]:
    """A theme.toml, read once: a preview loads its theme at every keystroke. Nobody changes the result."""
    return tomllib.loads(text)


def _checked(value: Any, option: Option) -> Any:
    """The value of one option in the type the theme asked for; raises ValueError in words for a person."""
    if option.kind == "colour":
        return styles.css_color(value)
    if option.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"‘{value}’ is not a whole number")
        return value
    if option.kind == "flag":
        if not isinstance(value, bool):
            raise ValueError(f"‘{value}’ is neither true nor false")
        return value
    if option.kind == "choice":
        if value not in option.choices:
            raise ValueError(f"‘{value}’ is none of: {', '.join(option.choices)}")
        return styles.keyword(value)
    return str(value)
