"""Markdown between the blocks: paragraphs, lists, headings, tables and pictures, with typographic quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from newsletter.content import links
from newsletter.content.context import Context
from newsletter.content.model import Divider, Heading, Node, Picture, Prose, Table
from newsletter.content.places import picture
from newsletter.content.source import Line, Source
from newsletter.problems import Where

DEEPEST = 40  # levels of lists and quotes; markdown-it drops what lies deeper than its own limit of 100
# markdown-it takes the square of these: 2 s for 10 KB of [, 9 s for 100 KB of quotes. People write 2,000 letters.
LONGEST_PARAGRAPH, MOST_BRACKETS, MOST_QUOTES = 10_000, 300, 1_000
BARE = re.compile(
    r"(?<![\w@/.:=-])(?:https?://[^\s<>“”«»]+|www\.[\w-]+\.[^\s<>“”«»]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,})"
)
REFERENCE = re.compile(r" {0,3}\[[^\]]+\]:")


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """CommonMark with tables and typographic quotes. Raw HTML is parsed so that it can be refused by its place."""
    made = MarkdownIt("commonmark", {"html": True, "typographer": True, "maxNesting": 100})
    made.enable(["table", "smartquotes"])
    made.validateLink = lambda url: True  # type: ignore[method-assign]  # refused links get a Problem, not silence
    made.core.ruler.before("inline", "absurd", _empty_the_absurd)
    return made


def _empty_the_absurd(state: StateCore) -> None:
    """Paragraphs that would take minutes are emptied before they are looked at; `_inline` says so."""
    for token in state.tokens:
        text = token.content
        if token.type == "inline" and (
            len(text) > LONGEST_PARAGRAPH
            or text.count("[") > MOST_BRACKETS
            or text.count('"') + text.count("'") > MOST_QUOTES
        ):
            token.content, token.meta = "", {"absurd": True}


@lru_cache(maxsize=1)
def _plain_parser() -> MarkdownIt:
    return MarkdownIt("zero", {"typographer": True}).enable(["escape", "entity", "smartquotes", "text_join"])


def words(text: str) -> str:
    """A label or title as one line of text: typographic quotes, `\\[` for a bracket, no other Markdown."""
    children = _plain_parser().parseInline(" ".join(text.split()))[0].children or []
    return "".join(child.content for child in children)


def remember_references(ctx: Context, runs: Sequence[Sequence[Line]]) -> None:
    """Collect `[name]: https://…` of every run first, so that a link may stand above its address."""
    for lines in runs:
        if any(REFERENCE.match(line.text) for line in lines):
            parser().parse("\n".join(line.text for line in lines), ctx.references)


def nodes(ctx: Context, source: Source, lines: Sequence[Line]) -> list[Node]:
    """The nodes of one run of lines."""
    if not any(line.text.strip() for line in lines):
        return []
    tokens = parser().parse("\n".join(line.text for line in lines), ctx.references)
    return _Run(ctx, source, lines).nodes(tokens)


class _Run:
    """Turns the tokens of one run into nodes and checks what stands in them."""

    def __init__(self, ctx: Context, source: Source, lines: Sequence[Line]) -> None:
        self.ctx = ctx
        self.source = source
        self.lines = lines
        self.range = (lines[0].number, lines[0].number)  # lines of the block in hand, for Problems

    def nodes(self, tokens: Sequence[Token]) -> list[Node]:
        found: list[Node] = []
        prose: list[Token] = []
        start = 0

        def flush() -> None:
            if prose:
                found.append(Prose(start, tuple(prose), file=self.source.name))
                prose.clear()

        for group in _groups(tokens):
            self._set_range(group[0])
            node = self._alone(group)
            if node is None:
                start = start if prose else self.range[0]
                prose.extend(self._prose(group))
            else:
                flush()
                found.append(node)
        flush()
        return found

    def _alone(self, group: list[Token]) -> Node | None:
        """The node of a group that stands for itself; None when it joins the prose around it."""
        kind, line, file = group[0].type, self.range[0], self.source.name
        if kind == "hr":
            return Divider(line, file=file)
        if kind == "heading_open":
            level = int(group[0].tag[1])
            if level > 3:
                hint = "Use #, ## or ###; screen readers and mail apps know no deeper ones."
                self._problem("deep-heading", f"A heading of level {level}", hint, "#" * level)
            inline = self._inline(group[1])
            return Heading(line, min(level, 3), tuple(inline.children or ()), file=file)
        if kind == "table_open":
            self._count_cells(group)
            return Table(line, tuple(self._prose(group)), file=file)
        if kind == "paragraph_open" and (alone := self._picture(group[1])):
            return alone
        return None

    def _picture(self, inline: Token) -> Picture | None:
        children = [child for child in inline.children or () if child.type != "softbreak" and not _blank(child)]
        href = ""
        kinds = [child.type for child in children]
        if kinds == ["link_open", "image", "link_close"]:
            href = str(children[0].attrs.get("href", ""))
            href = links.checked(self.ctx, self.source, href, self._where(href)) or ""
            children = children[1:2]
        elif kinds != ["image"]:
            return None
        image = children[0]
        src = str(image.attrs.get("src", ""))
        settle = self.ctx.fields.settle
        alt = settle("".join(child.content or " " for child in image.children or ())).strip()
        if not alt:
            self._problem(
                "missing-alt",
                "This picture has no words for people who cannot see it",
                f'Write ![what it shows]({src}), or ::image{{src={src} alt=""}} when it only decorates.',
                "![",
            )
        path = picture(self.ctx, self.source, src, self._where(src))
        caption = settle(str(image.attrs.get("title", "")))
        return Picture(self.range[0], src, path, alt, href=href, caption=caption, file=self.source.name)

    def _prose(self, group: list[Token]) -> Iterator[Token]:
        for token in group:
            self._set_range(token)
            if token.level > DEEPEST:
                self._problem(
                    "too-deep", "These lists or quotes stand inside one another too often", "Use fewer levels."
                )
            if token.type == "inline":
                yield self._inline(token)
            elif token.type == "html_block":
                self._raw_html(token.content)
                yield from _paragraph(token)
            elif token.type == "heading_open" and token.level > 0:
                self._problem("bad-nesting", "A heading cannot stand in a list or quote", "Move it out.", token.markup)
                yield token
            else:
                if token.type in ("fence", "code_block"):
                    token.content = self._code(token.content)
                    token.info = self.ctx.fields.as_written(token.info)
                yield token

    def _inline(self, token: Token) -> Token:
        """Check and settle the children of an inline token; a link that goes nowhere becomes plain text."""
        children: list[Token] = []
        dropped: list[bool] = []  # for each open link, whether it was refused
        told = False  # HTML in this paragraph: the end of a tag is not told again
        if token.meta.get("absurd"):
            hint = f"Break it up: at most {LONGEST_PARAGRAPH:,} letters, {MOST_BRACKETS} [ and {MOST_QUOTES:,} quotes."
            self._problem("too-long", "This paragraph is far too long, or not meant for people", hint)
        self._block_in_text(token)
        for child in token.children or ():
            if child.type == "text":
                child.content = self.ctx.fields.settle(child.content)
                children += [child] if dropped else self._autolinked(child)
            elif child.type == "link_open":
                dropped.append(not self._link(child))
                children += [] if dropped[-1] else [child]
            elif child.type == "link_close":
                children += [] if dropped.pop() else self._closed(children, child)
            elif child.type == "image":
                self._problem(
                    "inline-picture", "A picture cannot stand inside a line of text", "Give it a line of its own.", "!["
                )
                children.append(_text("".join(part.content for part in child.children or ())))
            elif child.type == "html_inline":
                if not (child.content.startswith("</") and told):
                    self._raw_html(child.content)
                told = True
                children.append(_text(child.content))
            else:
                child.content = self._code(child.content)
                children.append(child)
        token.children = children
        token.content = self.ctx.fields.settle(token.content)
        return token

    def _code(self, text: str) -> str:
        """Code as it is, but for fields, which are read here too, and `\\{{`, which is how to write none."""
        return self.ctx.fields.settle(text).replace("\\{{", "{{")

    def _link(self, opening: Token) -> bool:
        href = str(opening.attrs.get("href", ""))
        good = links.checked(self.ctx, self.source, href, self._where(href or "]()"))
        if good is None:
            return False
        opening.attrs["href"] = good
        if "title" in opening.attrs:
            opening.attrs["title"] = self.ctx.fields.settle(str(opening.attrs["title"]))
        return True

    def _closed(self, children: list[Token], closing: Token) -> list[Token]:
        """The end of a link, after type and size when it goes to a file and does not say so already."""
        begin = max(index for index, child in enumerate(children) if child.type == "link_open")
        text = "".join(child.content for child in children[begin:])
        href = str(children[begin].attrs["href"])
        if not text.strip():
            self._problem("empty-link", "This link has no words", "Write [what it is](address)", "[](")
        note = links.with_size(self.ctx, href, text).removeprefix(text)
        return [_text(note, closing.level), closing] if note else [closing]

    def _autolinked(self, token: Token) -> list[Token]:
        """A bare address in a text as a link of its own."""
        if "://" not in token.content and "www." not in token.content and "@" not in token.content:
            return [token]
        found: list[Token] = []
        done = 0
        for match in BARE.finditer(token.content):
            shown = _without_punctuation(match[0])
            href = shown if "://" in shown else f"https://{shown}" if shown.startswith("www.") else f"mailto:{shown}"
            good = links.checked(self.ctx, self.source, parser().normalizeLink(href), self._where(shown))
            if good is None:
                continue
            found += [_text(token.content[done : match.start()], token.level)] if match.start() > done else []
            opening = Token("link_open", "a", 1, attrs={"href": good}, level=token.level, markup="linkify", info="auto")
            closing = Token("link_close", "a", -1, level=token.level, markup="linkify", info="auto")
            found += [opening, _text(shown, token.level + 1), closing]
            done = match.start() + len(shown)
        return [*found, _text(token.content[done:], token.level)] if done < len(token.content) else found

    def _block_in_text(self, token: Token) -> None:
        """`::name` in a list or quote, where no block can stand, would otherwise go out as text."""
        for row in token.content.split("\n"):
            if match := re.match(r"\s*:{2,}[ \t]*([A-Za-z][\w-]*)[\[{]|\s*:{3,}[ \t]*(?:[a-z-]+\s*)?$", row):
                message, hint = "A block cannot stand in a list or quote", "Move it out, to the start of a line."
                self._problem("bad-nesting", message, hint, match[0].strip())

    def _count_cells(self, group: list[Token]) -> None:
        """A row longer than the table's head would lose its last cells in silence (GFM says so)."""
        first, last = self.range
        width = sum(token.type == "th_open" for token in group)
        for line in self.lines:
            row = line.text.strip().removeprefix("|").removesuffix("|")
            if first + 1 < line.number <= last and len(re.findall(r"(?<!\\)\|", row)) + 1 > width:
                where = self.source.where(line.number)
                hint = "Take a cell away, or write \\| for a bar that is text."
                self.ctx.problem("table-row", f"This row has more than the table's {width} columns", hint, where)

    def _raw_html(self, html: str) -> None:
        tag = html.strip().split("\n")[0]
        if tag.startswith("<!--"):
            hint = "Notes to colleagues stand behind # in the front matter."
        else:
            hint = "Write Markdown or a block instead; a plain < is written \\<"
        self._problem("raw-html", f"HTML cannot stand in an issue: {tag[:40]}", hint, tag)

    def _set_range(self, token: Token) -> None:
        if token.map:
            first = self.lines[min(token.map[0], len(self.lines) - 1)].number
            last = self.lines[min(max(token.map[1] - 1, token.map[0]), len(self.lines) - 1)].number
            self.range = (first, last)

    def _where(self, needle: str = "") -> Where:
        return self.ctx.at(self.source, self.range[0], needle, self.range[1])

    def _problem(self, code: str, message: str, hint: str, needle: str = "") -> None:
        self.ctx.problem(code, message, hint, self._where(needle))


def _groups(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each block at the outermost level."""
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []


def _text(content: str, level: int = 0) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _blank(token: Token) -> bool:
    return token.type == "text" and not token.content.strip()


def _paragraph(token: Token) -> Iterator[Token]:
    """A refused piece of HTML as a paragraph that shows it, so that nothing is lost from the preview."""
    yield Token("paragraph_open", "p", 1, level=token.level, map=token.map, block=True)
    content = token.content.strip()
    yield Token("inline", "", 0, content=content, children=[_text(content)], level=token.level + 1, block=True)
    yield Token("paragraph_close", "p", -1, level=token.level, block=True)


def _without_punctuation(address: str) -> str:
    """A bare address without the full stop or bracket that belongs to the sentence around it."""
    while address:
        unopened = address[-1] == ")" and address.count(")") > address.count("(")
        if address[-1] not in "?!.,:;*_~'\"’”،۔؟…" and not unopened:
            break
        address = address[:-1]
    return address
