"""Where a link goes: a web page, a mail address, a telephone, or a PDF of the issue."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from urllib.parse import unquote

from newsletter.content.context import Context
from newsletter.content.model import LinkedFile, marker_pattern
from newsletter.content.places import kilobytes, linked
from newsletter.content.source import Source
from newsletter.problems import Where

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
SCHEMES = ("http", "https", "mailto", "tel")


def checked(ctx: Context, source: Source, href: str, where: Where) -> str | None:
    """The address to use, or None after a Problem. A local file comes back as its key in `ctx.files`."""
    href = ctx.fields.settle(href, quote=True).strip()
    slot = marker_pattern(ctx.fields.nonce)
    if slot.fullmatch(href):
        return href  # the whole address is a person's own; its scheme is checked when it is filled
    trouble, hint = _trouble(href, slot)
    if trouble:
        code = "empty-link" if not href else "bad-link"
        ctx.problem(code, trouble, hint, where)
        return None
    if SCHEME.match(href):
        return href
    return _file(ctx, source, href, where)


def with_size(ctx: Context, href: str, label: str) -> str:
    """`label` with ` (PDF, 34 KB)` where it leads to a file and does not say so: nobody should press it unawares."""
    file = ctx.files.get(href)
    note = f" ({file.extension.upper()}, {kilobytes(file.size)})" if file else ""
    return label if note.strip() in label else label + note


def _trouble(href: str, slot: re.Pattern[str]) -> tuple[str, str]:
    if not href:
        return "This link goes nowhere", "Write the address in the round brackets: [text](https://…)"
    if re.search(r"[\s\x00-\x1f]", href):
        return "There is a blank in this address", "Write %20 for a blank, or take the address from the browser again."
    if slot.match(href):
        return "An address cannot begin with a field", "Begin it with https:// and put the field after the first /"
    scheme = SCHEME.match(href)
    if scheme and scheme[1].lower() not in SCHEMES:
        return f"A link cannot begin with ‘{scheme[0]}’", "Links begin with https://, mailto: or tel:"
    if re.match(rf"(?i)https?://[^/?#]*{slot.pattern}", href):
        return "A field cannot be part of a website's name", "Put it after the first / of the address."
    if re.match(r"(?i)https?:", href) and not re.match(r"(?i)https?://[^/?#\s]", href):
        return "This address has no website in it", "Write https://www.example.org/page"
    if scheme and scheme[1].lower() == "mailto" and not slot.search(href):
        for address in filter(None, unquote(href[scheme.end() :].partition("?")[0]).split(",")):
            if not re.fullmatch(r"[^@;]+@[^@;]+", address):
                return f"‘{address}’ in this link is no e-mail address", "Write mailto:name@example.org"
    if scheme and not href[scheme.end() :].strip("/"):
        return "This link goes nowhere", f"Write the address after {scheme[0]}"
    if href.startswith("#"):
        return "A link cannot jump inside a mail", "Many mail apps ignore it; link to a web page instead."
    if href.startswith("//") or re.match(r"(?i)www\.", href):
        return "This address does not say how to get there", f"Write https://{href.lstrip('/')}"
    return "", ""


def _file(ctx: Context, source: Source, href: str, where: Where) -> str | None:
    if marker_pattern(ctx.fields.nonce).search(href):
        ctx.problem("bad-link", "A file's name cannot hold a field", "Web addresses begin with https://", where)
        return None
    file = linked(ctx, source, href, where)
    if file is None:
        return None
    key = PurePath(os.path.relpath(file.path, ctx.folder.resolve())).as_posix()
    ctx.files.setdefault(key, LinkedFile(key, file.path, file.sha256, file.extension, file.size))
    return key
