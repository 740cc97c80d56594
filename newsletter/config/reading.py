"""Reads `newsletter.toml` and the environment into a Config, collecting everything that is wrong at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from newsletter.config import checking
from newsletter.config.describing import settings_in
from newsletter.config.languages import TAG
from newsletter.config.shape import FILE, PREFIX, SECTIONS, TABLES, Config, ListConfig, ListWords
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

Path_ = tuple[str, ...]  # ("relays", "main", "host")


def find(start: Path) -> Path:
    """The workspace: the nearest folder, from `start` upward, that holds a newsletter.toml."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE).is_file():
            return folder
    raise NewsletterError(
        Problem(
            "no-workspace",
            f"There is no {FILE} here or in any folder above",
            hint="Go to your newsletter's folder, name it with -C DIR, or make one with `newsletter init`.",
        ),
        exit=Exit.CONFIG,
    )


def load(start: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Read and check the configuration of the workspace around `start`.

    `environment` overrides the file: NEWSLETTER_MAIL__TRANSPORT sets [mail] transport, and
    NEWSLETTER_RELAYS__MAIN__HOST sets [relays.main] host.
    Raises NewsletterError with every Problem found, exit 3.
    """
    root = find(start)
    try:
        # utf-8-sig: Windows Notepad writes three bytes before the first letter.
        text = (root / FILE).read_text(encoding="utf-8-sig")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _fatal(f"{FILE} is not UTF-8 text", "Save it as UTF-8.", Where(FILE)) from error
    except OSError as error:
        raise _fatal(f"{FILE} cannot be read: {error.strerror}", "Ask who owns the file.", Where(FILE)) from error
    except tomllib.TOMLDecodeError as error:
        hint = 'Text stands in double quotes: name = "Our council".'
        reason = re.sub(r"\s*\(at .*\)", "", str(error))
        if reason.startswith("Expected newline"):
            hint = "One setting a line: begin a new line here. Text stands in double quotes."
        raise _fatal(f"{FILE} cannot be read: {reason}", hint, _place(str(error), text)) from error
    reader = _Reader(text, raw, environment, root)
    config = reader.config()
    if reader.problems:
        raise NewsletterError(*reader.problems, exit=Exit.CONFIG)
    return config


def from_environment(start: Path) -> Config:
    """The configuration as the command reads it: the file, then this process's environment."""
    return load(start, os.environ)


def _fatal(message: str, hint: str, where: Where) -> NewsletterError:
    return NewsletterError(Problem("bad-config", message, hint=hint, where=where), exit=Exit.CONFIG)


def _place(error: str, text: str) -> Where:
    """tomllib says `(at line 3, column 8)` or `(at end of document)`."""
    found = re.search(r"line (\d+), column (\d+)", error)
    if not found:
        return Where(FILE, max(1, len(text.splitlines())))
    line, lines = int(found[1]), text.splitlines()
    return Where(FILE, line, int(found[2]), source=lines[line - 1] if line <= len(lines) else "")


class _Reader:
    """Walks the tables once; keeps values, their origins, and everything that is wrong."""

    def __init__(self, text: str, raw: dict[str, Any], environment: Mapping[str, str], root: Path) -> None:
        self.lines = text.splitlines()
        self.raw = raw
        self.root = root
        self.overrides = {
            tuple(name.removeprefix(PREFIX).lower().split("__")): (name, value)
            for name, value in environment.items()
            if name.startswith(PREFIX) and "__" in name
        }
        self.origins: dict[str, str] = {}
        self.problems: list[Problem] = []

    def config(self) -> Config:
        known = [*SECTIONS, *TABLES, "themes"]
        for name in self.raw:
            if name not in known:
                self.problem("unknown-key", f"There is no section [{name}]", did_you_mean(name, known), (name,))
        parts: dict[str, Any] = {name: self._section((name,), kind) for name, kind in SECTIONS.items()}
        for name, kind in TABLES.items():
            named = [path[1] for path in self.overrides if path[0] == name and len(path) > 2]
            keys = dict.fromkeys([*self._table((name,)), *named])
            parts[name] = MappingProxyType({key: self._section((name, key), kind) for key in keys})
        parts["lists"] = MappingProxyType(
            {key: self._in_languages(key, one, parts["site"].language) for key, one in parts["lists"].items()}
        )
        parts["themes"] = self._themes()
        for path, (variable, _) in self.overrides.items():
            if ".".join(path) not in self.origins:
                hint = did_you_mean(".".join(path), self.origins)
                where = Where(f"environment: {variable}")
                self.problems.append(
                    Problem("unknown-key", f"{variable} sets nothing that we know", hint=hint, where=where)
                )
        config = Config(root=self.root, **parts, origins=MappingProxyType(self.origins))
        if not self.problems:  # a wrong type above would only make nonsense of the checks below
            checking.check(config, self.problem)
        return config

    def _in_languages(self, key: str, one: ListConfig, spoken: str) -> ListConfig:
        """The list with its words in other languages: [lists.KEY.cy]."""
        path = ("lists", key)
        found = {
            tag: self._section((*path, tag), ListWords)
            for tag, held in self._table(path).items()
            if _is_language(path, tag, held)
        }
        return replace(one, spoken=spoken, languages=MappingProxyType(found))

    def _themes(self) -> Mapping[str, Mapping[str, Any]]:
        """[themes.NAME] is free here; the theme itself says which options it has."""
        themes = {name: self._table(("themes", name)) for name in self._table(("themes",))}
        for theme, options in themes.items():
            for key in options:
                self.origins[f"themes.{theme}.{key}"] = self._origin(("themes", theme, key))
        return MappingProxyType({name: MappingProxyType(dict(options)) for name, options in themes.items()})

    def _table(self, path: Path_) -> dict[str, Any]:
        value: Any = self.raw
        for part in path:
            value = value.get(part, {}) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.problem("bad-value", f"[{'.'.join(path)}] must be a section", "", path)
            return {}
        return value

    def _section(self, path: Path_, kind: type) -> Any:
        table = self._table(path)
        hints = get_type_hints(kind)
        names = [item.name for item in settings_in(kind)]
        for name, held in table.items():
            if name not in names and not _is_language(path, name, held):
                message = f"There is no key ‘{name}’ in [{'.'.join(path)}]"
                hint = did_you_mean(name, names) or (_LANGUAGE if kind is ListConfig else "")
                self.problem("unknown-key", message, hint, (*path, name))
        values = {}
        for item in settings_in(kind):
            value = self._value(path, item, table, hints[item.name])
            values[item.name] = self._checked(value, hints[item.name], item.metadata["choices"], (*path, item.name))
        return kind(**values)

    def _value(self, path: Path_, item: Any, table: dict[str, Any], hint: Any) -> Any:
        full = (*path, item.name)
        name = ".".join(full)
        if full in self.overrides:
            self.origins[name], given = self.overrides[full]
            return _from_text(given, hint)
        if item.name not in table:
            self.origins[name] = "default"
            if item.metadata["required"]:
                where = path if self._line(path) else path[:1]
                self.problem("missing-key", f"[{'.'.join(path)}] needs ‘{item.name}’", item.metadata["help"], where)
            return item.default
        self.origins[name] = self._origin(full)
        if item.metadata["secret"]:
            variable = PREFIX + "__".join(full).upper()
            advice = f"Put it into a file and name that in {item.name}_file, or set {variable}."
            self.problem("secret-in-config", f"‘{item.name}’ does not belong into {FILE}", advice, full, show=False)
        value = table[item.name]
        if item.name.endswith("_file") and isinstance(value, str) and value:
            return str(self.root / value)
        return value

    def _checked(self, value: Any, kind: Any, choices: tuple[str, ...], path: Path_) -> Any:
        dotted = f"[{'.'.join(path[:-1])}] {path[-1]}"
        if get_origin(kind) is tuple:
            items = tuple(value) if isinstance(value, list | tuple) else (value,)
            inner = get_args(kind)[0]
            for item in items:
                if not isinstance(item, inner) or (choices and item not in choices):
                    known = f"Known: {', '.join(choices)}."
                    self.problem("bad-value", f"{dotted} cannot hold {item!r}", known, path)
            return items
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            wanted = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}[kind]
            self.problem("bad-value", f"{dotted} must be {wanted}, not {value!r}", "", path)
        elif choices and value not in choices:
            hint = did_you_mean(value, choices) or f"Choose one of: {', '.join(choices)}."
            self.problem("bad-value", f"{dotted} cannot be {value!r}", hint, path)
        return value

    def _origin(self, path: Path_) -> str:
        line = self._line(path)
        return f"{FILE}:{line}" if line else FILE

    def _line(self, path: Path_) -> int | None:
        """Line of a key; tomllib keeps no positions, so look for the header and then for the key below it."""
        section, header = "", None
        for number, text in enumerate(self.lines, 1):
            if match := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", text):
                section = ".".join(part.strip().strip("\"'") for part in match[1].split("."))
                if section == ".".join(path):
                    return number
                if header is None and section == ".".join(path[:-1]):
                    header = number
            elif match := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", text):
                key = match[1].strip("\"'")
                if ".".join(filter(None, (section, key))) == ".".join(path):
                    return number
        if header is None and len(path) > 3:  # lists.monthly.cy.title where cy = { title = "…" } is one line
            return self._line(path[:-1])
        return header

    def problem(self, code: str, message: str, hint: str, path: Path_, *, show: bool = True) -> None:
        """Keep a Problem at the line of a key; `show=False` where the line holds a secret."""
        variable = self.overrides.get(path, ("",))[0]
        if variable:
            self.problems.append(Problem(code, message, hint=hint, where=Where(f"environment: {variable}")))
            return
        line = self._line(path)
        source = self.lines[line - 1] if line and show else ""
        start = source.find(path[-1]) + 1
        where = Where(FILE, line, start or None, start + len(path[-1]) if start else None, source)
        found = Problem(code, message, hint=hint, where=where)
        if found not in self.problems:  # the tables of lists are looked at twice: for the keys, and for the languages
            self.problems.append(found)


_LANGUAGE = "The same in another language is a section of its own, such as [lists.KEY.cy] with title and why."


def _is_language(path: Path_, name: str, held: Any) -> bool:
    """True for the section of a list that holds its words in another language. `why` looks like a tag as well, so
    a text under a name like that is a misspelt key, and no language."""
    known = [item.name for item in settings_in(ListConfig)]
    fits = path[0] == "lists" and len(path) == 2 and isinstance(held, dict)
    return fits and name not in known and bool(TAG.fullmatch(name))


def _from_text(text: str, kind: Any) -> Any:
    """A variable's text as the key's type; what does not fit stays text and is reported by the type check."""
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is int and re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if kind is float and re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        return float(text)
    if kind is bool and text.lower() in ("true", "false", "1", "0", "yes", "no"):
        return text.lower() in ("true", "1", "yes")
    return text
