"""Takes the pictures of both themes anew: `python -m docs.pictures.make` from the repository, with a Chromium.

Each is a mail as one person gets it, in a width and in one of the ways in which mail apps show it.
`python -m docs.pictures.make readme` takes only the one of the README.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, sync_playwright

from tests.browser import looking
from tests.browsing import find_chromium
from tests.themes import mails

HERE = Path(__file__).parent
WAYS = ("light", "dark", "forced", "no-pictures", "no-styles")
SEEDS = {"alert": "asb", "letter": "winter-letter"}
MORE = (("alert", "galwadau", "welsh"), ("alert", "ghar-ki", "urdu"))
TALLEST = 2600  # CSS pixels; a letter goes on below, but a picture of 6,000 pixels helps nobody
LARGEST = 150_000  # bytes of one picture


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"])
        readme(browser)
        if "readme" not in sys.argv:
            for theme, issue in SEEDS.items():
                for width in (320, 600):
                    for way in WAYS:
                        save(taken(browser, mails.mail(theme, issue).viewable, width, way), f"{theme}-{width}-{way}")
            for theme, issue, name in MORE:
                for way in ("light", "dark"):
                    save(taken(browser, mails.mail(theme, issue).viewable, 320, way), f"{name}-320-{way}")
        browser.close()


def taken(browser: Browser, html: str, width: int, way: str, scale: float = 1, start: str = "body") -> Image.Image:
    """A mail from the element `start` on, at most TALLEST CSS pixels of it."""
    with looking.looking(browser, html, width, way, scale) as page:
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        top = round((page.locator(start).first.bounding_box() or {"y": 0})["y"] * scale)
        top = max(0, top - round(24 * scale))
    return picture.crop((0, top, picture.width, min(picture.height, top + round(TALLEST * scale))))


def save(picture: Image.Image, name: str) -> None:
    """As a PNG with few colours: fewer still where it would be larger than a page should carry."""
    for colours in (256, 128, 64, 32):
        file = io.BytesIO()
        # Maximum coverage keeps the few colours of a button or a link true; the default merges them into the greys.
        few = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() <= LARGEST:
            break
    (HERE / f"{name}.png").write_bytes(file.getvalue())
    print(f"{name}.png  {picture.width} × {picture.height}  {file.tell() / 1000:.0f} KB")


def readme(browser: Browser) -> None:
    """The seed on a phone, its end on a phone in the dark, and on a desktop, side by side."""
    html, tall = mails.mail("alert", "asb").viewable, 1040
    # Taken twice as large and halved: at a broken scale alone a hair of the page would show between two sections.
    light = halved(taken(browser, html, 340, "light", 2.5))
    dark = halved(taken(browser, html, 340, "dark", 2.5, start="h2:has-text('ASB Harmony')"))
    desktop = halved(taken(browser, html, 660, "light", 2.2))
    canvas = Image.new("RGB", (1800, tall + 100), "#dfe7ea")
    left = 56
    for picture, radius, edge, bezel in (
        (light, 36, 10, "#22303a"),
        (dark, 36, 10, "#22303a"),
        (desktop, 14, 2, "#9fb1b9"),
    ):
        shown = picture.crop((0, 0, picture.width, tall - 2 * edge))
        framed = Image.new("RGB", (shown.width + 2 * edge, tall), bezel)
        framed.paste(shown, (edge, edge), rounded(shown.size, radius - edge))
        canvas.paste(framed, (left, 50), rounded(framed.size, radius))
        left += framed.width + 34
    save(canvas, "readme")


def halved(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


def rounded(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask with round corners, drawn four times as large so that the corners are smooth."""
    mask = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * 4 - 1, size[1] * 4 - 1), max(radius, 2) * 4, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
