"""The front matter as people write it: `key: text to the end of the line`, lists and small maps. It is not YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.content.source import Source
from newsletter.problems import Problem

MARK = "---"
KEY = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+|$)")
COMMENT = re.compile(r"(?:^|\s)#.*$")
BLOCK_TEXT = re.compile(r"[|>][+-]?\s*(?:#.*)?$")
DEEPEST = 4  # lists and maps inside one another; `allow` needs two
NEXT_KEY = re.compile(r",\s*[A-Za-z_][\w-]*\s*:")


@dataclass(frozen=True)
class Place:
    """Where a value stands; columns from 1, `end` one past its last letter."""

    source: Source
    line: int
    column: int
    end: int


@dataclass(frozen=True)
class Text:
    text: str
    place: Place


@dataclass(frozen=True)
class Items:
    items: tuple[Value, ...]
    place: Place


@dataclass(frozen=True)
class Entries:
    entries: Mapping[str, Entry]
    place: Place


Value = Text | Items | Entries


@dataclass(frozen=True)
class Entry:
    """A key with its value; `place` is the key's."""

    place: Place
    value: Value


def bounds(source: Source) -> tuple[int, int]:
    """The lines of the opening and the closing `---`, from 1; 0 for one that is missing. Empty lines may come first."""
    first = next((number for number, line in enumerate(source.lines, 1) if line.strip()), 1)
    if source.lines[first - 1].rstrip() != MARK:
        return 0, 0
    rest = enumerate(source.lines[first:], first + 1)
    return first, next((number for number, line in rest if line.rstrip() in (MARK, "...")), 0)


@dataclass
class Parser:
    """Reads lines `first` to `last` (from 1, both included) of `source`.

    `whole` names the keys whose text is never a list, a map or followed by a comment: subject, preheader, title.
    """

    source: Source
    last: int
    problems: list[Problem]
    whole: frozenset[str]
    line: int = field(default=2)
    depth: int = 0  # maps and lists around the line in hand
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = list(self.source.lines)

    def entries(self, indent: int = 0) -> dict[str, Entry]:
        """The `key: value` lines at this indentation, up to a line further left."""
        found: dict[str, Entry] = {}
        while (text := self._peek()) is not None and (depth := _depth(text)) >= indent:
            match = KEY.match(text, depth)
            if depth > indent or not match:
                self._complain(text, depth)
                self.line += 1
                continue
            place = self._place(match.start(1), match.end(1))
            entry = Entry(place, self._value(match[1], match.end(), indent))
            if match[1] in found:
                self.duplicate(match[1], place)
            else:
                found[match[1]] = entry
        return found

    def duplicate(self, key: str, place: Place) -> None:
        """Report a key that stands twice in one map."""
        self._problem("duplicate-front-matter", f"‘{key}’ stands here twice", "Keep one of them.", place)

    def _peek(self) -> str | None:
        """The next line that is neither empty nor a comment, or None at the end."""
        while self.line <= self.last:
            text = self.lines[self.line - 1]
            if text.strip() and not text.lstrip().startswith("#"):
                return text
            self.line += 1
        return None

    def _value(self, key: str, start: int, indent: int) -> Value:
        text = self.lines[self.line - 1]
        line, rest = self.line, text[start:]
        self.line += 1
        if BLOCK_TEXT.match(rest):
            return self._block_text(rest[0], line, start, indent)
        if key in self.whole:
            return self._whole_text(rest, line, start)
        bare = _without_comment(rest)
        if bare.startswith("{{"):
            return self._whole_text(bare, line, start)  # a field, not a map
        if bare.strip():
            return Inline(self, line, bare, start).value()
        following = self._peek()
        if following is None or (_depth(following) <= indent and not following.lstrip().startswith("- ")):
            return Text("", self._place(start, start, line))
        if self.depth >= DEEPEST:
            self._complain(following, _depth(following))
            return Text("", self._place(start, start, line))
        self.depth += 1
        if following.lstrip().startswith("- ") and _depth(following) >= indent:
            found: Value = self._items(_depth(following))
        else:
            found = Entries(self.entries(_depth(following)), self._place(start, start, line))
        self.depth -= 1
        return found

    def _items(self, indent: int) -> Items:
        """`- value` lines; `- code: x` opens a map whose other keys stand below its first."""
        items: list[Value] = []
        place = self._place(indent, indent + 1)
        while (text := self._peek()) is not None and _depth(text) == indent and text[indent : indent + 2] == "- ":
            start = indent + 2 + _depth(text[indent + 2 :])
            if KEY.match(text, start):
                self.lines[self.line - 1] = " " * start + text[start:]  # the dash is a blank now: an ordinary map
                place_of = self._place(start, len(text))
                items.append(Entries(self.entries(start), place_of))
            else:
                items.append(Inline(self, self.line, _without_comment(text[start:]), start).value())
                self.line += 1
        return Items(tuple(items), place)

    def _whole_text(self, rest: str, line: int, start: int) -> Text:
        text = rest.strip()
        return Text(unquoted(text), self._place(start, start + len(rest.rstrip()), line))

    def _block_text(self, style: str, line: int, start: int, indent: int) -> Text:
        """`|` keeps the lines below as they are, `>` joins them by spaces."""
        rows: list[str] = []
        while self.line <= self.last:
            text = self.lines[self.line - 1]
            if text.strip() and _depth(text) <= indent:
                break
            rows.append(text)
            self.line += 1
        margin = min((_depth(row) for row in rows if row.strip()), default=0)
        kept = [row[margin:].rstrip() for row in rows]
        while kept and not kept[-1]:
            kept.pop()
        place = self._place(margin, margin + len(kept[0]) if kept else margin, line + 1 if kept else line)
        return Text("\n".join(kept) if style == "|" else " ".join(filter(None, kept)), place)

    def _complain(self, text: str, depth: int) -> None:
        place = self._place(depth, len(text.rstrip()))
        message, hint = "This line is not ‘key: value’", "Write a key of the front matter, a colon and a space."
        if _depth(text) and KEY.match(text, depth):
            message, hint = "This key is indented for no reason", "Move it to the start of the line."
        elif match := re.match(r"([A-Za-z_][\w-]*):\S", text[depth:]):
            hint = f"Put a space after the colon: {match[1]}: …"
        elif depth:
            hint = "A text stands on one line, after its key; a long one begins with | on the key's line."
        self._problem("bad-front-matter", message, hint, place)

    def _place(self, start: int, end: int, line: int | None = None) -> Place:
        return Place(self.source, line or self.line, start + 1, max(end, start + 1) + 1)

    def _problem(self, code: str, message: str, hint: str, place: Place) -> None:
        where = place.source.where(place.line, place.column, place.end)
        self.problems.append(Problem(code, message, hint, where))


