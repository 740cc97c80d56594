"""Writes down a bug of ours: what was typed, on which machine, where it broke; people's addresses left out."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback

from newsletter import __version__

ADDRESS = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
SECRET = re.compile(r"(?i)((?:password|secret|token)\w*[=:\s'\"]+)[^\s'\",]+")


def write_report(error: BaseException) -> str:
    """Write the report and return its path; `nowhere: …` when even the temporary folder cannot be written.

    Addresses and passwords are cut out (threat T21): people send such files on to strangers.
    """
    lines = [
        f"newsletter {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"Command: {' '.join(sys.argv)}",
        "",
        *traceback.format_exception(error),
    ]
    text = SECRET.sub(r"\1(secret)", ADDRESS.sub("(address)", "\n".join(lines)))
    try:
        handle, path = tempfile.mkstemp(prefix="newsletter-bug-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
    except OSError as problem:
        return f"nowhere: {problem.strerror}"
    return path
