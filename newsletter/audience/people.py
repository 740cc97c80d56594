"""Reads one row of a file as a person: address, names, lists and fields, or the exact cell that is wrong and why."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from operator import itemgetter

from newsletter.audience import naming
from newsletter.audience.columns import Columns
from newsletter.audience.formulas import plain
from newsletter.audience.postcodes import spelled
from newsletter.audience.spreadsheet import Row, Table
from newsletter.audience.workbook import Book
from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.problems import Problem, Severity, did_you_mean

# canonical, row, address, name, first_name, last_name, language, attributes (JSON), lists (bits of `lists`), and 1
# where the first name is one that we worked out from the name, else 0
Staged = tuple[str, int, str, str, str, str, str, str, int, int]

LENGTHS = {"name": 200, "first_name": 200, "last_name": 200}  # as the columns of Subscriber
MOST_LISTS = 62  # in one file: they are bits of one SQLite integer
ROLES = frozenset(
    re.findall(
        r"\S+",
        "abuse admin administrator billing contact enquiries hello help helpdesk hostmaster info information mail "
        "marketing media news newsletter noc no-reply noreply office postmaster press reception root sales security "
        "spam support team webmaster",
    )
)
_DOMAINS = 20_000  # checked domains that are remembered; then all are forgotten, so memory stays flat
# RFC 5322 dot-atom of at most 64 octets (RFC 5321 4.5.3.1.1); anything rarer takes addresses.parse.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_plain_local = re.compile(rf"(?=.{{1,64}}\Z)(?!'){_ATOM}(?:\.{_ATOM})*").fullmatch
# C0, DEL, C1, line separators, and letters that could not be decoded. Right-to-left marks and joiners are text.
_forbidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]").search
_BLANKS = re.compile(r"\s+")
# What a cell calls a language, where it does not hold its code.
_LANGUAGES = {
    **{"english": "en", "englisch": "en", "saesneg": "en", "welsh": "cy", "cymraeg": "cy"},
    **{"urdu": "ur", "اردو": "ur", "arabic": "ar", "العربية": "ar", "polish": "pl", "polski": "pl"},
    **{"german": "de", "deutsch": "de", "french": "fr", "français": "fr", "spanish": "es", "español": "es"},
}


def _mixed(address: str) -> bool:
    """Whether one part of the address has letters of two scripts that look alike (UTS 39: mixed-script)."""
    for part in re.split(r"[@.]", address):
        scripts = {unicodedata.name(letter, "?").split()[0] for letter in part if letter.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}) > 1:
            return True
    return False


class Refused(Exception):
    """This cell cannot be taken; `place` is its column, counted from 0."""

    def __init__(self, code: str, place: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.place, self.message, self.hint = code, place, message, hint


class People:
    """Turns rows into people for one file and one `--list`; counts what is worth a note on the way."""

    def __init__(self, table: Table | Book, columns: Columns, config: Config, list_keys: tuple[str, ...] = ()) -> None:
        self.table, self.columns, self.config = table, columns, config
        self.lists: list[str] = list(list_keys)
        self.cells: list[str] = []  # of the row read last
        self.american = config.site.language.lower() == "en-us"
        self.noted: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.first_names: Counter[bool] = Counter()  # worked out of names: sure, not sure
        self._base = (1 << len(self.lists)) - 1
        self._domains: dict[str, str] = {}
        self._width = len(columns.header)
        at = columns.at
        self._email, self._lists_at, self._language_at = at("email") or 0, at("lists"), at("language")
        # One column for the whole name, and none of the file's own for the first: what a service's attributes hold may
        # be empty, and a cell that somebody emptied stays empty.
        self._works_out = at("name") is not None and (at("first_name") or len(table.header)) >= len(table.header)
        self._names = tuple((slot, at(key) or 0, key) for slot, key in enumerate(LENGTHS) if at(key) is not None)
        self._facts = tuple((place, columns.keys[place]) for place in sorted(columns.keys) if self._is_fact(place))
        rest = [place for place in (self._lists_at, self._language_at, *dict(self._facts)) if place is not None]
        self._rest = itemgetter(*rest) if len(rest) > 1 else lambda cells: tuple(cells[place] for place in rest)
        # Lists, languages and wards repeat in thousands of rows: what they mean is worked out once.
        self._meaning = lru_cache(8192)(self._meaning_of)

    def person(self, row: Row) -> Staged:
        """The row as a person. Raises Refused."""
        cells = self.cells = row.cells
        if len(cells) != self._width:
            self._fit(cells)
        if found := _forbidden("\n".join(cells)):
            self._refuse_letter(cells, found[0])
        canonical, address = self._address(cells[self._email])
        names = ["", "", ""]
        for slot, place, key in self._names:
            names[slot] = text = cells[place].strip()
            if len(text) > LENGTHS[key] or not text.isprintable() or text[:1] == "'":
                names[slot] = self._short(text, place, key)
        role = canonical.partition("@")[0] in ROLES
        worked_out = self._works_out and not names[1]
        if worked_out and names[0]:
            names[1] = self._first_name(names[0], row, role)
        mask, language, attributes, notes = self._meaning(self._rest(cells))
        for code, example in notes:
            self._note(code, row, example)
        if not address.isascii() and _mixed(address):
            self._note("mixed-letters", row, address)
        if role:
            self._note("role-address", row, address)
        return canonical, row.number, address, *names, language, attributes, mask, int(worked_out)  # type: ignore[return-value]

    def message(self, row: Row, refused: Refused) -> str:
        """What is wrong, with the row's number and the column's name."""
        title = self.columns.header[refused.place] if refused.place < self._width else f"column {refused.place + 1}"
        return f"Row {row.number}, {title.strip()}: {refused.message}"

    def problem(self, row: Row, refused: Refused) -> Problem:
        """The same with its place in the file."""
        cell = row.cells[refused.place] if refused.place < len(row.cells) else ""
        return Problem(refused.code, self.message(row, refused), refused.hint, self.table.where(row, cell))

    def notes(self) -> list[Problem]:
        """What was taken, but should be known: role addresses, languages that were not understood, nobody's lists."""
        words = {
            "mixed-letters": "{n} addresses mix letters that look alike, such as a Cyrillic а in a Latin word"
            " (the first: {example})",
            "role-address": "{n} belong to a role, not to a person (the first: {example})",
            "unknown-language": "{n} rows name an unknown language, which was left out (the first: {example})",
            "without-list": "{n} rows name no list; those people get nothing until they are on one",
        }
        hints = {
            "mixed-letters": "Nobody types them so. Ask these people for their address, or take the rows out.",
            "unknown-language": "Write a code such as en-GB, cy or ur.",
            "without-list": "Import the file again with --list KEY.",
        }
        return [
            Problem(
                code,
                words[code].format(n=f"{count:,}", example=self.examples.get(code, "")),
                hints.get(code, ""),
                severity=Severity.NOTE if code == "role-address" else Severity.WARNING,
                affected=count,
            )
            for code, count in sorted(self.noted.items())
        ] + self._first_names_note()

    def _first_name(self, name: str, row: Row, role: bool) -> str:
        """The first name in a whole name; none at info@, where a name is that of a body."""
        first = "" if role else naming.first_of(name)
        self.first_names[bool(first)] += 1
        if first:
            self.examples.setdefault("first-names", f"‘{first[:60]}’ from ‘{name[:60]}’")
        else:
            self.examples.setdefault("no-first-name", f"‘{name[:60]}’ in row {row.number}")
        return first

    def _first_names_note(self) -> list[Problem]:
        sure, unsure = self.first_names[True], self.first_names[False]
        if not sure and not unsure:
            return []
        title = self.columns.header[self.columns.at("name") or 0].strip()[:60]
        message = f"First names are taken from ‘{title}’"
        message += f", such as {self.examples['first-names']}" if sure else ""
        if unsure:
            example = self.examples["no-first-name"]
            message += f"; {unsure:,} left empty, where it is not sure (the first: {example})"
        hint = 'Who has none is greeted by the word that the issue gives: {{ first_name or "neighbour" }}.'
        return [Problem("first-names", message, hint if unsure else "", severity=Severity.NOTE, affected=sure)]

    def _is_fact(self, place: int) -> bool:
        return (
            self.columns.keys[place] in ("area", "tags", "postcode") or self.columns.keys[place] in self.config.fields
        )

    def _note(self, code: str, row: Row, example: str = "") -> None:
        self.noted[code] += 1
        if example:
            self.examples.setdefault(code, f"‘{example[:60]}’ in row {row.number}")

    def _fit(self, cells: list[str]) -> None:
        if any(cell.strip() for cell in cells[self._width :]):
            hint = "Put quotes round the cell that holds the delimiter."
            message = f"there are {len(cells)} cells for {self._width} columns"
            raise Refused("too-many-cells", self._width, message, hint)
        cells[self._width :] = []
        cells.extend([""] * (self._width - len(cells)))  # Excel leaves out empty cells at the end of a row

    def _refuse_letter(self, cells: list[str], letter: str) -> None:
        place = next(place for place, cell in enumerate(cells) if letter in cell)
        if letter == "\ufffd" or "\ud800" <= letter <= "\udfff":
            hint = "Save the sheet as “CSV UTF-8”, then correct this cell."
            raise Refused("undecodable", place, "a letter here is not in the file’s encoding", hint)
        message = f"there is an invisible control character (U+{ord(letter):04X})"
        raise Refused("invisible-character", place, message, "Delete the cell’s content and type it again.")

    def _address(self, cell: str) -> tuple[str, str]:
        text = cell.strip()
        local, _, domain = text.rpartition("@")
        known = self._domains.get(domain)
        if known and _plain_local(local) and len(text) <= 254 and len(local) + 1 + len(known) <= 254:
            return f"{local.lower()}@{known}", text
        text = plain(text.strip("\ufeff\u200b").strip())
        if text.startswith("@") or text.endswith("@"):  # the commonest slips, said without the validator: 43 us each
            raise Refused("bad-address", self._email, "one side of the @ is missing")
        try:
            parsed = addresses.parse(text)
        except ValueError as error:
            raise Refused("bad-address", self._email, str(error) if text else "there is no address") from None
        if len(parsed.canonical) > 320:
            raise Refused("bad-address", self._email, "it is too long")
        if len(self._domains) >= _DOMAINS:
            self._domains.clear()
        self._domains[text.rpartition("@")[2]] = parsed.domain
        return parsed.canonical, parsed.typed

    def _short(self, text: str, place: int, key: str) -> str:
        text = plain(text)
        if "\n" in text or "\r" in text or "\t" in text:
            text = _BLANKS.sub(" ", text)
        if len(text) > LENGTHS[key]:
            raise Refused("cell-too-long", place, f"it has {len(text):,} letters; at most {LENGTHS[key]} fit")
        return text

    def _mask(self, cell: str) -> int:
        mask = 0
        for word in filter(None, map(str.strip, re.split(r"[;|,\n]", cell))):
            key = next(
                (key for key, known in self.config.lists.items() if word.casefold() in (key, known.title.casefold())),
                "",
            )
            if not key:
                hint = did_you_mean(word, self.config.lists) or f"The lists are: {', '.join(self.config.lists)}."
                raise Refused("unknown-list", self._lists_at or 0, f"there is no list called ‘{word[:60]}’", hint)
            if key not in self.lists:
                if len(self.lists) >= MOST_LISTS:
                    message = f"one file can name at most {MOST_LISTS} lists"
                    raise Refused("too-many-lists", self._lists_at or 0, message, "Split the file.")
                self.lists.append(key)
            mask |= 1 << self.lists.index(key)
        return mask

    def _meaning_of(self, cells: tuple[str, ...]) -> tuple[int, str, str, tuple[tuple[str, str], ...]]:
        """Lists, language and attributes of a row, and notes as (code, example), from the cells that `_rest` takes."""
        left, mask, language, notes = iter(cells), self._base, "", []
        if self._lists_at is not None:
            mask |= self._mask(next(left))
        if not mask:
            notes.append(("without-list", ""))
        if self._language_at is not None and (wish := next(left).strip()):
            language = self._language_of(wish)
            if not language:
                notes.append(("unknown-language", wish))
        return mask, language, self._attributes_of(left), tuple(notes)

    def _attributes_of(self, cells: Iterable[str]) -> str:
        values: dict[str, str | list[str]] = {}
        for cell, (place, key) in zip(cells, self._facts, strict=True):
            text = _BLANKS.sub(" ", cell).strip() if "\n" in cell or "\r" in cell or "\t" in cell else cell.strip()
            if text[:1] == "'":
                text = plain(text)
            if not text:
                continue  # an empty cell never erases
            if key == "area" and key not in self.config.fields:
                values["areas"] = list(dict.fromkeys(filter(None, map(str.strip, re.split(r"[;|]", text)))))
            elif key == "tags" and key not in self.config.fields:
                values["tags"] = list(
                    dict.fromkeys(filter(None, (tag.strip(' "') for tag in re.split(r"[;|,]", text))))
                )
            elif key == "postcode" and key not in self.config.fields:
                values["postcode"] = self._postcode(text, place)
            else:
                values[key] = self._typed(text, place, self.config.fields[key].type)
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    def _postcode(self, text: str, place: int) -> str:
        if not spelled(text):
            raise Refused("bad-postcode-cell", place, f"‘{text[:40]}’ is not a postcode", "Write it as ST16 3AA.")
        return spelled(text)

    def _typed(self, text: str, place: int, kind: str) -> str:
        if kind == "date":
            return self._date(text, place)
        if kind == "number" and not re.fullmatch(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?", text):
            raise Refused("bad-number-cell", place, f"‘{text[:40]}’ is not a number", "Write 1200 or 12.5.")
        return text.replace(",", "") if kind == "number" else text

    def _date(self, text: str, place: int) -> str:
        """A date as 2026-12-08. Spreadsheets write 08/12/2026: day first, but month first for an en-US site."""
        try:
            if found := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00)?)?", text):
                return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
            if found := re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text):
                day, month = (found[2], found[1]) if self.american else (found[1], found[2])
                return date(int(found[3]), int(month), int(day)).isoformat()
        except ValueError:
            pass
        raise Refused("bad-date-cell", place, f"‘{text[:40]}’ is not a date", "Write it as 2026-12-08.")

    def _language_of(self, text: str) -> str:
        code = _LANGUAGES.get(text.casefold(), text).replace("_", "-")
        if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?", code):
            return ""
        first, *rest = code.split("-")
        return "-".join([first.lower(), *(part.upper() if len(part) < 4 else part.title() for part in rest)])
