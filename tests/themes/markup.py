"""Reads a mail's HTML as a browser does, and as Outlook on Windows does with its conditional comments."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import lxml.html
from lxml.html import HtmlElement

VOID = {"br", "img", "hr", "meta", "link", "input", "col", "wbr"}


def body(html: str) -> HtmlElement:
    """The body as a browser builds it; conditional comments are comments."""
    return lxml.html.document_fromstring(html).find("body")


def styles(element: HtmlElement) -> dict[str, str]:
    """The declarations of an element's style attribute."""
    pairs = (part.split(":", 1) for part in element.get("style", "").split(";") if ":" in part)
    return {name.strip(): value.strip() for name, value in pairs}


def inherited(element: HtmlElement, name: str) -> str:
    """The value that `element` has or inherits from style attributes, "" where there is none."""
    for one in (element, *element.iterancestors()):
        if name in styles(one):
            return styles(one)[name]
    return ""


def with_own_text(html: str) -> list[HtmlElement]:
    """Every element of the body that holds words itself, the hidden preheader left out."""
    found = []
    for element in body(html).iter():
        if not isinstance(element.tag, str) or "mso-hide" in element.get("style", ""):
            continue
        if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
            found.append(element)
    return found


def for_outlook(html: str) -> str:
    """The HTML as Outlook on Windows reads it: what is written for it alone comes out, what is not for it goes."""
    html = re.sub(r"<!--\[if !mso\]><!-->.*?<!--<!\[endif\]-->", "", html, flags=re.DOTALL)
    html = re.sub(r"<!--\[if lte mso 11\]>.*?<!\[endif\]-->", "", html, flags=re.DOTALL)
    return re.sub(r"<!--\[if (?:mso|mso \| IE)\]>(.*?)<!\[endif\]-->", r"\1", html, flags=re.DOTALL)


class _Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at line {self.getpos()[0]}")


def nesting_faults(html: str) -> list[str]:
    """Every end tag that does not close the element opened last, and what is never closed."""
    reader = _Nesting()
    reader.feed(html)
    return [*reader.faults, *(f"<{tag}> is never closed" for tag in reader.open)]
