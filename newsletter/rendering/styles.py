"""The only values that may enter MJML as they are: colours, sizes and plain keywords, each checked."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

NAMED = {"black", "white", "red", "green", "blue", "navy", "teal", "maroon", "purple", "gray", "grey", "silver"}
NAMED |= {"transparent", "orange", "yellow", "gold", "crimson", "indigo", "inherit"}


def css_color(value: Any) -> Markup:
    """`#rgb`, `#rrggbb` or a plain colour name, for a `color` attribute. Raises ValueError for anything else."""
    text = str(value).strip().lower()
    if re.fullmatch(r"#[0-9a-f]{3}", text):  # six digits: Outlook reads bgcolor="#abc" as another colour
        text = "#" + "".join(letter * 2 for letter in text[1:])
    if not re.fullmatch(r"#[0-9a-f]{6}", text) and text not in NAMED:
        raise ValueError(f"‘{value}’ is not a colour; write it as #rrggbb")
    return Markup(text)  # noqa: S704 - matched letter by letter above


def px(value: Any) -> Markup:
    """`600px` of 600 or "600px". Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,4})(?:px)?", str(value).strip(), re.ASCII)
    if not match:
        raise ValueError(f"‘{value}’ is not a number of pixels")
    return Markup(f"{match[1]}px")  # noqa: S704


def percent(value: Any) -> Markup:
    """`60%` of 60. Raises ValueError outside 1 to 100."""
    match = re.fullmatch(r"(\d{1,3})%?", str(value).strip(), re.ASCII)
    if not match or not 1 <= int(match[1]) <= 100:
        raise ValueError(f"‘{value}’ is not a percentage")
    return Markup(f"{match[1]}%")  # noqa: S704


def keyword(value: Any) -> Markup:
    """A word such as `left` or `callout-info` for an attribute that takes keywords. Raises ValueError."""
    text = str(value).strip().lower()
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", text):
        raise ValueError(f"‘{value}’ is not a keyword")
    return Markup(text)  # noqa: S704


def language(value: Any) -> Markup:
    """A BCP 47 tag such as `en-GB` for a `lang` attribute. Raises ValueError."""
    text = str(value).strip()
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", text):
        raise ValueError(f"‘{value}’ is not a language tag")
    return Markup(text)  # noqa: S704


FILTERS = {"css_color": css_color, "px": px, "percent": percent, "keyword": keyword}


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2, “relative luminance”)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
