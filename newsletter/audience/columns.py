"""Understands the header of a file of people: which column is the address, the name, a list, a declared field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from newsletter.audience.headings import HEADINGS, beside, meanings, plain
from newsletter.config import Config
from newsletter.problems import NewsletterError, Problem, Severity, Where, did_you_mean

Examples = Callable[[int], Sequence[str]]  # what the column at a place (from 0) holds in the first rows
REASON = "problem"  # the column that our own .refused.csv adds; ignored when it is imported again

# Headings under which a list keeps who agreed. We cannot know what a cell there means, so we say that nobody looks.
_CONSENT = re.compile(r"opt(?:ed)?[ -]?(?:in|out)|consent|agree|gdpr|permission|unsubscribed|marketing", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Where what stands: the key of every column that is used, by position; and the header as written."""

    keys: dict[int, str]
    header: tuple[str, ...]
    fields: tuple[tuple[int, str], ...]  # declared fields only
    problems: tuple[Problem, ...]

    def at(self, key: str) -> int | None:
        return next((place for place, known in self.keys.items() if known == key), None)


def understand(
    header: Sequence[str],
    config: Config,
    name: str,
    renamed: Mapping[str, str] = MappingProxyType({}),
    examples: Examples = lambda _: (),
) -> Columns:
    """Match the header to what we know; `renamed` says what headings mean, "" that a column is left out.

    Raises NewsletterError: no-header, no-email-column, doubled-column, unknown-column.
    """
    where = Where(name, 1, source="".join(header) and ", ".join(header)[:300])
    if any("@" in cell for cell in header):
        hint = "Add a first row with the columns’ names: email, first_name, last_name …"
        raise NewsletterError(Problem("no-header", "The first row is a person, not the columns’ names", hint, where))
    names = _known_names(config) | beside([plain(title) for title in header]) | _told(header, config, renamed, where)
    keys: dict[int, str] = {}
    problems: list[Problem] = []
    understood: list[str] = []
    for place, title in enumerate(header):
        heading = plain(title)
        key = names.get(heading)
        if key == "" or (heading == REASON and key is None):
            continue
        if key is None:
            problems.append(_undeclared(title, place, names, where, examples))
        elif key in keys.values():
            message = f"Two columns are both ‘{key}’: ‘{header[_place(keys, key)]}’ and ‘{title}’"
            raise NewsletterError(Problem("doubled-column", message, "Remove or rename one of them.", where))
        else:
            keys[place] = key
            if heading != plain(key):
                understood.append(f"‘{title.strip()[:60]}’ as ‘{key}’")
    if "email" not in keys.values():
        raise NewsletterError(_no_email(header, where, examples))
    if understood:
        note = f"Read {', '.join(understood)}"
        problems.append(Problem("column-understood", note, where=where, severity=Severity.NOTE))
    fields = tuple((place, key) for place, key in keys.items() if key in config.fields)
    return Columns(keys, tuple(header), fields, tuple(problem for problem in problems if problem.message))


def _known_names(config: Config) -> dict[str, str]:
    """What headings mean; a field of the newsletter's own goes before another language's word for ours."""
    own = {plain(key): key for key in HEADINGS}
    declared: dict[str, str] = {}
    for key, field in config.fields.items():
        for word in (field.title, key):
            if plain(word):
                declared.setdefault(plain(word), key)
    return meanings() | declared | own


def _told(header: Sequence[str], config: Config, renamed: Mapping[str, str], where: Where) -> dict[str, str]:
    """What somebody said that columns are. Whoever maps a column to ours wants it alone: others of that meaning go."""
    headings, ours = [plain(title) for title in header], {**HEADINGS, **config.fields}
    told: dict[str, str] = {}
    for title, key in renamed.items():
        if plain(title) not in headings:
            has = ", ".join(f"‘{one.strip()[:40]}’" for one in header[:12] if one.strip())
            hint = did_you_mean(title, header) or f"It has {has}."
            raise NewsletterError(Problem("unknown-column", f"The file has no column ‘{title[:60]}’", hint, where))
        if key and key not in ours:
            hint = did_you_mean(key, ours) or f"There is: {', '.join(ours)}."
            raise NewsletterError(Problem("unknown-column", f"There is nothing called ‘{key[:60]}’ here", hint, where))
        told[plain(title)] = key
    own = {word: "" for word, key in _known_names(config).items() if key in told.values() and word not in told}
    return {**{word: "" for word in own if word in headings}, **told}


def _place(keys: dict[int, str], key: str) -> int:
    return next(place for place, known in keys.items() if known == key)


def _undeclared(title: str, place: int, names: dict[str, str], where: Where, examples: Examples) -> Problem:
    if not title.strip():
        message = f"Column {place + 1} has no name and is left out"
        return Problem("undeclared-column", message, where=where, severity=Severity.NOTE)
    latin = unicodedata.normalize("NFKD", title.strip().lower()).encode("ascii", "ignore").decode()  # a bare TOML key
    key = re.sub(r"\W+", "_", latin).strip("_") or "field"
    near = did_you_mean(plain(title), names)
    if any(near == f"did you mean {word}?" for word, known in names.items() if known == "email"):
        near = near if any("@" in one for one in examples(place)) else ""  # ‘Address’ may be a street
    quoted = title.strip()[:60].replace("\\", "").replace('"', "'")
    declare = f'To keep it, end newsletter.toml with two lines: first [fields.{key}] and below it title = "{quoted}"'
    declare = f"Is it one of ours by another name? --map '{quoted}=KEY'. {declare}" if "'" not in quoted else declare
    if _CONSENT.search(title):
        who = (
            "Does it say who agreed? Everybody in this file is imported, whatever stands there: first take out the rows"
        )
        declare = f"{who} of those who did not. {declare}"
    holds = ", ".join(f"‘{one}’" for one in examples(place))
    message = f"The column ‘{title.strip()[:60]}’ is not known here and is left out{holds and f'; it holds {holds}'}"
    return Problem(
        "undeclared-column",
        message,
        hint=f"{near[:-1]} (rename the column)? {declare}" if near else declare,
        where=where,
        severity=Severity.WARNING,
    )


def _no_email(header: Sequence[str], where: Where, examples: Examples) -> Problem:
    has = ", ".join(f"‘{title.strip()[:40]}’" for title in header[:12] if title.strip()) or "none with a name"
    more = " …" if len(header) > 12 else ""
    likely = (title.strip() for place, title in enumerate(header) if any("@" in one for one in examples(place)))
    hint = "Rename the column that holds the addresses, or add one."
    found, alone = next(likely, ""), sum(bool(title.strip()) for title in header) == 1
    if alone and (len(header) > 1 or not found):  # the title of a sheet, as a rule
        hint = "The columns’ names must stand in the first row: delete what is above them. One must be ‘email’."
    elif found and "'" not in found:
        hint = f"‘{found[:40]}’ seems to hold addresses: --map '{found}=email'."
    return Problem(
        "no-email-column",
        f"Your file needs a column called ‘email’. Right now it has {has}{more}",
        hint=hint,
        where=where,
    )
