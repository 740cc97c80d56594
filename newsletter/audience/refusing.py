"""Where refused rows are kept: never over a file that somebody has mended since we wrote it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from newsletter import files
from newsletter.audience import exporting
from newsletter.config import Config

_WRITTEN = Path("var", "refused.json")  # the SHA-256 of each file as we wrote it, by its name; no address is in it


def place(source: Path, config: Config) -> tuple[Path, Path | None]:
    """The file for the refused rows of `source`, and the mended one that is left as it is for it (or None).

    recipients/people.refused.csv, or people-2.refused.csv and so on: the first that is free, is as we wrote it, or is
    the very file that was read. All end in .refused.csv, so that erasing a person finds their row in any of them.
    """
    stem = source.name.removesuffix(source.suffix)
    own = stem.endswith(".refused")
    stem = re.sub(r"(-\d+)?\.refused$", "", stem) if own else stem
    folder, number, spared = config.root / "recipients", 1, None
    if own and source.resolve() == (folder / source.name).resolve() and source.name.endswith(".refused.csv"):
        return folder / source.name, None
    while True:
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}.refused.csv"
        if not path.exists() or _digest(path) == _written(config).get(path.name):
            return path, spared
        spared, number = path, number + 1


@contextmanager
def kept(path: Path, config: Config) -> Iterator[TextIO]:
    """The file, put in its place when the block ends well; what we wrote is remembered, to know a mended one."""
    with exporting.whole_file(path) as target:
        yield target
    known = {**_written(config), path.name: _digest(path)}
    note = config.root / _WRITTEN
    files.private(note.parent)
    note.write_text(json.dumps(known, indent=1), encoding="utf-8")


def _written(config: Config) -> dict[str, str]:
    """What is remembered; without it (an older version, a lost file) every file counts as mended, and is left alone."""
    try:
        found = json.loads((config.root / _WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
