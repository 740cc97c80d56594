"""Checks of the finished mail: its size against Gmail's clip, its colours, and the number of its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from newsletter.config import Config
from newsletter.content.model import Issue
from newsletter.problems import Problem, Severity, Where
from newsletter.rendering import languages, styles
from newsletter.rendering.model import Mark, Piece, Rendered

CLIP = 102  # KB: Gmail hides the rest behind “view entire message”
WARN_AT, STOP_AT = 80 * 1024, 100 * 1024  # bytes of the encoded HTML part
HOLE = 90  # letters that a filled slot takes on average: a signed address has about 80
MOST_VARIANTS = 64
READABLE, READABLE_LARGE = 4.5, 3.0  # WCAG 2.2, 1.4.3


_PLAIN = bytes({*range(32, 127), 10} - {61})  # what quoted-printable leaves as it is


def encoded_size(pieces: tuple[Piece, ...]) -> int:
    """Bytes of the part as it is sent: quoted-printable, or base64 where that is smaller by a third.

    Counts every range, so it is the size of the longest copy.
    """
    texts = [piece for piece in pieces if isinstance(piece, str)]
    holes = sum(not isinstance(piece, str | Mark) for piece in pieces) * HOLE
    raw = "".join(texts).encode("utf-8", "surrogatepass")
    plain = len(raw) - len(raw.translate(None, _PLAIN))
    lines = raw.count(b"\n")
    quoted = plain + lines + 3 * (len(raw) - plain)
    quoted += 3 * quoted // 76 + holes  # soft line breaks
    based = (len(raw) + holes) * 4 // 3 * 78 // 76
    return based if based * 3 < quoted * 2 else quoted


def size(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Gmail cuts a mail at about 102 KB, with the unsubscribe link at its end."""
    found = encoded_size(rendered.html)
    shown = f"{found / 1024:.0f} KB of {CLIP} KB"
    hint = "Gmail cuts the rest off, the way to leave included. Move parts to a web page and link to it."
    if found > STOP_AT:
        yield Problem("mail-too-large", f"The mail is too long: {shown}", hint, Where(issue.file))
    elif found > WARN_AT:
        yield Problem("mail-large", f"The mail is long: {shown}", hint, Where(issue.file), Severity.WARNING)


def variants(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Many independent `only` blocks make many versions that nobody can look at; unknown languages speak English."""
    terms = {condition.terms for condition in rendered.conditions}
    if 2 ** len(terms) > MOST_VARIANTS:
        hint = "Look at the main ones in `newsletter preview --as`."
        versions = f"up to {2 ** len(terms):,}" if len(terms) <= 20 else "more than a million"
        message = f"{len(terms):,} different `only` blocks make {versions} versions"
        yield Problem("many-versions", message, hint, Where(issue.file), Severity.WARNING)
    if languages.primary(rendered.language) not in languages.own_words():
        known = ", ".join(languages.own_words())
        hint = f"Buttons and the footer are in English; fixed words exist in {known}."
        message = f"There are no fixed words in ‘{rendered.language}’"
        yield Problem("no-fixed-words", message, hint, Where(issue.file), Severity.WARNING)


def contrast(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Every text against the colour behind it, as written into the finished HTML: 4.5 to 1, large text 3 to 1."""
    from lxml import etree

    html = "".join(piece if isinstance(piece, str) else "x" for piece in rendered.html if not isinstance(piece, Mark))
    if not html:
        return
    root = etree.fromstring(html, etree.HTMLParser())
    seen: set[tuple[str, str]] = set()
    for body in root.iter("body"):
        for element, front, back, large in _painted(body, "#000000", "#ffffff", False, 16.0, 400):
            needed = READABLE_LARGE if large else READABLE
            ratio = styles.contrast(front, back)
            if ratio >= needed or (front, back) in seen:
                continue
            seen.add((front, back))
            words = " ".join((element.text or "").split())[:40]
            hint = f"{front} on {back}; it takes {needed:g}:1. Change the theme's colours in newsletter.toml."
            message = f"“{words}” is hard to read: contrast {ratio:.1f}:1"
            yield Problem("low-contrast", message, hint, Where("newsletter.toml"), Severity.WARNING)


def _painted(
    element: Any, front: str, back: str, hidden: bool, size: float, weight: int
) -> Iterator[tuple[Any, str, str, bool]]:
    """Each element that shows text, with its colours as inherited."""
    look = _look(element.get("style") or "")
    front = look.front or front
    back = look.back or _hex(element.get("bgcolor") or "") or back
    size = size if look.size is None else look.size
    if element.tag in ("b", "strong", "h1", "h2", "h3", "th"):
        weight = 700
    weight = look.weight or weight
    hidden = hidden or look.hidden
    if not hidden and size >= 4 and (element.text or "").strip():  # MJML's cells have size 0, what is in them its own
        yield element, front, back, size >= 24 or (size >= 18.66 and weight >= 700)
    for child in element.iterchildren():
        if isinstance(child.tag, str) and child.tag not in ("style", "script", "title", "img"):
            yield from _painted(child, front, back, hidden, size, weight)


class _Look(NamedTuple):
    front: str
    back: str
    size: float | None
    weight: int
    hidden: bool


@lru_cache(maxsize=1024)
def _look(style: str) -> _Look:
    """What a style attribute says about being seen. The same few hundred stand in every mail."""
    parts = (part.partition(":") for part in style.lower().split(";"))
    found = {name.strip(): value.strip() for name, _, value in parts}
    pixels = re.fullmatch(r"([\d.]+)px", found.get("font-size", ""))
    weight = found.get("font-weight", "")
    return _Look(
        _hex(found.get("color", "")),
        _hex(found.get("background-color", "")) or _hex(found.get("background", "")),
        float(pixels[1]) if pixels else None,
        int(weight) if weight.isdigit() else {"bold": 700, "normal": 400}.get(weight, 0),
        found.get("display") == "none" or "mso-hide" in found or "clip" in found,
    )


@lru_cache(maxsize=256)
def _hex(value: str) -> str:
    match = re.match(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", value.strip().lower())
    if not match:
        return {"white": "#ffffff", "black": "#000000"}.get(value.strip().lower(), "")
    digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
    return f"#{digits}"
