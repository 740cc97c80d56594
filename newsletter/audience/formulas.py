"""Keeps a cell from being run as a formula by a spreadsheet program, and takes that protection off again."""

from __future__ import annotations

import re

# OWASP "CSV Injection": = + - @ tab and carriage return start a formula. The quote is what Excel itself uses for text.
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_PROTECTED = re.compile(r"'+[=+\-@\t\r]")


def neutral(text: str) -> str:
    """The cell as text for a spreadsheet: one quote in front of what would be a formula; `plain` undoes it exactly."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def plain(text: str) -> str:
    """The cell without the quote that `neutral` put in front."""
    return text[1:] if _PROTECTED.match(text) else text
