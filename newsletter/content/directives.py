"""Finding the blocks: lines that begin with `::name` or `:::name`, their labels, attributes and ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from newsletter.content.source import Line, Source
from newsletter.problems import Problem

HEAD = re.compile(r" {0,3}(:{2,})[ \t]*(?=[A-Za-z])([\w-]+)")
CLOSE = re.compile(r" {0,3}(:{3,})[ \t]*$")
CODE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
ATTRIBUTE = re.compile(
    r"""[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|“([^”]*)”|([^\s}"'“][^\s}]*))"""
)
DEEPEST = 8  # blocks inside one another; every shape that a mail can show needs fewer than six


@dataclass
class Run:
    """Lines of Markdown between two blocks."""

    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Attribute:
    """A value of `{key=value}`, which may hold slot markers.

    `key` and `place` are the columns of its name and of its value in the line as written: first, one past the last.
    """

    value: str
    key: tuple[int, int]
    place: tuple[int, int]


@dataclass
class Block:
    """One `::name[label]{attributes}`; `fence` is the number of colons."""

    name: str
    line: Line
    fence: int
    column: int
    end: int
    label: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    children: list[Run | Block] = field(default_factory=list)


@dataclass
class Scanner:
    """Builds the tree of runs and blocks of one file and reports what cannot be one."""

    source: Source
    leaves: frozenset[str]  # names of blocks without an end, so that a wrong number of colons can be named
    problems: list[Problem]
    top: Block = field(init=False)
    open: list[Block] = field(init=False)
    code: str = ""  # the fence of the code block we are in
    too_deep: int = 0  # how many blocks below the deepest allowed are open

    def scan(self, lines: Iterable[Line]) -> list[Run | Block]:
        """The tree; every line ends up in exactly one run or is the head or end of a block."""
        self.top = Block("", Line(0, ""), 0, 0, 0)
        self.open = [self.top]
        for line in lines:
            if self._in_code(line.text):
                self._text(line)
            elif close := CLOSE.match(line.text):
                self._close(line, len(close[1]))
            elif head := HEAD.match(line.text):
                self._head(line, head)
            else:
                self._text(line)
        for block in self.open[1:]:
            self._unclosed(block)
        return self.top.children

    def _in_code(self, text: str) -> bool:
        """Whether this line belongs to a fenced code block, in which colons mean nothing."""
        fence = CODE.match(text)
        mark = fence[1] if fence else ""
        if self.code:
            if mark.startswith(self.code) and fence and not fence[2].strip():
                self.code = ""
            return True
        self.code = mark
        return bool(mark)

    def _text(self, line: Line) -> None:
        children = self.open[-1].children
        if not children or not isinstance(children[-1], Run):
            children.append(Run())
        run = children[-1]
        assert isinstance(run, Run)
        run.lines.append(line)

    def _head(self, line: Line, head: re.Match[str]) -> None:
        start, end = head.span(2)
        block = Block(head[2], line, len(head[1]), *line.columns(start, end))
        rest = end
        if line.text[rest : rest + 1] == "[":
            rest, block.label = self._label(line, rest)
        if line.text[rest : rest + 1] == "{":
            rest, block.attributes = self._attributes(line, rest)
        if line.text[rest:].strip():
            extra = rest + len(line.text[rest:]) - len(line.text[rest:].lstrip())
            self._problem(
                "text-after-block",
                f"There is text after the head of ‘{block.name}’",
                "Put it on the next line, or in [ ] right after the name.",
                line,
                extra,
                len(line.text.rstrip()),
            )
        if block.fence > 2 and len(self.open) > DEEPEST:
            self.too_deep += 1
            hint = f"Use at most {DEEPEST} blocks inside one another."
            if self.too_deep == 1:
                self._problem("too-deep", "Blocks stand inside one another too often", hint, line, start, end)
            return
        self.open[-1].children.append(block)
        if block.fence > 2:
            self.open.append(block)

    def _label(self, line: Line, start: int) -> tuple[int, str | None]:
        depth, at = 0, start
        while at < len(line.text):
            letter = line.text[at]
            if letter == "\\":
                at += 1
            elif letter == "[":
                depth += 1
            elif letter == "]":
                depth -= 1
                if depth == 0:
                    return at + 1, line.text[start + 1 : at].strip()
            at += 1
        self._problem("bad-block", "The closing ] is missing", "Write ::name[Label]", line, start, start + 1)
        return len(line.text), line.text[start + 1 :].strip()

    def _attributes(self, line: Line, start: int) -> tuple[int, dict[str, Attribute]]:
        found: dict[str, Attribute] = {}
        at = start + 1
        while match := ATTRIBUTE.match(line.text, at):
            group = next(number for number in (2, 3, 4, 5) if match[number] is not None)
            value = re.sub(r"\\([\"'\\{])", r"\1", match[group]) if group < 5 else match[group]
            begin, end = match.span(1)
            if match[1] in found:
                self._problem("bad-attribute", f"‘{match[1]}’ stands here twice", "Keep one.", line, begin, end)
            found[match[1]] = Attribute(value, line.columns(begin, end), line.columns(*match.span(group)))
            at = match.end()
        at += len(line.text[at:]) - len(line.text[at:].lstrip())
        if line.text[at : at + 1] == "}":
            return at + 1, found
        close = line.text.find("}", at)
        message = "The closing } is missing" if close < 0 else "This cannot be read as key=value"
        self._problem(
            "bad-attribute",
            message,
            'Write {key=value other="two words"}',
            line,
            *((start, start + 1) if close < 0 else (at, close)),
        )
        return len(line.text) if close < 0 else close + 1, found

    def _close(self, line: Line, fence: int) -> None:
        if self.too_deep:
            self.too_deep -= 1
            return
        colons = ":" * fence
        fences = [block.fence for block in self.open[1:]]
        start = line.text.index(":")
        if not fences:
            children = self.open[-1].children
            last = next((child for child in reversed(children) if isinstance(child, Block)), None)
            hint = "Delete it, or open a block above it."
            if last and last.name in self.leaves:
                hint = f"‘{last.name}’ has no end: delete this line."
            self._problem("stray-fence", f"‘{colons}’ closes nothing here", hint, line, start, start + fence)
            return
        if fence in fences:
            while self.open[-1].fence != fence:
                self._unclosed(self.open.pop())
        elif fence < fences[-1]:
            block = self.open[-1]
            self._problem(
                "bad-nesting",
                f"‘{colons}’ is too short to close ‘{block.name}’ of line {block.line.number}",
                f"Close it with {':' * block.fence}",
                line,
                start,
                start + fence,
            )
        self.open.pop()

    def _unclosed(self, block: Block) -> None:
        where = self.source.where(block.line.number, block.column, block.end)
        if block.name in self.leaves:
            message, hint = f"‘{block.name}’ has no inside", f"Write it with two colons: ::{block.name}"
            self.problems.append(Problem("bad-block", message, hint, where))
            return
        fence = ":" * block.fence
        hint = f"Put a line with {fence} where it ends."
        self.problems.append(Problem("unclosed-block", f"The block ‘{block.name}’ is never closed", hint, where))

    def _problem(self, code: str, message: str, hint: str, line: Line, start: int, end: int) -> None:
        where = self.source.where(line.number, *line.columns(start, end))
        self.problems.append(Problem(code, message, hint, where))
