"""Which of several languages is nearest to a person's: one rule for issues and for the words of lists."""

from __future__ import annotations

import re
from collections.abc import Iterable

TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # en-GB, cy, ur


def family(tag: str) -> str:
    """`cy` for `cy-GB`, in small letters."""
    return tag.lower().partition("-")[0]


def nearest(wanted: str, known: Iterable[str], default: str = "") -> str:
    """The one of `known` for a person who reads `wanted`; "" stands for the default one, which is in `default`.

    Nearest first: the very language, the family as such, the default where it is of the family, any of the family.
    """
    tags = [tag for tag in known if tag]
    theirs = family(wanted)
    for near in (wanted.lower(), theirs):
        for tag in tags:
            if tag.lower() == near:
                return tag
    if not theirs or family(default) == theirs:
        return ""
    return next((tag for tag in tags if family(tag) == theirs), "")
