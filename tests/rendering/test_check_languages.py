"""A translation is held against the issue: what is missing, what is more, what leads elsewhere."""

from __future__ import annotations

import pytest

from newsletter.content import reading
from newsletter.problems import Problem
from newsletter.rendering.check_languages import against
from tests.rendering.conftest import Desk

ENGLISH = """\
# Is it you?

Hello.

:::only{ward="Stafford North"}
The road is closed.
:::

[Read more](https://council.example/more){.button}

::reply[Tell us]
"""
WELSH = ENGLISH.replace("Hello", "Helo").replace("Is it you", "Ai chi").replace("Read more", "Darllen mwy")


def found(desk: Desk, welsh: str, english: str = ENGLISH) -> list[Problem]:
    folder = desk.write(english)
    desk.write(welsh, name="issue.cy.md")
    return list(against(reading.read(folder, desk.config, "cy"), reading.read(folder, desk.config, "")))


def told(problems: list[Problem]) -> list[tuple[str, str, str]]:
    return [(one.code, one.severity.value, one.where.file if one.where else "") for one in problems]
