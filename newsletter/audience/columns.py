"""Understands the header of a file of people: which column is the address, the name, a list, a declared field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.audience.headings import HEADINGS, beside, meanings, plain
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where, did_you_mean

REASON = "problem"  # the column that our own .refused.csv adds; ignored when it is imported again


@dataclass(frozen=True)
class Columns:
    """Where what stands: the key of every column that is used, by position; and the header as written."""

    keys: dict[int, str]
    header: tuple[str, ...]
    fields: tuple[tuple[int, str], ...]  # declared fields only
    problems: tuple[Problem, ...]

    def at(self, key: str) -> int | None:
        return next((place for place, known in self.keys.items() if known == key), None)


@dataclass(frozen=True)
class Told:
    """What somebody says of a file: `mapped`, heading (as `plain` writes it) → our column, empty = leave it out; and
    what the service that wrote it calls our columns, the same way. `examples` gives what a column holds."""

    mapped: Mapping[str, str] = field(default_factory=dict)
    service: Mapping[str, str] = field(default_factory=dict)
    examples: Callable[[int], Sequence[str]] = lambda _: ()


def understand(header: Sequence[str], config: Config, name: str, told: Told = Told()) -> Columns:
    """Match the header to what we know. Raises NewsletterError: no-header, no-email-column, doubled-column,
    no-such-column."""
    where = Where(name, 1, source="".join(header) and ", ".join(header)[:300])
    if any("@" in cell for cell in header):
        hint = "Add a first row with the columns’ names: email, first_name, last_name …"
        raise NewsletterError(Problem("no-header", "The first row is a person, not the columns’ names", hint, where))
    headings = [plain(title) for title in header]
    if missing := [heading for heading in told.mapped if heading not in headings]:
        raise NewsletterError(_no_such_column(missing[0], header, where), exit=Exit.USAGE)
    names = {**told.service, **_known_names(config), **beside(headings), **told.mapped}
    keys: dict[int, str] = {}
    problems: list[Problem] = []
    understood: list[str] = []
    left_out: list[str] = []
    for place, (title, heading) in enumerate(zip(header, headings, strict=True)):
        key = names.get(heading)
        if heading == REASON and key is None:
            continue
        if key is None:
            problems.append(_undeclared(title, place, names, where, told.examples(place)))
        elif not key:
            left_out.append(title.strip()[:40])
        elif key in keys.values() and key != "tags":  # tags of two columns are the tags of one person
            message = f"Two columns are both ‘{key}’: ‘{header[_place(keys, key)]}’ and ‘{title}’"
            hint = f"Remove or rename one of them, or leave one out: --map “{title.strip()}=”."
            raise NewsletterError(Problem("doubled-column", message, hint, where))
        else:
            keys[place] = key
            if heading != plain(key):
                understood.append(f"‘{title.strip()[:60]}’ as ‘{key}’")
    if "email" not in keys.values():
        raise NewsletterError(_no_email(header, where, told.examples))
    if understood:
        note = f"Read {', '.join(understood)}"
        problems.append(Problem("column-understood", note, where=where, severity=Severity.NOTE))
    if left_out:
        more = f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        note = f"Left out {', '.join(f'‘{title}’' for title in left_out[:6])}{more}"
        problems.append(Problem("column-left-out", note, where=where, severity=Severity.NOTE))
    fields = tuple((place, key) for place, key in keys.items() if key in config.fields)
    return Columns(keys, tuple(header), fields, tuple(problem for problem in problems if problem.message))


def mapping(words: Sequence[str], config: Config) -> dict[str, str]:
    """`Their column=email` as typed → heading → column of ours. Raises NewsletterError(bad-map, exit 2)."""
    known = {plain(key): key for key in HEADINGS}
    known |= {plain(word): key for key, one in config.fields.items() for word in (one.title, key) if plain(word)}
    found = {}
    for word in words:
        theirs, sign, ours = word.rpartition("=")
        key = known.get(plain(ours), "" if not ours.strip() else None)
        if not (sign and plain(theirs)) or key is None:
            hint = did_you_mean(plain(ours), known) or f"The columns are: {', '.join(dict.fromkeys(known.values()))}."
            message = f"‘{word[:80]}’ does not say which column is which"
            hint = f"Write --map “Their column=email”. {hint}" if not sign else hint
            raise NewsletterError(Problem("bad-map", message, hint), exit=Exit.USAGE)
        found[plain(theirs)] = key
    return found


def _no_such_column(heading: str, header: Sequence[str], where: Where) -> Problem:
    near = did_you_mean(heading, [plain(title) for title in header])
    has = ", ".join(f"‘{title.strip()[:40]}’" for title in header[:12] if title.strip())
    return Problem("no-such-column", f"There is no column ‘{heading}’ in the file", near or f"It has {has}.", where)


def _known_names(config: Config) -> dict[str, str]:
    """What headings mean; a field of the newsletter's own goes before another language's word for ours."""
    own = {plain(key): key for key in HEADINGS}
    declared: dict[str, str] = {}
    for key, one in config.fields.items():
        for word in (one.title, key):
            if plain(word):
                declared.setdefault(plain(word), key)
    return meanings() | declared | own


def _place(keys: dict[int, str], key: str) -> int:
    return next(place for place, known in keys.items() if known == key)


def _undeclared(
    title: str, place: int, names: Mapping[str, str], where: Where, examples: Sequence[str] = ()
) -> Problem:
    if not title.strip():
        message = f"Column {place + 1} has no name and is left out"
        return Problem("undeclared-column", message, where=where, severity=Severity.NOTE)
    latin = unicodedata.normalize("NFKD", title.strip().lower()).encode("ascii", "ignore").decode()  # a bare TOML key
    key = re.sub(r"\W+", "_", latin).strip("_") or "field"
    near = did_you_mean(plain(title), names)
    quoted = title.strip()[:60].replace("\\", "").replace('"', "'")
    ours = f'--map "{quoted}=COLUMN" where it is a column of ours by another name'
    declare = f'To keep it, end newsletter.toml with two lines: first [fields.{key}] and below it title = "{quoted}"'
    declare = f"{ours[0].upper()}{ours[1:]}. {declare}"
    holds = f"; it holds {', '.join(f'‘{one}’' for one in examples)}" if examples else ""
    message = f"The column ‘{title.strip()[:60]}’ is not known here and is left out{holds}"
    return Problem(
        "undeclared-column",
        message,
        hint=f"{near[:-1]} (rename the column)? {declare}" if near else declare,
        where=where,
        severity=Severity.WARNING,
    )


def _no_email(header: Sequence[str], where: Where, examples: Callable[[int], Sequence[str]]) -> Problem:
    has = ", ".join(f"‘{title.strip()[:40]}’" for title in header[:12] if title.strip()) or "none with a name"
    more = " …" if len(header) > 12 else ""
    likely = next((title for place, title in enumerate(header) if any("@" in one for one in examples(place))), "")
    hint = "Rename the column that holds the addresses, or add one."
    if likely.strip():
        hint = f"‘{likely.strip()[:40]}’ seems to hold them: --map “{likely.strip()}=email”."
    return Problem(
        "no-email-column",
        f"Your file needs a column called ‘email’. Right now it has {has}{more}",
        hint=hint,
        where=where,
    )
