"""Files and themes that an issue names: inside the workspace, there, readable, and of a kind that may go out."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

from newsletter.config import Config
from newsletter.content.context import Context
from newsletter.content.model import LinkedFile
from newsletter.content.source import Source
from newsletter.files import example, is_inside
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where, did_you_mean

PICTURES = ("png", "jpg", "jpeg", "gif", "webp")
LONGEST_TEXT = 1_000_000  # bytes of one issue.md; the longest real one seen is 60 KB
LARGEST_FILE = 20_000_000  # bytes of a picture or a PDF, before rendering makes the picture smaller


def theme_folders(config: Config) -> tuple[Path, ...]:
    """Where themes are looked for: the workspace first, then those that the product carries."""
    return (config.root / "templates", example("templates"))


def themes(config: Config) -> list[str]:
    """The names of the themes that an issue can name."""
    return sorted({path.parent.name for folder in theme_folders(config) for path in folder.glob("*/theme.toml")})


def text_of(path: Path, root: Path, name: str) -> bytes:
    """The bytes of a written file. Raises NewsletterError when it is missing, outside, too large or no text."""

    def refuse(code: str, message: str, hint: str, line: int | None = None) -> NewsletterError:
        return NewsletterError(Problem(code, message, hint, Where(name, line)), exit=Exit.PROBLEMS)

    if not is_inside(path, root):
        raise refuse("outside-workspace", f"{name} lies outside the workspace", "Copy it into the issue's folder.")
    try:
        if not path.is_file():
            raise refuse(
                "missing-issue", f"There is no {name} in {path.parent.name}", "Start one: newsletter new TITLE"
            )
        size = path.stat().st_size
        if size > LONGEST_TEXT:
            raise refuse(
                "too-large",
                f"{name} is {kilobytes(size)}, and an issue is at most {kilobytes(LONGEST_TEXT)}",
                "It holds the words only; pictures and documents are files beside it.",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise refuse("cannot-read", f"{name} cannot be read: {error.strerror}", "Check who may read it.") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise refuse("not-utf8", f"{name} is saved as UTF-16", "Save it as UTF-8 in your editor.")
    if b"\0" in raw:
        raise refuse("binary-file", f"{name} is not a text file", "An issue is plain text; save it from a text editor.")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refuse("not-utf8", f"{name} is not UTF-8 text", "Save it as UTF-8 in your editor.", line) from error
    return raw


def inside(ctx: Context, source: Source, name: str, where: Where, code: str) -> Path | None:
    """The existing file `name`, relative to `source`, or None after a Problem (`code` when it is not there)."""
    if "\\" in name or name.startswith(("/", "~")) or re.match(r"[A-Za-z]:", name) or "\0" in name:
        ctx.problem(
            "outside-workspace",
            f"‘{name}’ is not a path inside the workspace",
            "Copy the file into the issue's folder and name it like images/hero.png",
            where,
        )
        return None
    path = source.folder / name
    try:
        if not is_inside(path, ctx.config.root):
            ctx.problem(
                "outside-workspace", f"‘{name}’ lies outside the workspace", "Copy it into the issue's folder.", where
            )
            return None
        if path.is_file():
            return path.resolve()
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError, RuntimeError):
        beside = []
    near = did_you_mean(path.name, beside)
    hint = f"Put the file there, or write its right name; paths start in {source.folder.name}/"
    if near:  # with the folder, as it must be written
        hint = near.replace("mean ", f"mean {name[: len(name) - len(path.name)]}", 1)
    elif re.match(r"(?i)[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/", name):
        hint = f"Is it a web page? Write https://{name}"
    ctx.problem(code, f"There is no file ‘{name}’", hint, where)
    return None


def picture(ctx: Context, source: Source, name: str, where: Where) -> Path | None:
    """The file of a picture, or None after a Problem. Its inside is judged by rendering."""
    if re.match(r"(?i)(?:[a-z][a-z0-9+.-]+:|//)", name):
        ctx.problem(
            "remote-image", "A picture cannot come from another website", "Copy it to images/ and name it so.", where
        )
        return None
    path = inside(ctx, source, unquote(name), where, "missing-picture")
    if path is None:
        return None
    if path.suffix.lower().lstrip(".") not in PICTURES:
        ctx.problem(
            "bad-picture",
            f"‘{path.name}’ is no kind of picture that mail can show",
            "Save it as PNG, JPEG, GIF or WebP.",
            where,
        )
        return None
    return path if _fits(ctx, path, where) else None


def linked(ctx: Context, source: Source, href: str, where: Where) -> LinkedFile | None:
    """A local file behind a link: a PDF is published, anything else is refused with what to do instead."""
    name = unquote(href.split("#")[0].split("?")[0])
    path = inside(ctx, source, name, where, "missing-file")
    if path is None or not _fits(ctx, path, where):
        return None
    if path.suffix.lower() != ".pdf":
        ctx.problem(
            "attachment",
            f"‘{path.name}’ cannot be sent along; only a PDF can be linked",
            "Put what it says into the message, or save it as PDF and link that.",
            where,
        )
        return None
    data = path.read_bytes()
    if not data.startswith(b"%PDF-"):
        ctx.problem("attachment", f"‘{path.name}’ is no PDF inside", "Export it as PDF again.", where)
        return None
    if any(file.path == path for file in ctx.files.values()):
        return LinkedFile(href, path, hashlib.sha256(data).hexdigest(), "pdf", len(data))  # warned of already
    how = "it has no tags for screen readers" if b"/StructTreeRoot" not in data else "it is hard to read on a phone"
    ctx.problem(
        "accessible-format",
        f"Some people cannot read ‘{path.name}’: {how}",
        "Say the main points in the message too, and offer another format on request.",
        where,
        Severity.WARNING,
    )
    return LinkedFile(href, path, hashlib.sha256(data).hexdigest(), "pdf", len(data))


def kilobytes(size: int) -> str:
    """`34 KB` or `1.2 MB`, as people read it in the text of a link."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} KB"


def _fits(ctx: Context, path: Path, where: Where) -> bool:
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        ctx.problem("cannot-read", f"‘{path.name}’ cannot be read: {error.strerror}", "Check who may read it.", where)
        return False
    if size > LARGEST_FILE:
        ctx.problem(
            "too-large", f"‘{path.name}’ is {kilobytes(size)}", f"Keep it under {kilobytes(LARGEST_FILE)}.", where
        )
    return size <= LARGEST_FILE
