"""Writes Markdown as HTML for mail, with every text and address that is not plain letters kept opaque."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markdown_it.token import Token
from markupsafe import Markup

from newsletter.rendering import languages, styles
from newsletter.rendering.placeholders import Placeholders

_NOT_PLAIN = re.compile(r"[&<>\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]")


@dataclass
class Writer:
    """Turns markdown-it tokens into HTML. `address` maps an href as written to the one that is sent."""

    tokens: Placeholders
    direction: str
    address: Callable[[str], str]

    def html(self, tokens: Iterable[Token]) -> Markup:
        """Block or inline tokens as HTML."""
        return Markup("".join(self._token(token) for token in tokens))  # noqa: S704

    def _token(self, token: Token) -> str:
        kind = token.type
        if kind == "inline":
            return "".join(self._token(child) for child in token.children or ())
        if kind == "text":
            return self.text(token.content)
        if kind == "softbreak":
            return "\n"
        if kind == "hardbreak":
            return "<br>"
        if kind == "code_inline":
            return f"<code>{self._opaque(token.content)}</code>"
        if kind in ("code_block", "fence"):
            return f"<pre><code>{self._opaque(token.content)}</code></pre>"
        if kind == "hr":
            return "<hr>"
        if token.hidden or not token.tag:
            return ""
        if token.nesting == -1:
            return f"</{token.tag}>"
        return f"<{token.tag}{self._attributes(token)}>"

    def text(self, text: str) -> str:
        """Running text. What holds `<`, `>` or `&` becomes a literal, so that no tool has a say in its escaping."""
        if self.direction == "rtl":
            parts, end = [], 0
            for match in languages.FOREIGN.finditer(text):
                if self.tokens.nonce in match[0]:
                    continue
                parts += [self._plain(text[end : match.start()]), f'<span dir="ltr">{self._plain(match[0])}</span>']
                end = match.end()
            return "".join([*parts, self._plain(text[end:])])
        return self._plain(text)

    def _plain(self, text: str) -> str:
        return self._opaque(text) if _NOT_PLAIN.search(text) else text

    def _opaque(self, text: str) -> str:
        return self.tokens.literal(text) if text else ""

    def _attributes(self, token: Token) -> str:
        attributes = dict(token.attrs)
        if "href" in attributes:
            attributes["href"] = self.address(str(attributes["href"]))
        if token.type == "th_open":
            attributes["scope"] = "col"
        return "".join(f' {name}="{self._value(name, str(value))}"' for name, value in attributes.items())

    def _value(self, name: str, value: str) -> str:
        # `style="text-align:center"` is markdown-it's own, for a table's columns; all other values are a person's.
        plain = (name == "style" and re.fullmatch(r"text-align:(left|right|center)", value)) or value.isalnum()
        return value if plain and value.isascii() and "Zq" not in value else self._opaque(value)


def plain(tokens: Iterable[Token]) -> str:
    """Inline tokens as plain words, without marks: for titles and checks."""
    parts = []
    for token in tokens:
        if token.type == "inline":
            parts.append(plain(token.children or ()))
        elif token.type in ("text", "code_inline"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts)


def wrapped(html: Markup, lang: str, around: str) -> Markup:
    """`html` in a div with lang and dir where its language is not the one around it."""
    if lang == around:
        return html
    turn = f' dir="{languages.direction(lang)}"' if languages.direction(lang) != languages.direction(around) else ""
    return Markup(f'<div lang="{styles.language(lang)}"{turn}>{html}</div>')  # noqa: S704
