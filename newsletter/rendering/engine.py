"""Runs MJML and the inliner, with every known trap closed, and nothing fetched from anywhere."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any

from newsletter.rendering.templating import broken
from newsletter.rendering.themes import Theme

_DOCTYPE = re.compile(r"\A\s*(<!doctype[^>]*>)\s*", re.IGNORECASE)
_STYLE = re.compile(r"<style(?=[\s>])(?![^>]*data-premailer)")
_FONTS = "Open Sans|Droid Sans|Lato|Roboto|Ubuntu"
# The inputs on which mjml 1.0.0a1 (and 0.12.0) ends in an AssertionError or TypeError, and what loads from elsewhere.
_TRAPS = (
    (r"<mj-include\b", "mj-include is not used here", "Write {% include %} instead."),
    (r"<link\b[^>]*stylesheet|@import\b", "A style sheet from elsewhere is loaded", "Nothing may be fetched."),
    (
        rf"""(?:font-family\s*[:=]|<mj-font\b[^>]*name\s*=)[^;>]*\b(?:{_FONTS})\b""",
        "A web font is named",
        f"MJML would load it from another server: {_FONTS.replace('|', ', ')}. Use system fonts.",
    ),
    (r"<mj-column\b[^>]*inner-border\s*=", "inner-border on mj-column stops the engine", "Use border."),
    (
        r"""<mj-hero\b(?![^>]*background-width)|<mj-hero\b(?![^>]*background-height)""",
        "mj-hero needs background-width and background-height",
        "",
    ),
    (r"""padding(?:-\w+)?\s*=\s*["'][^"']*auto""", "padding cannot be auto", "Write numbers, such as 0 24px."),
    (r"<!\[if", "The old form <![if …]> is damaged by the inliner", "Write <!--[if !mso]><!--> … <!--<![endif]-->."),
    (r"""position\s*=\s*["']file-start""", "mj-raw position=file-start is not used here", ""),
)


def with_style(source: str, css: str) -> str:
    """The MJML with `css` as the last mj-style of its head, kept as it is in the mail."""
    return source.replace("</mj-head>", f"<mj-style>{css}</mj-style></mj-head>", 1) if css.strip() else source


def compile_mjml(theme: Theme, source: str) -> str:
    """HTML of an MJML document. Raises NewsletterError(theme-fault) for what the engine cannot take."""
    for pattern, message, hint in _TRAPS:
        if re.search(pattern, source, re.IGNORECASE):
            raise broken(theme, message, hint)
    _twice(theme, source)
    try:
        # 1.0.0a1 validates with line numbers, 0.12 has no such switch. Validation costs a tenth of the time and
        # would report every token in a colour; the theme's own tests ask for it (`validate`).
        html = str(_engine()(source, **_options()).html)
    except (AssertionError, TypeError, ValueError, KeyError, AttributeError, NotImplementedError, IndexError) as error:
        hint = "Look at the attributes used last; docs/reference/theme-format.md lists what it cannot take."
        raise broken(theme, f"MJML cannot make sense of it: {error or type(error).__name__}", hint) from error
    if re.search(r"<link\b|@import\b", html):
        hint = "Set system fonts: <mj-attributes><mj-all font-family=…>; MJML's own default is a web font."
        raise broken(theme, "The mail would load a font from another server", hint)
    return html


@cache
def _engine() -> Any:
    from mjml import mjml_to_html

    return mjml_to_html


@cache
def _options() -> dict[str, str]:
    from inspect import signature

    return {"validation_level": "skip"} if "validation_level" in signature(_engine()).parameters else {}


def _twice(theme: Theme, source: str) -> None:
    """The same mj-all, mj-class or element twice in mj-attributes is an AssertionError in the engine."""
    for attributes in re.findall(r"<mj-attributes>(.*?)</mj-attributes>", source, re.DOTALL):
        found = re.findall(r"""<(mj-class\s[^>]*?name\s*=\s*["'][^"']+|mj-[a-z-]+(?=[\s/>]))""", attributes)
        names = [re.sub(r"""mj-class.*name\s*=\s*["']""", "mj-class ", name, flags=re.DOTALL) for name in found]
        for name in names:
            if names.count(name) > 1:
                raise broken(theme, f"mj-attributes names {name} twice", "Put its attributes together.")


def inline(html: str, css: str) -> str:
    """`html` with the rules of `css` written into style attributes.

    MJML's own styles are left alone (`data-premailer="ignore"`): premailer would strip `!important` inside @media,
    so that columns never stand side by side. The doctype is kept outside, because a lower-case one is dropped.
    """
    match = _DOCTYPE.match(html)
    doctype, body = (match[1], html[match.end() :]) if match else ("<!doctype html>", html)
    if not css.strip():
        return f"{doctype}\n{body}"
    premailer = _premailer()
    body = _STYLE.sub('<style data-premailer="ignore"', body)
    result = premailer(
        body,
        css_text=css,
        disable_leftover_css=True,
        keep_style_tags=True,
        strip_important=False,
        allow_network=False,
        allow_loading_external_files=False,
        disable_link_rewrites=True,
        preserve_internal_links=True,
        align_floating_images=False,
        remove_unset_properties=False,
        disable_validation=True,
        cssutils_logging_level=logging.CRITICAL,
        disable_basic_attributes=["width", "height", "align", "valign", "bgcolor"],
    ).transform(pretty_print=False)
    return f"{doctype}\n{result}".replace(' data-premailer="ignore"', "")


@cache
def _premailer() -> Any:
    import cssutils
    import cssutils.util
    from premailer import Premailer

    cssutils.log.setLevel(logging.CRITICAL)  # "Unknown Property name mso-…" on standard error
    # @import is fetched by cssutils even with allow_network=False (seen on a loopback server).
    cssutils.util._defaultFetcher = lambda url: (None, b"")
    return Premailer
