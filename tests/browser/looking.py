"""Looks at a mail as people do: at a width, in a colour scheme, with or without pictures and style sheets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from newsletter.rendering.styles import contrast
from tests.themes import mails

# The ways of looking. `forced` is Chromium's own darkening, a fair likeness of Outlook.com and Android;
# `inverted` turns everything round, as Gmail on iOS and Outlook on Windows do. Both know nothing of our dark rules,
# and the second has thrown every style sheet away.
# `outlook-app` sets the marks by which Outlook.com and its apps let a mail keep its own dark colours.
WAYS = ("light", "dark", "outlook-app", "forced", "inverted", "high-contrast", "no-styles", "no-pictures")


@contextmanager
def looking(browser: Browser, html: str, width: int, way: str = "light", scale: float = 1) -> Iterator[Page]:
    """`html` on a page of `width` CSS pixels. Nothing outside the page is fetched, whatever it asks for."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        device_scale_factor=scale,
        color_scheme="dark" if way == "dark" else "light",
        forced_colors="active" if way == "high-contrast" else "none",
    )
    page = context.new_page()
    page.route("**/*", lambda route: route.abort())
    if way == "forced":
        context.new_cdp_session(page).send("Emulation.setAutoDarkModeOverride", {"enabled": True})
    page.set_content(seen_as(html, way))
    if way == "inverted":
        page.add_style_tag(
            content="html{background:#fff;filter:invert(1) hue-rotate(180deg)}img{filter:invert(1) hue-rotate(180deg)}"
        )
    try:
        yield page
    finally:
        context.close()


def seen_as(html: str, way: str) -> str:
    """What is left of `html` when an app of that kind has had it."""
    if way == "forced":
        return mails.unaware_of_dark(html)
    if way == "inverted":
        return mails.without_styles(mails.unaware_of_dark(html))
    if way == "no-styles":
        return mails.without_styles(html)
    if way == "outlook-app":
        return html.replace("<html ", '<html data-ogsc="" data-ogsb="" ', 1)
    if way == "no-pictures":
        return html.replace("data:image", "about:image")
    return html


def scroll_width(page: Page) -> int:
    """Width of all there is, in CSS pixels; more than the window's means sideways scrolling."""
    return int(page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"))


@dataclass(frozen=True)
class Seen:
    """A piece of text as it was painted. `ratio` is the WCAG contrast of its pixels."""

    text: str
    ratio: float
    size: float
    bold: bool

    @property
    def needed(self) -> float:
        """WCAG 1.4.3: 3 for large text (24 px, or 18.66 px bold), else 4.5."""
        return 3 if self.size >= 24 or (self.bold and self.size >= 18.66) else 4.5


_TEXTS = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    if (!node.data.trim()) continue;
    const style = getComputedStyle(node.parentElement), range = document.createRange();
    let hidden = false;
    for (let up = node.parentElement; up; up = up.parentElement) hidden ||= getComputedStyle(up).opacity === '0';
    if (hidden || style.visibility === 'hidden') continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 2 && box.height > 2)
        found.push({text: node.data.trim(), x: box.x + scrollX, y: box.y + scrollY, w: box.width, h: box.height,
                    size: parseFloat(style.fontSize), bold: parseInt(style.fontWeight) >= 700});
  }
  return found;
}"""


def texts_as_painted(page: Page, scale: float) -> list[Seen]:
    """Every piece of text on the page with the contrast of the pixels it was painted with.

    Computed style knows nothing of a forced inversion, so the picture is what counts: the commonest colour of the
    text's box is its background, the one furthest from it among the next commonest its ink.
    """
    boxes = page.evaluate(_TEXTS)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    return [_seen(picture, box, scale) for box in boxes]


def _seen(picture: Image.Image, box: dict[str, Any], scale: float) -> Seen:
    left, top = round(box["x"] * scale), round(box["y"] * scale)
    right, bottom = round((box["x"] + box["w"]) * scale), round((box["y"] + box["h"]) * scale)
    box_of = picture.crop((left, top, right, bottom))
    colours = box_of.getcolors(box_of.width * box_of.height) or []
    counted = [_hex(colour) for count, colour in nlargest(12, colours) if count >= 3]
    ratio = max((contrast(counted[0], colour) for colour in counted), default=1.0)
    return Seen(box["text"][:60], ratio, box["size"], box["bold"])


def _hex(colour: Any) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
