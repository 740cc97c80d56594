"""HTML of strangers, made safe to show: an allow-list, no picture is fetched, every link says its real host."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna
import nh3

MOST_LETTERS = 1_000_000
MOST_TAGS = 2_000  # real mail has under 1,500; 100,000 nested <div> took the cleaner more than 20 s
# Beyond these the cleaner is quadratic: 900,000 `&` took it 24 s, 60,000 attributes in one tag 3 s, 200,000 ends of
# tags that were never opened 3 s. At these numbers each is under 0.2 s.
_MOST_MARKS, _MOST_ESCAPES, _LONGEST_TAG = 8_000, 40_000, 20_000
_OPEN_TAG = re.compile(r"<[A-Za-z]")
_LONG_TAG = re.compile(rf"""<[A-Za-z](?>=\s*"[^"]*"|=\s*'[^']*'|[^>]){{{_LONGEST_TAG}}}""")
_INLINE_PICTURE = re.compile(r"data:image/[^\"'<>\s]{500,}", re.IGNORECASE)  # letters of a picture, not of a tag

_TAGS = set(
    "a abbr b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn div dl "  # noqa: SIM905
    "dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp "
    "small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr".split()
)
# Dropped with what is in them; of other unknown tags the words stay, for they may be what the person wrote.
_WITH_CONTENT = {
    "applet", "audio", "canvas", "embed", "frameset", "iframe", "math", "noembed", "noframes", "noscript", "object",
    "script", "style", "svg", "template", "title", "video", "xmp",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"dir", "lang"},
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_VALUES = {
    "dir": re.compile(r"(?:ltr|rtl|auto)\Z", re.IGNORECASE),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}\Z"),
    "start": re.compile(r"\d{1,4}\Z"),
    "colspan": re.compile(r"\d{1,2}\Z"),
    "rowspan": re.compile(r"\d{1,2}\Z"),
}
_SCHEMES = {"http", "https", "mailto", "tel"}
# The cleaner writes every attribute in double quotes with `"` escaped, and no `<` of its own in text.
_ATTRIBUTE_LIST = r'((?:\s+[\w-]+="[^"]*")*)\s*/?'
_IMG = re.compile(rf"<img{_ATTRIBUTE_LIST}>")
_A = re.compile(rf"<a{_ATTRIBUTE_LIST}>(.*?)</a>", re.DOTALL)
_ONE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True)
class Cleaned:
    """`html` is safe to put into a page ("" = show the text instead); `blocked` counts the remote pictures."""

    html: str = ""
    blocked: int = 0
    why_not: str = ""  # why only the text is shown, in words


def clean(source: str) -> Cleaned:
    """The HTML of a mail without anything that runs, fetches, submits or covers. Never raises.

    Every picture becomes a label; remote ones are counted. A link keeps its words, is followed by the host that it
    really leads to, and opens without telling where from. Over 1 MB or 2,000 tags nothing is shown but the text.
    """
    if not source.strip():
        return Cleaned()
    source = _INLINE_PICTURE.sub("data:", source[: MOST_LETTERS * 20])
    if too_much := _too_much(source):
        return Cleaned(why_not=too_much)
    cleaned = nh3.clean(
        source,
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_value,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    blocked = 0

    def picture(found: re.Match[str]) -> str:
        nonlocal blocked
        attributes = _attributes(found[1])
        remote = bool(attributes.get("src"))
        blocked += remote
        name = " ".join(attributes.get("alt", "").split())[:120]
        label = ("picture not loaded" if remote else "picture") + (f": {name}" if name else "")
        return f'<span class="blocked-picture">[{html.escape(label)}]</span>'

    shown = _A.sub(_link, _IMG.sub(picture, cleaned))
    return Cleaned(shown.strip(), blocked) if re.search(r"\S", re.sub(r"<[^>]*>", "", shown)) else Cleaned()


def _too_much(source: str) -> str:
    """Why this HTML is left alone, in words; "" = it can be cleaned in moments."""
    if len(source) > MOST_LETTERS:
        return "larger than 1 MB"
    if sum(1 for _ in _OPEN_TAG.finditer(source)) > MOST_TAGS or source.count("<") > _MOST_MARKS:
        return "more than 2,000 tags"
    if source.count("&") > _MOST_ESCAPES or _LONG_TAG.search(source):
        return "not like HTML that mail programs write"
    return ""


def _value(tag: str, attribute: str, value: str) -> str | None:
    """What an attribute may say; None takes it out."""
    if attribute == "href":
        return _address(value)
    if attribute == "src":  # only to tell remote pictures from those inside the mail; none is ever shown
        return value[:500] if re.match(r"\s*(?:https?:)?[\\/]{2}", value, re.IGNORECASE) else None
    if attribute == "alt":
        return value[:500]
    known = _VALUES.get(attribute)
    if known is None:
        return value if attribute in ("rel", "target") else None
    return value if known.match(value) else None


def _address(value: str) -> str | None:
    """A link that leads where it says. One with a user name, a backslash or control characters hides its host."""
    value = value.strip()
    if len(value) > 4000 or re.search(r"[\x00-\x20\x7f-\x9f\\\u200e\u200f\u202a-\u202e\u2066-\u2069]", value):
        return None
    if re.match(r"(?:mailto|tel):[^\s]", value, re.IGNORECASE):
        return value
    if not re.match(r"https?://[^/?#@\s]", value, re.IGNORECASE):
        return None
    return value if host_of(value) else None


def host_of(address: str) -> str:
    """The host of a web address as a name server sees it (`xn--…`); "" where it cannot be told."""
    try:
        parts = urlsplit(address)
        if "@" in parts.netloc:
            return ""
        host = (parts.hostname or "").rstrip(".")
        return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except ValueError:  # and its children: idna.IDNAError, UnicodeError
        return ""


def _attributes(written: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _ONE.findall(written)}


def _link(found: re.Match[str]) -> str:
    address = _attributes(found[1]).get("href", "")
    if not address:
        return found[2]
    scheme, _, rest = address.partition(":")
    real = host_of(address) if scheme.lower() in ("http", "https") else rest.split("?")[0][:200]
    if not real or html.unescape(re.sub(r"<[^>]*>", "", found[2])).strip() in (real, address):
        return found[0]
    return f'{found[0]} <bdi class="real-host" dir="ltr">[{html.escape(real)}]</bdi>'