@dataclass
class Inline:
    """A value within one line: a text, `[a, b]` or `{image: a.png, alt: ""}`, which may hold one another."""

    parser: Parser
    line: int
    text: str
    start: int  # of `text` in its line
    at: int = 0
    depth: int = 0

    def value(self) -> Value:
        """The whole of the text; what is left over after a closing bracket is a Problem unless it is a comment."""
        text = self.text.strip()
        if text[:1] not in ("[", "{"):
            return self._scalar_to_the_end()
        self.at = _depth(self.text)
        found = self._any("")
        rest = self.text[self.at :]
        if rest.strip() and not COMMENT.match(rest) and not rest.strip().startswith("#"):
            self._problem(self.at, len(self.text), "There is something after the closing bracket")
        return found

    def _scalar_to_the_end(self) -> Text:
        begin = _depth(self.text)
        text = self.text.strip()
        quoted = re.match(r'("(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\')\s*(?:\s#.*)?$', text)
        text = quoted[1] if quoted else COMMENT.sub("", text).strip()
        return Text(unquoted(text), self._place(begin, begin + len(text)))

    def _any(self, stops: str) -> Value:
        self._skip()
        letter = self.text[self.at : self.at + 1]
        if letter in ("[", "{") and self.depth < DEEPEST:
            self.depth += 1
            found = self._list() if letter == "[" else self._map()
            self.depth -= 1
            return found
        begin = self.at
        if quoted := re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\']|\'\')*\'').match(self.text, self.at):
            after = self.text[quoted.end() :].lstrip()
            if not after or after[0] in stops + ",":
                self.at = quoted.end()
                return Text(unquoted(quoted[0]), self._place(begin, self.at))
        while self.at < len(self.text) and self.text[self.at] not in stops:
            if self.text[self.at] == "," and (stops == "]" or NEXT_KEY.match(self.text, self.at)):
                break  # in a map a comma belongs to the text, unless a new key follows it
            self.at += 1
        text = self.text[begin : self.at].rstrip()
        return Text(text, self._place(begin, begin + len(text)))

    def _list(self) -> Items:
        begin = self.at
        self.at += 1
        items: list[Value] = []
        while not self._closed("]", begin):
            item = self._any("]")
            if not isinstance(item, Text) or item.text:
                items.append(item)
        return Items(tuple(items), self._place(begin, self.at))

    def _map(self) -> Entries:
        begin = self.at
        self.at += 1
        found: dict[str, Entry] = {}
        while not self._closed("}", begin):
            match = re.compile(r"([A-Za-z_][\w-]*)\s*:\s*").match(self.text, self.at)
            if not match:
                self._problem(self.at, len(self.text.rstrip()), "This is not ‘key: value’")
                self.at = len(self.text)
                break
            place = self._place(match.start(1), match.end(1))
            self.at = match.end()
            if match[1] in found:
                self.parser.duplicate(match[1], place)
            found[match[1]] = Entry(place, self._any("}"))
        return Entries(found, self._place(begin, self.at))

    def _closed(self, bracket: str, begin: int) -> bool:
        """Step over blanks and one comma; true behind the closing bracket or at the end of the line."""
        self._skip()
        if self.text[self.at : self.at + 1] == ",":
            self.at += 1
            self._skip()
        if self.at >= len(self.text):
            self._problem(begin, begin + 1, f"The closing {bracket} is missing")
            return True
        if self.text[self.at] == bracket:
            self.at += 1
            return True
        return False

    def _skip(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1

    def _place(self, begin: int, end: int) -> Place:
        return self.parser._place(self.start + begin, self.start + end, self.line)

    def _problem(self, begin: int, end: int, message: str) -> None:
        hint = 'Lists are written [a, b] and maps {image: images/hero.png, alt: ""}, on one line.'
        self.parser._problem("bad-front-matter", message, hint, self._place(begin, end))


def _without_comment(text: str) -> str:
    """A value before ` #`; behind a quote or bracket only the end of the value can tell what is a comment."""
    return text if text[:1] in ("'", '"', "[", "{") else COMMENT.sub("", text)


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))


def unquoted(text: str) -> str:
    """The text inside quotes that go round the whole of it; `"Fire" at mill` stays as it stands."""
    if re.fullmatch(r'"(?:[^"\\]|\\.)*"', text):
        return re.sub(r"\\([\"\\])", r"\1", text[1:-1])
    if re.fullmatch(r"'(?:[^']|'')*'", text):
        return text[1:-1].replace("''", "'")
    return text
