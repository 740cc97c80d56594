"""Words and phrases to look for: `knife`, `threaten* to kill`, `going to … hurt`; capitals and apostrophes are one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

GAP = 4  # words that "…" may stand for: "going to really badly hurt" is one thought, ten words further on is another
SHORTEST = 3  # letters before a *: "ki*" would find kind, kitchen and kids
STOP = re.compile(r"[.!?;:]+(?=\s|$)|\n\s*\n")
APOSTROPHES = re.compile("(?<=\\w)['’‘`´](?=\\w)")


def plain(text: str) -> str:
    """Small letters, single blanks, " . " where a sentence ends, a blank at both ends: what phrases are looked for in.

    "I'm" and "I’m" and "im" become the same word. A phrase never reaches over the end of a sentence or paragraph.
    """
    folded = unicodedata.normalize("NFKC", APOSTROPHES.sub("", text)).casefold()
    folded = APOSTROPHES.sub("", folded)
    words = re.findall(r"[\w]+|\.(?= )", STOP.sub(" . ", folded))
    return f" {' '.join(words)} "


def compiled(phrase: str, sets: Mapping[str, str] | None = None) -> re.Pattern[str]:
    """The pattern of a phrase over `plain` text; `{name}` stands for any of the phrases in `sets[name]`, `(a|b)`.

    Raises ValueError, in words, for what cannot be looked for.
    """
    parts: list[str] = []
    for word in phrase.replace("...", " … ").replace("…", " … ").split():
        if word == "…":
            if not parts or parts[-1] is _BETWEEN:
                raise ValueError("… stands between two words")
            parts.append(_BETWEEN)
        elif sets and re.fullmatch(r"\{\w+\}", word):
            parts.append(f" {sets[word[1:-1]]}")
        else:
            parts.append(f" {_word(word)}")
    if not parts:
        raise ValueError("there is no word in it")
    if parts[-1] is _BETWEEN:
        raise ValueError("… stands between two words")
    return re.compile(f"{''.join(parts)}(?= )")


_BETWEEN = rf"(?: \w+){{0,{GAP}}}"


def _word(word: str) -> str:
    stem, star = (word[:-1], r"\w*") if word.endswith("*") else (word, "")
    if "*" in stem:
        raise ValueError(f"{word!r}: * stands only at the end of a word, for any ending")
    letters = plain(stem).strip()
    if not letters or "." in letters.split():
        raise ValueError(f"{word!r} holds no letter to look for")
    if star and len(letters) < SHORTEST:
        raise ValueError(f"{word!r} would find almost anything: {SHORTEST} letters at least before the *")
    return re.escape(letters).replace(r"\ ", " ") + star
