"""Files of a workspace: written whole or not at all, and never outside the folder they belong to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from newsletter.problems import Exit, NewsletterError, Problem, Where

PACKAGE = Path(__file__).resolve().parent


def unwritable(path: Path, error: OSError) -> NewsletterError:
    """The NewsletterError for a file that the system does not let us write (cannot-write, exit 3)."""
    hint = "Check that the folder exists, that you may write to it, and that the disk is not full."
    problem = Problem("cannot-write", f"Cannot write {path}: {error.strerror or error}", hint, Where(str(path)))
    return NewsletterError(problem, exit=Exit.CONFIG)


def private(folder: Path) -> None:
    """Make a folder for this user alone where it is not there: people's addresses and words lie in var/, also in a
    checkout that `init` has not made. One that is there keeps its mode, for a group may share it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def write_atomically(path: Path, data: bytes | str, mode: int = 0o644) -> None:
    """Replace `path` by `data` in one step, so that a reader sees the old file or the new, never half.

    Raises NewsletterError(cannot-write) when the folder is missing, read-only or full.
    """
    raw = data.encode() if isinstance(data, str) else data
    temporary = ""
    try:
        if mode & 0o077:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            private(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise unwritable(path, error) from error


def is_inside(path: Path, folder: Path) -> bool:
    """True when `path`, with every link followed, lies in `folder` (threat T16: ../, links, absolute paths)."""
    return path.resolve().is_relative_to(folder.resolve())


def example(name: str) -> Path:
    """A file or folder of the example workspace (`templates`, `issues`, `recipients`, `newsletter.toml`).

    The wheel carries them in `newsletter/_example/`; in a checkout they are the repository's own.
    """
    carried = PACKAGE / "_example" / name
    return carried if carried.exists() else PACKAGE.parent / name
