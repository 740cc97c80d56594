"""Which words of a message ask that it be looked at first: the reviewed English list, and what it can be used on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from newsletter.config.phrases import compiled, plain

# A page of writing has 3,000 letters. The ends of a longer text are where people say what they want; the time of a
# look stays under a second whatever comes (measured with 1 MB of "he hit he hit …").
LONGEST = 60_000
# Common little words make up 20 to 50 % of English sentences. Left out is what other languages write, too: Polish
# "i", "on", "do", "to"; German "in", "was", "am", "so"; Dutch "is", "we", "of"; French "a", "me"; Welsh "a", "i", "am".
LITTLE = frozenset(
    """the and but if with from are were been im my us our you your she they them his her their this that there not does
    did dont have has cant would could should when where who how why about just please thank thanks very up out get
    it its be because which than then these those into over after before some any what can will had one only more
    know want think need like again still much many every never always nothing nobody people""".split()  # noqa: SIM905
)
ENOUGH = 0.12
FEW = 5  # words; below that a proportion says nothing


@dataclass(frozen=True)
class Hit:
    """One phrase that was found. `phrase` is the list's, never what somebody wrote."""

    group: str
    title: str
    phrase: str


@dataclass(frozen=True)
class _Group:
    key: str
    title: str
    phrases: tuple[tuple[str, re.Pattern[str]], ...]
    unless: tuple[re.Pattern[str], ...]


def ends(text: str) -> str:
    """The text, or the beginning and the end of a very long one."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}\n\n{text[-LONGEST // 2 :]}"


def english(text: str) -> bool:
    """True when a text can be in English. Few words are taken for English, as long as their letters are Latin."""
    words = [word for word in plain(ends(text)).split() if word != "."]
    letters = [word for word in words if word[0].isalpha()]
    if not letters:
        return False
    latin = sum(word.isascii() for word in letters)
    if latin < 0.7 * len(letters):
        return False
    return len(letters) < FEW or sum(word in LITTLE for word in letters) >= ENOUGH * len(letters)


def look(text: str) -> list[Hit]:
    """What the built-in list finds, one hit a group, in the order of the list."""
    words = plain(ends(text))
    hits = []
    for group in groups():
        harmless = [match.span() for pattern in group.unless for match in pattern.finditer(words)]
        for phrase, pattern in group.phrases:
            if any(not _inside(match.span(), harmless) for match in pattern.finditer(words)):
                hits.append(Hit(group.key, group.title, phrase))
                break
    return hits


def found(phrases: Iterable[str], text: str) -> str:
    """The first of these phrases that stands in the text, or "". A phrase that cannot be looked for is left out."""
    words = plain(ends(text))
    return next((phrase for phrase in phrases if (one := _own(phrase)) and one.search(words)), "")


def titles() -> list[tuple[str, int]]:
    """The groups of the built-in list, and how many phrases each has."""
    return [(group.title, len(group.phrases)) for group in groups()]


@cache
def groups() -> tuple[_Group, ...]:
    """The list, read once."""
    with Path(__file__).with_name("look_first.toml").open("rb") as file:
        data = tomllib.load(file)
    sets: dict[str, str] = {}
    for name, members in data["sets"].items():
        words = sorted((plain(one).strip() for one in members), key=len, reverse=True)
        sets[name] = f"(?:{'|'.join(map(re.escape, words))})".replace(r"\ ", " ")
    return tuple(
        _Group(
            key,
            group["title"],
            tuple((phrase, compiled(phrase, sets)) for phrase in group["phrases"]),
            tuple(compiled(phrase, sets) for phrase in group["unless"]),
        )
        for key, group in data.items()
        if key != "sets"
    )


@cache
def _own(phrase: str) -> re.Pattern[str] | None:
    try:
        return compiled(phrase)
    except ValueError:
        return None


def _inside(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)
