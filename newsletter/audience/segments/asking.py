"""Turns short words of the command line, `ward=North,South`, and files into the data of a segment."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from newsletter.audience.segments.reading import KINDS, PARTS
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

LARGEST = 5_000_000  # bytes of a file; an outline of a county has 100,000
_ASKED = re.compile(r"\s*([\w-]+)\s*(!=|>=|<=|=)\s*(.*)", re.DOTALL)


def conditions(words: Sequence[str], fields: Mapping[str, str], root: Path) -> list[dict[str, Any]]:
    """One condition for each of `words`. `fields`: the declared ones, by key.

    KEY=A,B is any of them, KEY!=A not, KEY>=1 and KEY<=9 from and to, KEY=? known and KEY!=? not known; KEY is a field
    or what a condition asks (list, tag, area …); shape=FILE is a GeoJSON file. Raises NewsletterError(bad-segment).
    """
    return [_condition(word, fields, root) for word in words]


def _condition(word: str, fields: Mapping[str, str], root: Path) -> dict[str, Any]:
    found = _ASKED.fullmatch(word)
    if not found or not found[3].strip():
        raise _bad(f"‘{word[:80]}’ asks for nothing", "Write it as ward=North,South or tag=staff.")
    key, sign, text = found[1], found[2], found[3].strip()
    values = [one.strip() for one in text.split(",") if one.strip()]
    if key in KINDS and key not in ("field", *fields):
        if sign != "=":
            raise _bad(f"‘{word[:80]}’: {key} knows only =", "Put it under --exclude instead.")
        if key == "shape":
            return {"shape": _geojson(root / text)}
        return {key: values if len(values) > 1 else text}
    if key not in fields:
        names = [*fields, *(one for one in KINDS if one != "field")]
        hint = did_you_mean(key, names) or f"There are: {', '.join(names)}."
        raise _bad(f"‘{key[:80]}’ cannot be asked for", hint)
    if text == "?" and sign in ("=", "!="):
        return {"field": key, "known": sign == "="}
    if sign in (">=", "<="):
        return {"field": key, "from" if sign == ">=" else "to": text}
    return {"field": key, "is" if sign == "=" else "is_not": values}


def from_file(path: Path) -> tuple[str, dict[str, Any]]:
    """(title, definition) of a JSON or TOML file; the title may be missing. Raises NewsletterError(bad-segment)."""
    where = Where(str(path))
    data = _loaded(path, where)
    if not isinstance(data, dict):
        raise _bad("A segment is a table with include, must and exclude", "", where)
    title = data.pop("title", "")
    if not isinstance(title, str):
        raise _bad("‘title’ is a text", "", where)
    return title, data


def _loaded(path: Path, where: Where) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise _bad(f"{path} is larger than {LARGEST:,} bytes", "", where)
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error.strerror}", "", where) from None
    except json.JSONDecodeError as error:
        hint = "A segment is kept in a JSON or TOML file (docs/reference/segments.md); a table of people is none."
        raise _bad(f"This is not JSON: {error.msg}", hint, Where(str(path), error.lineno, error.colno)) from None
    except (ValueError, RecursionError) as error:
        raise _bad(f"{path} cannot be read: {error}"[:300], "", where) from None


def _geojson(path: Path) -> Any:
    data = _loaded(path, Where(str(path)))
    if isinstance(data, dict) and data.get("type") == "FeatureCollection" and data.get("features"):
        if len(data["features"]) > 1:
            raise _bad(f"{path} holds several shapes", "Leave one, or give each a condition of its own.")
        return data["features"][0]
    return data


def parts(**words: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The definition of those parts that were given."""
    return {part: list(words[part]) for part in PARTS if words.get(part)}


def _bad(message: str, hint: str, where: Where | None = None) -> NewsletterError:
    return NewsletterError(Problem("bad-segment", message, hint=hint, where=where), exit=Exit.PROBLEMS)
