"""Makes the mail out of an issue, once: Markdown, theme, MJML, inlined HTML, plain text, and the slots in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from newsletter.config import Config
from newsletter.content import model as content
from newsletter.problems import Problem, Severity, Where
from newsletter.rendering import engine, finishing, footer, freeze, merge, placeholders, templating
from newsletter.rendering.layout import Layout, Place
from newsletter.rendering.material import Material
from newsletter.rendering.model import Context, Hole, Mode, Piece, Rendered
from newsletter.rendering.names import names
from newsletter.rendering.restoring import Restorer, joined, links
from newsletter.rendering.text import TextWriter
from newsletter.rendering.themes import Theme


def render(issue: content.Issue, theme: Theme, config: Config, mode: Mode = Mode.SEND) -> Rendered:
    """One issue in one language, ready to be merged.

    Faults of the content become Problems of the result; NewsletterError is raised only for a broken theme.
    The same issue, theme and configuration give the same bytes, in any process.
    """
    material = Material(issue, theme, config, mode)
    token = placeholders.current.set(material.tokens)
    try:
        return _rendered(material)
    finally:
        placeholders.current.reset(token)


_BLOCKS = {
    content.Heading: "heading",
    content.Table: "table",
    content.Picture: "picture",
    content.Button: "button",
    content.ReplyButton: "reply",
    content.Callout: "callout",
    content.Columns: "columns",
    content.Card: "card",
}


def _unsupported(material: Material) -> Iterator[Problem]:
    """A block that the theme does not draw, once for each kind."""
    theme = material.theme
    kinds = {_BLOCKS.get(type(node), ""): node for node in material.issue.walk()}
    for kind, node in kinds.items():
        if kind and kind not in theme.supports:
            hint = f"It draws {', '.join(theme.supports)}."
            message = f"The theme ‘{theme.name}’ does not draw a {kind}"
            yield Problem("unsupported-block", message, hint, Where(node.file, node.line), Severity.WARNING)


def _rendered(material: Material) -> Rendered:
    issue, front = material.issue, material.issue.front
    html, found = _html(material)
    text = _text(material, found)
    subject = joined(material.tokens.split(" ".join(front.subject.split()), Context.SUBJECT))
    if material.mode is Mode.TEST:
        subject = joined([f"{material.words('test_subject')} ", *subject])
    material.publish_files()
    material.problems += _unsupported(material)
    parts = [subject, html, text]
    if material.mode is Mode.WEB:
        parts = [_for_everybody(part, material) for part in parts]
    _refuse_left_overs(material, parts)
    result = Rendered(
        slug=issue.slug,
        language=material.language,
        direction=material.direction,
        theme=material.theme.name,
        mode=material.mode,
        title=material.without_person(front.title or front.subject),
        preheader=material.without_person(front.preheader),
        subject=parts[0],
        html=parts[1],
        text=parts[2],
        slots=() if material.mode is Mode.WEB else tuple(material.slots),
        conditions=tuple(material.tokens.conditions),
        assets=tuple(material.assets.values()),
        problems=tuple(dict.fromkeys(material.problems)),
        checksum="",
    )
    return replace(result, checksum=freeze.checksum(result))


def mjml(material: Material) -> tuple[str, str]:
    """The MJML document before it is compiled, and the CSS to inline (the bench gives both to other engines)."""
    known: dict[str, Any] = names(material)
    layout = Layout(templating.Macros(material.theme, known), material)
    if material.mode is Mode.TEST:
        known["banner"] = layout.banner()
    known["blocks"] = layout.body(material.issue.nodes, Place(material.language))
    source = templating.document(material.theme, known)
    keep = templating.stylesheet(material.theme, "keep.css.j2", known)
    css = templating.stylesheet(material.theme, "inline.css.j2", known)
    return engine.with_style(templating.opaque_entities(source), keep), css


def _html(material: Material) -> tuple[tuple[Piece, ...], list[tuple[Piece, ...]]]:
    source, css = mjml(material)
    html = material.tokens.with_html(engine.compile_mjml(material.theme, source, material.issue.nonce))

    def finish(root: Any) -> None:
        finishing.title(root)
        finishing.languages(root, material.language, material.direction)
        finishing.heights(root, material.tokens, material.sizes)
        finishing.color_schemes(root)

    html = finishing.collapse(engine.inline(html, css, finish))
    restorer = Restorer(material.tokens)
    pieces = restorer.pieces(html)
    material.problems += restorer.problems
    return pieces, links(html, material.tokens)


def _text(material: Material, found: list[tuple[Piece, ...]]) -> tuple[Piece, ...]:
    """The text part: the issue's words, then whatever link of the HTML it does not hold yet, and the footer."""
    writer = TextWriter(material)
    own = material.issue.front.text.strip()
    body = footer.head(writer) + (writer.own(own) if own else writer.blocks(material.issue.nodes))
    pieces = [*writer.pieces(body), *writer.pieces(footer.foot(writer, found))]
    *most, last = joined(pieces)
    return (*most, last.rstrip("\n") + "\n") if isinstance(last, str) else (*most, last)


def _for_everybody(part: tuple[Piece, ...], material: Material) -> tuple[Piece, ...]:
    """A part of the public page: every field as its fallback, so that no person is in it."""
    slots = {slot.number: slot for slot in material.slots}
    return joined(
        [merge.fallback(slots[piece.slot], piece.context) if isinstance(piece, Hole) else piece for piece in part]
    )


def _refuse_left_overs(material: Material, parts: Iterable[tuple[Piece, ...]]) -> None:
    """A token that no tool gave back would be read by everybody: that is an error of the theme, or of ours."""
    for part in parts:
        for piece in part:
            at = piece.find(f"Zq{material.tokens.nonce}") if isinstance(piece, str) else -1
            if at >= 0 and isinstance(piece, str):
                around = piece[max(0, at - 40) : at + 40]
                message = f"A place that should have been filled was lost in the theme, near: {around}"
                hint = "A plain value stands where MJML computes with it, or inside CSS."
                material.problems.append(Problem("left-over-slot", message, hint=hint))
                return
