"""Checks of links and pictures: words that say where a link goes, addresses that live, descriptions that describe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.config import Config
from newsletter.content import model as content
from newsletter.content.model import Issue, marker_pattern
from newsletter.problems import Problem, Severity
from newsletter.rendering import finding_places as places
from newsletter.rendering.model import Rendered

HEAVIEST = 1024 * 1024  # bytes of all pictures of one mail
WARNING, NOTE = Severity.WARNING, Severity.NOTE
# A screen reader lists links without the text around them.
_VAGUE = set(
    """here;click here;click;read more;more;more info;more information;link;this link;learn more;find out more;this
    this page;website;our website;on our website;see more;details;go;download;yma;cliciwch yma;mwy;darllen mwy
    هنا;اضغط هنا;انقر هنا;المزيد;یہاں;یہاں کلک کریں;مزید""".replace("\n    ", ";").split(";")
)
_ENDS_VAGUE = re.compile(r"\b(?:here|yma)$|(?:^|\s)(?:هنا|یہاں)$", re.IGNORECASE)
_THIS_COMPUTER = re.compile(r"localhost|127\.[\d.]+|0\.0\.0\.0|::1|.*\.local(?:host)?")
_SHORTENERS = {"bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "rb.gy", "cutt.ly"}
_AUTOMATIC = re.compile(
    r"\.(?:png|jpe?g|gif|webp)$|^(?:img|dsc|dscf|image|picture|photo|screenshot|untitled|hero|banner|logo)[ _-]?\d*$"
    r"|^(?:image|picture|photo|graphic) (?:of|may contain)\b|^[\w-]*\d{4,}[\w-]*$",
    re.IGNORECASE,
)


def links(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Vague words, addresses that only work on this computer, shorteners, two meanings of one text."""
    goes: dict[str, str] = {}
    for link in places.links(issue):
        label = " ".join(marker_pattern(issue.nonce).sub("…", link.label).split())
        label = re.sub(r" \((?:PDF|CSV|TXT|ICS), [^)]*\)$", "", label)  # content adds type and size of a file
        words = label.strip(" .:…!»›>→").casefold()
        where = places.where(issue, link.label, link.line, link.file)
        if words in _VAGUE or _ENDS_VAGUE.search(words):
            hint = "Say where it goes: [how to apply for a review](…). People who listen hear links one by one."
            yield Problem("vague-link", f"The link text “{label}” does not say where it goes", hint, where, WARNING)
        elif words in goes and goes[words] != link.href:
            hint = "Give different pages different words."
            yield Problem("same-words-two-links", f"“{label}” leads to two different pages", hint, where, WARNING)
        goes.setdefault(words, link.href)
        yield from _address(issue, link)


def _address(issue: Issue, link: places.Link) -> Iterator[Problem]:
    where = places.where(issue, link.href, link.line, link.file)
    host = (_host(link.href) or "").lower()
    if _THIS_COMPUTER.fullmatch(host):
        hint = "Nobody else can open it: write the public address."
        yield Problem("link-to-this-computer", f"{link.href} works only on this computer", hint, where)
    elif host in _SHORTENERS:
        hint = "Filters distrust shortened links, and people cannot see where they go."
        yield Problem("shortened-link", f"{host} hides where the link goes", hint, where, WARNING)
    elif link.href.lower().startswith("http://"):
        hint = "Write https:// if the site has it; most do."
        yield Problem("link-without-https", f"{link.href} is not protected", hint, where, NOTE)


def _host(href: str) -> str | None:
    try:
        return urlsplit(href).hostname
    except ValueError:
        return None


def pictures(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Descriptions that a program wrote, and the weight of all pictures together."""
    nodes = [node for node in issue.walk() if isinstance(node, content.Picture)]
    nodes += [node.picture for node in issue.walk() if isinstance(node, content.Card) and node.picture]
    if issue.front.hero:
        nodes.append(issue.front.hero)
    for node in nodes:
        if node.alt and _AUTOMATIC.search(node.alt.strip()):
            hint = 'Say what the picture tells, or write alt="" when it only decorates.'
            where = places.where(issue, node.alt, node.line, node.file)
            yield Problem("automatic-alt", f"“{node.alt}” does not describe the picture", hint, where, WARNING)
    weight = sum(len(asset.data) for asset in rendered.assets if asset.content_type.startswith("image/"))
    if weight > HEAVIEST:
        size = f"{weight / 1024 / 1024:.1f} MB"
        hint = "Leave some out, or save photographs as JPEG: 1 MB together is a good limit."
        yield Problem("pictures-heavy", f"The pictures weigh {size} together", hint, None, WARNING)
