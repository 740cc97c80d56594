"""Runs MJML and the inliner, with every known trap closed, and nothing fetched from anywhere."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, ClassVar

from newsletter.rendering.templating import broken
from newsletter.rendering.themes import Theme

_DOCTYPE = re.compile(r"\A\s*(<!doctype[^>]*>)\s*", re.IGNORECASE)
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


def compile_mjml(theme: Theme, source: str, nonce: str) -> str:
    """HTML of an MJML document. Raises NewsletterError(theme-fault) for what the engine cannot take.

    The text of paragraphs is not in the source (placeholders.html), so that a preview compiles MJML only when the
    shape of the mail changes; the nonce, which is another one after each change, is left out of the question.
    """
    try:
        return _compiled(source.replace(f"Zq{nonce}", "Zq--------")).replace("Zq--------", f"Zq{nonce}")
    except _Trap as trap:
        raise broken(theme, *trap.args) from trap
    except (AssertionError, TypeError, ValueError, KeyError, AttributeError, NotImplementedError, IndexError) as error:
        hint = "Look at the attributes used last; docs/reference/theme-format.md lists what it cannot take."
        raise broken(theme, f"MJML cannot make sense of it: {error or type(error).__name__}", hint) from error


class _Trap(Exception):
    """An input on which the engine is known to stop, or that would load something: what, and what to do."""


@lru_cache(maxsize=32)
def _compiled(source: str) -> str:
    for pattern, message, hint in _TRAPS:
        if re.search(pattern, source, re.IGNORECASE):
            raise _Trap(message, hint)
    # The same mj-all, mj-class or element twice in mj-attributes is an AssertionError in the engine.
    for attributes in re.findall(r"<mj-attributes>(.*?)</mj-attributes>", source, re.DOTALL):
        found = re.findall(r"""<(mj-class\s[^>]*?name\s*=\s*["'][^"']+|mj-[a-z-]+(?=[\s/>]))""", attributes)
        names = [re.sub(r"""mj-class.*name\s*=\s*["']""", "mj-class ", name, flags=re.DOTALL) for name in found]
        for name in names:
            if names.count(name) > 1:
                raise _Trap(f"mj-attributes names {name} twice", "Put its attributes together.")
    # 1.0.0a1 validates with line numbers, 0.12 has no such switch. Validation costs a tenth of the time and would
    # report every token that stands for a colour; the tests of the themes ask for it.
    html = str(_engine()(source, **_options()).html)
    if re.search(r"<link\b|@import\b", html):
        hint = "Set system fonts: <mj-attributes><mj-all font-family=…>; MJML's own default is a web font."
        raise _Trap("The mail would load a font from another server", hint)
    return html


@cache
def _engine() -> Any:
    try:
        with _standing_in("bs4", BeautifulSoup=_beautiful_soup):
            from mjml import mjml_to_html
    except ImportError:  # 0.12 asks for more of bs4
        from mjml import mjml_to_html
    from mjml.helpers import skeleton

    # The port compiles the template of its outer page anew for every mail: a tenth of the time, always the same text.
    vars(skeleton)["Template"] = cache(vars(skeleton)["Template"])
    return mjml_to_html


@cache
def _options() -> dict[str, str]:
    from inspect import signature

    return {"validation_level": "skip"} if "validation_level" in signature(_engine()).parameters else {}


def inline(html: str, css: str, finish: Callable[[Any], None] = lambda root: None) -> str:
    """`html` with the rules of `css` written into style attributes; `finish` then works on the parsed document.

    MJML's own styles are left alone (`data-premailer="ignore"`): premailer would strip `!important` inside @media,
    so that columns never stand side by side. The doctype is kept outside, because a lower-case one is dropped.
    """
    from lxml import etree

    match = _DOCTYPE.match(html)
    doctype, body = (match[1], html[match.end() :]) if match else ("<!doctype html>", html)
    root = etree.fromstring(body.strip(), etree.HTMLParser())
    if css.strip():
        for style in root.iter("style"):
            style.set("data-premailer", "ignore")
        inliner = _inliner(css)
        inliner.names = {name for element in root.iter(etree.Element) for name in _names_of(element)}
        inliner.transform(root)
        for style in root.iter("style"):
            style.attrib.pop("data-premailer", None)
    finish(root)
    return f"{doctype}\n{etree.tostring(root, method='html', encoding='unicode')}"


def _inliner(css: str) -> Any:
    return _premailer()(
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
    )


@cache
def _premailer() -> Any:
    """The inliner's class with its parsing cached: a preview inlines the same rules at every keystroke."""
    # One cache of 128 entries for selectors and style attributes together would be thrashed by one mail.
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "4096")
    with _standing_in("requests"):
        import cssutils
        import cssutils.util
        from premailer import Premailer

    cssutils.log.setLevel(logging.CRITICAL)  # "Unknown Property name mso-…" on standard error
    # @import is fetched by cssutils even with allow_network=False (seen on a loopback server).
    cssutils.util._defaultFetcher = lambda url: (None, b"")

    class Inliner(Premailer):  # type: ignore[misc]
        _parsed: ClassVar[dict[tuple[str, int], Any]] = {}
        names: set[str]  # every class of the document, and every value of dir

        def _parse_style_rules(self, css_body: str, ruleset_index: int) -> Any:
            key = (css_body, ruleset_index)
            if key not in self._parsed:
                if len(self._parsed) > 32:  # themes change seldom; somebody who edits CSS all day must not fill memory
                    self._parsed.clear()
                self._parsed[key] = super()._parse_style_rules(css_body, ruleset_index)
            rules, leftover = self._parsed[key]
            # Each rule walks the whole document: two of three are for scripts and blocks that this mail does not have.
            return [rule for rule in rules if _needs(rule[1]) <= self.names], list(leftover)

    return Inliner


def _names_of(element: Any) -> list[str]:
    classes = (element.get("class") or "").split()
    return [f'[dir="{element.get("dir")}"]', *(f".{name}" for name in classes)]


@lru_cache(maxsize=1024)
def _needs(selector: str) -> frozenset[str]:
    """The classes and directions without which a selector finds nothing; none where it is not that plain."""
    if set(selector) & set("\\("):
        return frozenset()
    directions = re.findall(r'\[dir="\w+"\]', selector)
    return frozenset([*directions, *re.findall(r"\.[\w-]+", re.sub(r"\[[^\]]*\]", "", selector))])


@contextmanager
def _standing_in(name: str, **what: Any) -> Iterator[None]:
    """While something is imported, an almost empty module stands in for `name`, which it needs only for what we never
    ask: `requests` (95 of premailer's 285 ms) fetches style sheets, `bs4` (315 of mjml's 430 ms) is for
    mj-html-attributes. So there is also nothing left that could fetch.
    """
    real = sys.modules.get(name)
    if real is None:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(what)
    try:
        yield
    finally:
        if real is None:
            del sys.modules[name]


def _beautiful_soup(*words: Any, **more: Any) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(*words, **more)
