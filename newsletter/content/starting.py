"""A new issue's text and folder name, made from a title: from nothing, or from an issue that went before."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from newsletter.content.frontmatter import BLOCK_TEXT, Parser, bounds, unquoted
from newsletter.content.keys import WHOLE
from newsletter.content.source import Source
from newsletter.problems import NewsletterError, Problem

LONGEST_SLUG = 60  # letters after the date; some file systems stop at 143 bytes for an encrypted name
FILLER = "Write your message here."  # must be gone before an issue is sent
# What belonged to the issue before and would be wrong in the next one.
NOT_CARRIED = ("title", "preheader", "number", "send_at", "archive_at", "corrects", "useful_until", "allow")


def slug(title: str, day: date) -> str:
    """`2026-12-10-meet-your-officers`: the folder of an issue."""
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    name = ""
    for word in words:
        if len(name) + len(word) + 1 > LONGEST_SLUG:
            break
        name += f"-{word}"
    return f"{day.isoformat()}{name or '-issue'}"


def fresh(title: str, theme: str, sender: str, audience: str, language: str) -> str:
    """The text of an issue that has nothing but its title."""
    return f"""---
subject: {_as_subject(title)}
# The words that follow the subject in the list of mails:
preheader:
from: {sender}
audience: [{audience}]
template: {theme}
language: {language}
---

# {_as_heading(title)}

Hello {{{{ first_name or "neighbour" }}}},

{FILLER} An empty line begins a new paragraph.

::reply[Reply to this message]
"""


def next_after(text: str, title: str, theme: str = "") -> str:
    """The text of an issue like `text`, with the new title; what belonged to the old one alone is left out.

    Raises NewsletterError(no-front-matter) when `text` is no issue.
    """
    source = Source.of(text.removeprefix("\ufeff"), "issue.md", Path())
    first, end = bounds(source)
    if not end:
        hint = "Run `newsletter check` on that issue first, or leave --from away."
        raise NewsletterError(Problem("no-front-matter", "The issue to begin with has no front matter", hint))
    entries = Parser(source, end - 1, [], WHOLE, line=first + 1).entries()
    starts = sorted(entry.place.line for entry in entries.values())
    kept: list[str] = [f"subject: {_as_subject(title)}", "preheader:"]
    for key, entry in entries.items():
        following = next((line for line in starts if line > entry.place.line), end)
        if key == "template" and theme:
            kept.append(f"template: {theme}")
        elif key not in (*NOT_CARRIED, "subject"):
            kept += _without_remarks(source.lines[entry.place.line - 1 : following - 1])
    return "\n".join(["---", *kept, "---", *_retitled(source.lines[end:], title)])


def _without_remarks(lines: Sequence[str]) -> list[str]:
    """A key's lines without the comments below it, which may be about the next key."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or kept[-1].startswith("#")):
        kept.pop()
    return kept


def _retitled(lines: Sequence[str], title: str) -> list[str]:
    """The message with its first `# heading` replaced."""
    found = list(lines)
    for number, line in enumerate(found):
        if re.match(r" {0,3}#[ \t]", line):
            found[number] = f"# {_as_heading(title)}"
            break
    return found


def _as_subject(title: str) -> str:
    """The title as a value that reads back as it is, whatever it begins or ends with."""
    value = title.replace("{{", "\\{{").replace("{%", "{ %")
    if unquoted(value) != value or BLOCK_TEXT.match(value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value


def _as_heading(title: str) -> str:
    """The title as Markdown that shows it as it is."""
    escaped = re.sub(r"([\\`*_\[\]<]|&(?=\w+;|#)|\{(?=\{))", r"\\\1", title.replace("{%", "{ %"))
    return re.sub(r"(#+)$", lambda end: end[1].replace("#", "\\#"), escaped)
