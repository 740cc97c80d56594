"""What we know of a person besides their address: setting it, and checking what somebody typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from newsletter.audience import naming
from newsletter.audience.models import Subscriber
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean

NAMES = {"name": 200, "first_name": 200, "last_name": 200, "language": 35}  # columns of Subscriber, and their length
SEVERAL = ("areas", "tags")


def put(person: Subscriber, facts: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Set these on the record, unsaved; an empty value removes. Gives back key → (before, after) of what changed.

    A full name without a first name gives one (audience.naming) where there is none, or one that was given by the old
    full name.
    """
    if "name" in facts and "first_name" not in facts and person.first_name in ("", naming.first_of(person.name)):
        facts = {**facts, "first_name": naming.first_of(str(facts["name"] or ""))}
    changes: dict[str, tuple[str, str]] = {}
    attributes = dict(person.attributes)
    before: Any
    after: Any
    for key, given in facts.items():
        if key in NAMES:
            before, after = getattr(person, key), str(given or "")[: NAMES[key]]
            setattr(person, key, after)
        else:
            before, after = attributes.get(key, ""), list(given) if isinstance(given, list | tuple) else given
            if after in (None, "", []):
                attributes.pop(key, None)
            else:
                attributes[key] = after
        if (before or "") != (after or ""):
            changes[key] = (_said(before), _said(after))
    person.attributes = attributes
    return changes


def checked(config: Config, given: Mapping[str, str]) -> dict[str, Any]:
    """What somebody typed, as `put` takes it. "areas" and "tags" are lists with ; between, as in a table.

    Raises NewsletterError: unknown-field, unknown-language, bad-date-cell, bad-number-cell, cell-too-long.
    """
    facts: dict[str, Any] = {}
    problems = []
    for key, text in given.items():
        value = text.strip()
        try:
            facts[key] = _value(config, key, value)
        except _Wrong as wrong:
            problems.append(wrong.problem)
    if problems:
        raise NewsletterError(*problems, exit=Exit.USAGE)
    return facts


class _Wrong(Exception):
    def __init__(self, code: str, message: str, hint: str) -> None:
        self.problem = Problem(code, message, hint)


def _value(config: Config, key: str, text: str) -> str | list[str]:
    known = [*NAMES, *config.fields, *SEVERAL, "postcode"]
    if key not in known:
        raise _Wrong("unknown-field", f"There is no field called ‘{key}’", did_you_mean(key, known) or _named(known))
    longest = NAMES.get(key, 2_000)
    if len(text) > longest:
        raise _Wrong("cell-too-long", f"‘{key}’ has {len(text):,} letters; at most {longest:,} fit", "Shorten it.")
    if key in SEVERAL and key not in config.fields:
        return list(dict.fromkeys(filter(None, map(str.strip, text.split(";")))))
    kind = config.fields[key].type if key in config.fields else "text"
    if key == "language" and text and not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise _Wrong("unknown-language", f"‘{text[:40]}’ is no language", "Write a code such as en-GB, cy or ur.")
    if kind == "number" and text and not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise _Wrong("bad-number-cell", f"‘{key}’: ‘{text[:40]}’ is not a number", "Write 1200 or 12.5.")
    if kind == "date" and text:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise _Wrong("bad-date-cell", f"‘{key}’: ‘{text[:40]}’ is not a date", "Write it as 2026-12-08.") from None
    return text


def _named(keys: list[str]) -> str:
    return f"The fields are: {', '.join(keys)}."


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "nothing")
