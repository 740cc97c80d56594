"""Puts opaque texts back into the finished HTML, each escaped for the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from urllib.parse import quote, urlsplit

from newsletter.problems import Problem
from newsletter.rendering.model import Context, Hole, Mark, Piece
from newsletter.rendering.placeholders import Placeholders

SCHEMES = ("http", "https", "mailto", "tel")
_ADDRESSES = {"href", "src", "background", "action", "cite", "poster", "longdesc"}
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)')""")
_IN_STYLE = re.compile(r"[A-Za-z0-9:/._-]*")
# What may stand in an address as it is: RFC 3986's reserved and unreserved letters, and % of what is encoded already.
_KEPT = "%/:?#[]@!$&'()*+,;=~-._"


class Restorer:
    """Reads finished HTML once, turning tokens into text, holes and marks. Collects what must be refused."""

    def __init__(self, tokens: Placeholders) -> None:
        self.tokens = tokens
        self.problems: list[Problem] = []
        nonce = tokens.nonce
        self._any = re.compile(
            rf"<!--Zq{nonce}([oc])(\d+)qZ-->|(<[^<>]*Zq{nonce}[^<>]*>)|(Zq{nonce}[vl]\d{{4,}}qZ)", re.DOTALL
        )
        self._token = re.compile(rf"Zq{nonce}([vl])(\d{{4,}})qZ")

    def pieces(self, html: str) -> tuple[Piece, ...]:
        """The HTML as literal strings, holes and marks, neighbouring strings joined."""
        found: list[Piece] = []
        end = 0
        for match in self._any.finditer(html):
            found.append(html[end : match.start()])
            end = match.end()
            if match[1]:
                found.append(Mark(int(match[2]), opens=match[1] == "o"))
            elif match[3]:
                found += self._tag(match[3])
            else:
                found += self._restore(match[4], Context.HTML)
        return joined([*found, html[end:]])

    def _tag(self, tag: str) -> list[Piece]:
        found: list[Piece] = []
        end = 0
        for match in _ATTRIBUTE.finditer(tag):
            value = match[3] if match[3] is not None else match[4]
            if f"Zq{self.tokens.nonce}" not in value:
                continue
            found += [tag[end : match.start()], f'{match[1]}="']
            found += self._attribute(match[1].lower(), value)
            found.append('"')
            end = match.end()
        return [*found, tag[end:]]

    def _attribute(self, name: str, value: str) -> list[Piece]:
        if name in _ADDRESSES:
            return self._address(value)
        if name == "style":
            text = self.tokens.text_of(value)
            if not _IN_STYLE.fullmatch("".join(self.tokens.text_of(match[0]) for match in self._token.finditer(value))):
                message = "A plain value stands in a style attribute"
                self.problems.append(Problem("theme-fault", message, hint="Use a checked colour or size there."))
                return []
            return [escape(text)]
        return self._restore(value.replace('"', "&quot;"), Context.ATTRIBUTE)

    def _restore(self, text: str, context: Context) -> list[Piece]:
        """Literals of `text` escaped, slots as holes; the rest is HTML already."""
        found: list[Piece] = []
        end = 0
        for match in self._token.finditer(text):
            found.append(text[end : match.start()])
            end = match.end()
            whole = self.tokens.literals[int(match[2])] if match[1] == "l" else match[0]
            for piece in self.tokens.split(whole, context):
                found.append(escape(piece, quote=context is Context.ATTRIBUTE) if isinstance(piece, str) else piece)
        return [*found, text[end:]]

    def _address(self, value: str) -> list[Piece]:
        text = self.tokens.text_of(unescape(value)).strip()
        whole = address_pieces(self.tokens, text, Context.URL)
        if whole is None:
            message = f"The address ‘{text[:80]}’ cannot be a link"
            self.problems.append(Problem("unsafe-link", message, hint=f"Links start with {', '.join(SCHEMES)}."))
            return []
        return [escape(piece) if isinstance(piece, str) else piece for piece in whole]


def address_pieces(tokens: Placeholders, text: str, whole: Context) -> list[Piece] | None:
    """An address as percent-encoded text and holes, or None for a scheme that no link may have.

    A slot that stands first decides the scheme, so it is checked as a whole address; any other is encoded as a part.
    """
    pieces = tokens.split(text, Context.URL_PART)
    if pieces and isinstance(pieces[0], Hole):
        pieces[0] = Hole(pieces[0].slot, whole)
    elif not is_safe(pieces[0] if pieces and isinstance(pieces[0], str) else ""):
        return None
    return [clean(piece) if isinstance(piece, str) else piece for piece in pieces]


def is_safe(address: str) -> bool:
    """True for an address that may stand in a mail: a known scheme, a place in the page, or one of our pictures."""
    if re.fullmatch(r"cid:[0-9a-f]{64}@newsletter", address):
        return True
    squeezed = re.sub(r"[\x00-\x20\x7f]+", "", address)  # browsers skip them: "java\nscript:" is a scheme to them
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", squeezed)
    return scheme[1].lower() in SCHEMES if scheme else not squeezed.startswith("//")


def clean(address: str) -> str:
    """`address` in plain ASCII: blanks and other letters percent-encoded, a host with umlauts as its A-label."""
    if address.isascii() and " " not in address:
        return quote(address, safe=_KEPT)
    try:
        host = urlsplit(address).hostname or ""
        if host and not host.isascii():
            address = address.replace(urlsplit(address).netloc, urlsplit(address).netloc.encode("idna").decode(), 1)
    except (ValueError, UnicodeError):
        pass
    return quote(address, safe=_KEPT)


def links(html: str, tokens: Placeholders) -> list[tuple[Piece, ...]]:
    """Every address that a link of the finished HTML leads to, once each, as the text part writes it."""
    found: dict[tuple[Piece, ...], None] = {}
    for match in re.finditer(r"""<a\b[^<>]*?\shref\s*=\s*(?:"([^"]*)"|'([^']*)')""", html):
        text = tokens.text_of(unescape(match[1] if match[1] is not None else match[2])).strip()
        pieces = address_pieces(tokens, text, Context.PLAIN_URL)
        if pieces and not text.startswith("#"):
            found[tuple(pieces)] = None
    return list(found)


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Pieces without empty strings, neighbouring strings joined."""
    found: list[Piece] = []
    strings: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            strings.append(piece)
            continue
        if any(strings):
            found.append("".join(strings))
        strings.clear()
        found.append(piece)
    if any(strings):
        found.append("".join(strings))
    return tuple(found)
