"""Parts that several issues share: `::include{file=../../partials/contact.md}`."""

from __future__ import annotations

from pathlib import Path

from newsletter.content.context import Context
from newsletter.content.places import inside, text_of
from newsletter.content.source import Source
from newsletter.problems import NewsletterError, Where

DEEPEST = 3  # files inside one another, the issue itself not counted
MOST = 100  # files in all: a hundred that hold a hundred each would be a million


def included(ctx: Context, source: Source, name: str, where: Where) -> tuple[Path, Source] | None:
    """The file to put in place, or None after a Problem. Its own paths start where it lies."""
    path = inside(ctx, source, name, where, "missing-file")
    if path is None:
        return None
    if path in ctx.including:
        ctx.problem("include-loop", f"‘{name}’ includes itself", "Take one of the two ::include lines away.", where)
        return None
    if len(ctx.including) > DEEPEST:
        hint = "Put the text of the innermost file where it is included."
        ctx.problem("include-depth", f"Files are included more than {DEEPEST} deep here", hint, where)
        return None
    ctx.included += 1
    if ctx.included > MOST:
        if ctx.included == MOST + 1:
            ctx.problem("include-depth", f"More than {MOST} files are included", "Use fewer ::include lines.", where)
        return None
    if path.suffix.lower() != ".md":
        ctx.problem("bad-include", f"‘{name}’ is not a .md file", "Only text in the format of an issue fits.", where)
        return None
    shown = path.relative_to(ctx.config.root.resolve()).as_posix()
    try:
        text = text_of(path, ctx.config.root, shown).decode().removeprefix("\ufeff")
    except NewsletterError as error:
        ctx.problems.extend(error.problems)
        return None
    if ctx.fields.nonce in text:
        raise NonceTaken
    return path, Source.of(text, shown, path.parent)


class NonceTaken(Exception):
    """The included text holds this issue's nonce: read again with another one. Never leaves `content`."""
