"""The words of an HTML mail, for the one who only reads text: in one pass, whatever the HTML is like."""

from __future__ import annotations

import html
import re

from newsletter.mail.quoting_words import FORWARDED

LONGEST = 1_000_000  # letters; more is cut
_DEEPEST_QUOTE = 5
_BLOCKS = re.compile(
    "address|article|aside|blockquote|body|center|d[dlt]|details|div|fieldset|figure|footer|form|h[1-6]|header|hr|html|"
    "li|main|nav|ol|p|pre|section|summary|table|tr|tbody|tfoot|thead|ul"
)
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
_UNSEEN = frozenset({"head", "noscript", "object", "script", "style", "template", "title"})
_TAG = re.compile(r"(/?)([A-Za-z][A-Za-z0-9:]{0,30})")
# Where Outlook and its web sisters put the message that is answered; our text carries the sign instead.
_ANSWERED = re.compile(
    r"\b(?:id|class)\s*=\s*[\"']?(?:x_)*(?:divRplyFwdMsg|appendonsend|OLK_SRC_BODY_SECTION|ms-outlook-mobile-reference-message|"
    r"reply-intro|mail-editor-reference-message-container|moz-forward-container)",
    re.IGNORECASE,
)
# A box that holds the introduction, and after it the quote; or the old message to its end.
_INTRODUCING = re.compile(
    r"\b(?:id|class)\s*=\s*[\"']?[^\"'>]{0,100}\b(?:gmail_quote|gmail_attr|moz-cite-prefix|protonmail_quote|tutanota_quote|"
    r"zmail_extra|hiri_quote)",
    re.IGNORECASE,
)
_HOLDING = re.compile(
    r"\b(?:id|class)\s*=\s*[\"']?[^\"'>]{0,100}\b(?:yahoo_quoted|yahoo_quoted_\d+|ymail_android_signature_quote|wmQuote|"
    r"isReplyContent|ntes-mailmaster-quote|mailru-blockquote|js-helper_quote)\b",
    re.IGNORECASE,
)
SEPARATOR = "-----Original Message-----"


def to_text(source: str) -> str:
    """Plain text of `source`: paragraphs and list items on their own lines, quotes behind `> `, no addresses of links.

    What mail programs put into boxes of their own (gmail_quote, divRplyFwdMsg, moz-cite-prefix, yahoo_quoted …) is
    marked as quoted too, so that no language need be known. A parser of the standard library took 55 s for 60 KB of
    `<a <a <a`; this looks at each letter once.
    """
    source = source[:LONGEST].replace("\0", "")
    lowered = source.lower() if len(source.lower()) == len(source) else source
    out = _Lines()
    at, end = 0, len(source)
    while at < end:
        start = source.find("<", at)
        if start < 0:
            out.words(source[at:])
            break
        out.words(source[at:start])
        if source.startswith("<!--", start):
            close = source.find("-->", start + 4)
            at = close + 3 if close >= 0 else end
            continue
        tag = _TAG.match(source, start + 1)
        if not tag and source[start + 1 : start + 2] not in ("!", "?", "/"):
            out.words("<")
            at = start + 1
            continue
        close = source.find(">", start)
        if close < 0:
            break
        at = close + 1
        if not tag:
            continue
        name = tag[2].lower()
        if name in _UNSEEN and not tag[1]:
            stop = lowered.find(f"</{name}", at)
            at = stop if stop >= 0 else end
            continue
        out.tag(name, bool(tag[1]), source[tag.end() : min(close, tag.end() + 300)])
    return out.text()


class _Lines:
    """Lines being written, with the depth of quotes around them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._depth = 0
        self._divs = 0
        self._box = 0  # depth of the div that holds an introduction or an old message; 0 = none
        self._holds = False
        self._gap = False

    def words(self, raw: str) -> None:
        if raw:
            self._line.append(raw)

    def tag(self, name: str, closing: bool, attributes: str) -> None:
        if name == "br":
            self._break(always=True)
        elif _BLOCKS.fullmatch(name):
            self._break()
            self._gap = self._gap or name in _PARAGRAPHS
            if name == "blockquote":
                self._depth = max(0, self._depth + (-1 if closing else 1))
                self._box = self._box if self._holds else 0  # the introduction ends where the quote begins
            elif name == "div":
                self._div(closing, attributes)
            elif name == "li" and not closing:
                self._line.append("- ")
        elif name in ("td", "th") and not closing:
            self._line.append(" ")
        if not closing and attributes and _ANSWERED.search(attributes):
            self._break()
            self._lines.append(SEPARATOR)

    def text(self) -> str:
        self._break()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")

    def _div(self, closing: bool, attributes: str) -> None:
        if closing:
            if self._divs == self._box:
                self._box, self._holds = 0, False
            self._divs = max(0, self._divs - 1)
            return
        self._divs += 1
        if not self._box and attributes and not self._depth:
            self._holds = bool(_HOLDING.search(attributes))
            self._box = self._divs if self._holds or _INTRODUCING.search(attributes) else 0

    def _break(self, always: bool = False) -> None:
        line = " ".join(html.unescape("".join(self._line)).split())
        self._line = []
        if not line and not always:
            return
        if self._box and not self._holds and line.strip("-_>: ").casefold() in FORWARDED:
            self._box = 0  # what somebody sends on stands in the same box, and is theirs to say
        quote = "> " * min(self._depth + bool(self._box), _DEEPEST_QUOTE)
        if self._gap and self._lines and self._lines[-1]:
            self._lines.append(quote.rstrip())
        self._gap = False
        self._lines.append(f"{quote}{line}".rstrip())
