"""`newsletter replies sort`: what the sorting makes of mail in files; nothing is stored, and no database is opened."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, visible
from newsletter.problems import Exit, NewsletterError, Problem, Where

if TYPE_CHECKING:
    from newsletter.mail.sorting import Sorted

LARGEST = 50 * 1024 * 1024  # bytes, as at the door


@click.command("sort")
@click.argument("files", nargs=-1, metavar="[FILE]…")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object for each file.")
@click.pass_obj
def sort_(output: Output, files: tuple[str, ...], as_json: bool) -> int:
    """Say what mail in files is, and why; nothing is stored.

    Without FILE the paths are read from standard input, one a line; - is a mail on standard input. Tokens are not
    checked here, so a reply that is only "unsubscribe" counts as a wish to leave.

    \b
    newsletter replies sort mail.eml
    find mail -name '*.eml' | newsletter replies sort --json
    """
    from newsletter.mail import sorting

    unread: list[Problem] = []
    seen: dict[str, int] = {}
    for name, raw in _mails(files, unread):
        found = sorting.sort(raw)
        seen[found.kind] = seen.get(found.kind, 0) + 1
        if as_json:
            click.echo(_line(name, found))
        else:
            _say(output, name, found)
    if not seen and not unread:
        hint = "Name one: newsletter replies sort mail.eml"
        raise NewsletterError(Problem("no-mail-to-sort", "There is no file to look at", hint), exit=Exit.USAGE)
    if not as_json and sum(seen.values()) > 1:
        output.say(f"\n{count(sum(seen.values()), 'message')}: {', '.join(f'{n} {kind}' for kind, n in seen.items())}")
    output.problems(unread, err=True)
    return Exit.PROBLEMS if unread else Exit.FINE


def as_json(name: str, found: Sorted) -> dict[str, Any]:
    """The object of one file, as FORMATS says."""
    return {
        "file": name,
        "kind": str(found.kind),
        "reason": found.reason,
        "recipients": [
            {"address": one.address, "outcome": str(one.outcome), "status": one.status} for one in found.recipients
        ],
        "new_words": found.words,
    }


def _line(name: str, found: Sorted) -> str:
    text = json.dumps(as_json(name, found), ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:  # a file name that is no UTF-8, or a terminal that has not these letters
        text = json.dumps(as_json(name, found))
    return text


def _say(output: Output, name: str, found: Sorted) -> None:
    detail = f" ({found.detail})" if found.detail else ""
    output.say(f"{visible(name)}: {output.style(str(found.kind), bold=True)}{detail}, {visible(found.reason)}")
    for one in found.recipients:
        status = f" {one.status}" if one.status else ""
        output.say(f"    {visible(one.address)}: {one.outcome}{status}, {visible(one.words[:120])}")


def _mails(files: tuple[str, ...], unread: list[Problem]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each mail; what cannot be read becomes a problem, and the others go on."""
    for name in _names(files):
        try:
            raw = sys.stdin.buffer.read(LARGEST + 1) if name == "-" else _bytes(Path(name))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            why = getattr(error, "strerror", None) or str(error)
            hint = "Check the path; the other files were looked at."
            unread.append(Problem("mail-file-unreadable", f"A file could not be read: {why}", hint, Where(name)))
            continue
        yield name, raw


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _names(files: tuple[str, ...]) -> Iterable[str]:
    if files:
        return files
    lines = (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    return (line.decode("utf-8", "surrogateescape") for line in lines if line.strip())
