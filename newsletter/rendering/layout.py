"""Lays the blocks of an issue out as MJML: what stands in a column, what is a section, where ranges begin and end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from newsletter.content import model as content
from newsletter.rendering import languages, prose, styles
from newsletter.rendering.material import Material
from newsletter.rendering.model import Condition, Mode
from newsletter.rendering.templating import Macros

SECTIONS = (content.Callout, content.Columns, content.Card)


@dataclass(frozen=True)
class Place:
    """Where a block stands: the language around it, and whether that is a column or the body."""

    lang: str
    position: str = "body"

    def inside(self, node: content.Node, position: str = "") -> Place:
        return Place(node.lang or self.lang, position or self.position)


class Layout:
    """Builds the body out of the issue's nodes with the theme's macros."""

    def __init__(self, macros: Macros, material: Material) -> None:
        self.macros, self.material = macros, material
        self.tokens, self.mode, self.words = material.tokens, material.mode, material.words
        self.first = True
        self.level = 1  # of the heading above, under which a card's title stands

    def banner(self) -> Markup:
        """The section that says: this is a test."""
        return self._macro("test_banner", Place(self.material.language))

    # -- body level: a list of sections, runs of plain blocks gathered in one section each

    def body(self, nodes: Iterable[content.Node], place: Place) -> Markup:
        """Whole sections for the body."""
        parts: list[str] = []
        run: list[content.Node] = []

        def close_run() -> None:
            if any(is_for_all(node) for node in run):
                parts.append(self._macro("section", place, inner=self.column(run, place)))
            else:  # each range around a section of its own: one section around them would stay behind, empty
                parts.extend(self._section(node, place) for node in run)
            run.clear()

        for node in self._shown(nodes):
            if not needs_sections(node):
                run.append(node)
                continue
            close_run()
            parts.append(self._section(node, place))
        close_run()
        return Markup("\n".join(parts))  # noqa: S704

    def _section(self, node: content.Node, place: Place) -> Markup:
        inside = place.inside(node)
        match node:
            case content.Only():
                return self._only(node, inside, self.body)
            case content.Group() | content.Shown():
                return self.body(node.children, inside)
            case content.Callout():
                inner = self.column(node.children, inside.inside(node, "column"))
                return self._macro("callout", inside, tone=_tone(node), title=node.title, inner=inner)
            case content.Columns():
                pairs = zip(node.columns, node.widths, strict=True)
                columns = [self._column(column, width, inside) for column, width in pairs]
                return self._macro("columns", inside, columns=columns)
            case content.Card():
                return self._card("card", node, inside)
        raise AssertionError(f"no section for {type(node).__name__}")

    def _column(self, column: content.Column, width: int, place: Place) -> SimpleNamespace:
        inner = self.column(column.children, place.inside(column, "column"))
        return SimpleNamespace(width=styles.percent(width), inner=inner)

    # -- column level

    def column(self, nodes: Iterable[content.Node], place: Place) -> Markup:
        """What stands in one column: mj-text, mj-image, mj-button …"""
        return Markup("\n".join(filter(None, (self._block(node, place) for node in self._shown(nodes)))))  # noqa: S704

    def _block(self, node: content.Node, place: Place) -> Markup:
        inside = place.inside(node)
        match node:
            case content.Prose():
                return self._text("text", node.tokens, inside)
            case content.Heading():
                return self._heading(node, inside)
            case content.Table():
                return self._text("table", node.tokens, inside)
            case content.Picture():
                return self._picture(node, inside)
            case content.Button():
                href = self.material.address(node.href)
                return self._macro("button", inside, label=node.label, href=href, **_look(node, inside))
            case content.ReplyButton():
                return self._reply(node, inside)
            case content.Divider():
                return self._macro("divider", inside)
            case content.Spacer():
                return self._macro("spacer", inside, height=node.height)
            case content.Only():
                return self._only(node, inside, self.column)
            case content.Callout():
                inner = self.column(node.children, inside.inside(node, "column"))
                return self._macro("callout_inner", inside, tone=_tone(node), title=node.title, inner=inner)
            case content.Card():
                return self._card("card_inner", node, inside)
            case content.Columns():
                return self.column([child for column in node.columns for child in column.children], inside)
            case content.Group() | content.Shown() | content.Column():
                return self.column(node.children, inside)
        raise AssertionError(f"no block for {type(node).__name__}")

    def _text(self, macro: str, tokens: Any, place: Place) -> Markup:
        html = self._writer(place).html(tokens)
        return self._macro(macro, place, html=self._in_language(html, place))

    def _heading(self, node: content.Heading, place: Place) -> Markup:
        self.level = node.level
        html = Markup(f"<h{node.level}>{self._writer(place).html(node.tokens)}</h{node.level}>")  # noqa: S704
        return self._macro("heading", place, level=node.level, html=self._in_language(html, place))

    def _picture(self, node: content.Picture, place: Place) -> Markup:
        found = self.material.picture(node)
        if found:
            return self._macro("picture", place, **vars(found))
        if not node.alt:
            return Markup("")
        words = f"[{self.words('picture')}: {node.alt}]"  # it cannot be sent so, but its place should be seen
        return self._macro("label", place, text=words)

    def _reply(self, node: content.ReplyButton, place: Place) -> Markup:
        if not self.material.can.reply:
            return Markup("")
        href, mailto = self.material.slot("reply_url"), self.material.slot("reply_mailto")
        address = self.material.slot("reply_address")
        return self._macro(
            "reply", place, label=node.label, href=href, mailto=mailto, address=address, **_look(node, place)
        )

    def _card(self, macro: str, node: content.Card, place: Place) -> Markup:
        level = min(self.level + 1, 3)
        inner = self.column(node.children, place.inside(node, "column"))
        found = self.material.picture(node.picture) if node.picture else None
        href = self.material.address(node.href) if node.href else ""
        return self._macro(macro, place, title=node.title, level=level, picture=found, href=href, inner=inner)

    # -- ranges

    def _only(self, node: content.Only, place: Place, lay: Callable[..., Markup]) -> Markup:
        """Children between two marks, `otherwise` between the marks of the opposite; on the web both, with labels."""
        if self.mode is Mode.WEB:
            return self._for_everybody(node, place, lay)
        parts: list[str] = []
        level = self.level
        for children, negated in ((node.children, node.negated), (node.otherwise, not node.negated)):
            parts += self._marked(Condition(node.terms, negated), lay(children, place))
            self.level = level  # what only some people get is not above anything for everybody
        return Markup("\n".join(parts))  # noqa: S704

    def _marked(self, condition: Condition, inner: Markup) -> list[str]:
        if not inner:
            return []
        number = self.tokens.condition(condition)
        opens, closes = (self.tokens.mark(number, opens=opens) for opens in (True, False))
        return [f"<mj-raw>{opens}</mj-raw>", inner, f"<mj-raw>{closes}</mj-raw>"]

    def _for_everybody(self, node: content.Only, place: Place, lay: Callable[..., Markup]) -> Markup:
        parts = [self._label(self.material.for_whom(node), place, lay), lay(node.children, place)]
        if node.otherwise:
            parts += [self._label(self.words("for_everyone_else"), place, lay), lay(node.otherwise, place)]
        return Markup("\n".join(parts))  # noqa: S704

    def _label(self, text: str, place: Place, lay: Callable[..., Markup]) -> Markup:
        label = self._macro("label", place, text=text)
        return label if lay == self.column else self._macro("section", place, inner=label)

    def _shown(self, nodes: Iterable[content.Node]) -> Iterable[content.Node]:
        for node in nodes:
            if not isinstance(node, content.Shown) or node.mail is not (self.mode is Mode.WEB):
                yield node

    # -- small things

    def _macro(self, name: str, place: Place, **facts: Any) -> Markup:
        rtl = languages.direction(place.lang) == "rtl"
        facts |= {
            "lang": styles.language(place.lang),
            "dir": styles.keyword("rtl" if rtl else "ltr"),
            "start": styles.keyword("right" if rtl else "left"),
            "end": styles.keyword("left" if rtl else "right"),
            "position": place.position,
            "first": self.first,
        }
        self.first = False
        return self.macros(name, facts)

    def _writer(self, place: Place) -> prose.Writer:
        return prose.Writer(self.tokens, languages.direction(place.lang), self.material.address)

    def _in_language(self, html: Markup, place: Place) -> Markup:
        return Markup(self.tokens.html(prose.wrapped(html, place.lang, self.material.language)))  # noqa: S704


def needs_sections(node: content.Node) -> bool:
    """True for a block that is a section of its own, or a range or group that holds one, or holds nothing."""
    if isinstance(node, SECTIONS):
        return True
    if isinstance(node, content.Only):
        return any(needs_sections(child) for child in (*node.children, *node.otherwise))
    if isinstance(node, content.Group | content.Shown):
        return not node.children or any(needs_sections(child) for child in node.children)
    return False


def is_for_all(node: content.Node) -> bool:
    """False for what somebody may not get: a range, or a group that holds nothing but ranges."""
    if isinstance(node, content.Group | content.Shown):
        return any(is_for_all(child) for child in node.children)
    return not isinstance(node, content.Only)


def _tone(node: content.Callout) -> Markup:
    return styles.keyword(node.tone)


def _look(node: content.Button | content.ReplyButton, place: Place) -> dict[str, Markup]:
    rtl = languages.direction(place.lang) == "rtl"
    align = {"start": "right" if rtl else "left", "end": "left" if rtl else "right"}.get(node.align, node.align)
    return {"style": styles.keyword(node.style), "align": styles.keyword(align)}
