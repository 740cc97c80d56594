"""What depends on the language: the direction of reading, and which fixed words are used."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

RTL = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"}
RTL_SCRIPTS = {"arab", "hebr", "syrc", "thaa", "nkoo"}
FALLBACK = "en"

# Runs that right-to-left text would show in another order than they were written: a telephone number such as
# +44 1785 232 385 group by group from the right, a name such as "Sam Okafor (Safety Officer)" with its last bracket
# on the wrong side. Single words and plain names are in order by themselves (Unicode UAX #9).
_WORD = r"[A-Za-z\u00c0-\u024f][A-Za-z0-9\u00c0-\u024f@.,'’&/-]*"
FOREIGN = re.compile(
    rf"(?P<number>\+?\d[\d ()\u00a0-]{{5,}}\d)|{_WORD}(?: {_WORD})* \({_WORD}(?: {_WORD})*\)(?: {_WORD})*"
)


def primary(language: str) -> str:
    """`en` of `en-GB`."""
    return re.split(r"[-_]", language.lower())[0]


def direction(language: str) -> str:
    """`rtl` or `ltr`; a script subtag (`pa-Arab`) decides before the language does."""
    subtags = re.split(r"[-_]", language.lower())
    scripts = [tag for tag in subtags[1:] if len(tag) == 4 and tag.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in RTL_SCRIPTS else "ltr"
    return "rtl" if subtags[0] in RTL else "ltr"


@cache
def own_words() -> Mapping[str, Mapping[str, str]]:
    """The engine's fixed words: language → key → words."""
    return tomllib.loads((Path(__file__).parent / "strings.toml").read_text(encoding="utf-8"))
