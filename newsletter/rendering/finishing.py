"""The last strokes on the HTML: language on every part, real picture heights, no idle white space."""

from __future__ import annotations

import re
from collections.abc import Mapping

from newsletter.rendering.placeholders import Placeholders

_PRE = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL | re.IGNORECASE)
_IDLE = re.compile(r"[ \t]*\n[ \t\n]*")
_IMG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_SCHEMES = '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'


def collapse(html: str) -> str:
    """`html` without idle white space, outside `<pre>`: a quarter of MJML's output (58.7 KB became 43.4)."""
    parts = _PRE.split(html)
    return "".join(part if index % 2 else _IDLE.sub("\n", part) for index, part in enumerate(parts))


def languages(html: str, lang: str, direction: str) -> str:
    """Lang and dir on each direct child of body: mail programs throw `<html>` away, and its language with it."""
    start = re.search(r"<body\b[^>]*>", html)
    if not start:
        return html
    out, depth, position = [html[: start.end()]], 0, start.end()
    for tag in re.finditer(r"<!--.*?-->|<(/?)([a-zA-Z][\w:-]*)([^<>]*?)(/?)>", html[start.end() :], re.DOTALL):
        begin, end = start.end() + tag.start(), start.end() + tag.end()
        out.append(html[position:begin])
        position = end
        text = tag[0]
        if tag[2] and tag[2].lower() == "body":
            out.append(text)
            break
        if tag[2] and not tag[1] and depth == 0:
            missing = [("lang", lang), ("dir", direction)]
            extra = "".join(f' {name}="{value}"' for name, value in missing if not re.search(rf"\s{name}\s*=", tag[3]))
            text = f"<{tag[2]}{tag[3]}{extra}{tag[4]}>"
        if tag[2] and tag[2].lower() not in ("br", "img", "hr", "input", "meta", "link", "wbr", "col"):
            depth += -1 if tag[1] else 0 if tag[4] else 1
        out.append(text)
    return "".join([*out, html[position:]])


def heights(html: str, tokens: Placeholders, sizes: Mapping[str, tuple[int, int]]) -> str:
    """A real height attribute on every picture whose width MJML has set, so that nothing jumps while it loads."""

    def replace(match: re.Match[str]) -> str:
        tag = match[0]
        src, width = re.search(r"\ssrc=[\"']([^\"']*)", tag), re.search(r"\swidth=[\"'](\d+)", tag)
        size = sizes.get(tokens.text_of(src[1])) if src else None
        if not size or not width or not size[0]:
            return tag
        height = max(1, round(int(width[1]) * size[1] / size[0]))
        tag = re.sub(r"\sheight=([\"'])[^\"']*\1", "", tag)
        return tag.replace(width[0], f'{width[0]}" height="{height}', 1)

    return _IMG.sub(replace, html)


def color_schemes(html: str) -> str:
    """The color-scheme metas, where the theme has not written them."""
    return html if 'name="color-scheme"' in html else html.replace("</head>", f"{_SCHEMES}</head>", 1)
