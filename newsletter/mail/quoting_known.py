"""Which lines of a reply are ours: found by what we sent, in any language, however it was wrapped or marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

_SHINGLE = 4  # neighbouring words that are looked up together
_SHORTEST_RUN = 6  # words in our order; fewer happen by chance ("on Tuesday at the Town Hall")
_ENOUGH = 25  # words of ours in all, or half of a shorter message; a pasted address or title stays the person's
_TAIL = 0.7  # of the words from our first line on; below it, what was changed on the way counts as the person's
_MOST_WORDS = 20_000  # of a reply, and of what was sent; ours have about 600
_MOST_PLACES = 6  # places of one shingle that are tried
# Addresses are rewritten by filters, pictures named by clients: neither says whose words a line holds.
_NOISE = re.compile(
    r"<?\bhttps?:/[^\s<>\"]{0,2000}>?|<?mailto:[^\s<>]{1,400}>?|\[(?:image|cid):?[^\]\n]{0,200}\]", re.IGNORECASE
)
# A long link goes on in the next line.
_BROKEN_LINK = re.compile(r"(?:<https?:/[^\s<>]*|https?://[^\s<>]{50,}|^[> ]*[^\s<>]{50,})$")
_REST_OF_LINK = re.compile(r"^[> ]*(?:[^\s<>]{1,2000}>|\S{1,2000}$)")
# One letter is one word where a script writes no blanks: Thai, Lao, Burmese, Khmer, Japanese, Chinese.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of `text` in small letters: no marks, no punctuation, no addresses of links."""
    plain = _NOISE.sub(" ", text) if ":/" in text or "[" in text or "mailto:" in text else text
    plain = plain.replace("\u00ad", "").casefold()
    return _WORD.findall(plain if plain.isascii() else _UNSPACED.sub(r" \g<0> ", plain))


@lru_cache(maxsize=64)  # the HTML of a mailing is the same for thousands of people
def _index(text: str) -> tuple[list[str], dict[tuple[str, ...], list[int]]]:
    found = words(text)[:_MOST_WORDS]
    places: dict[tuple[str, ...], list[int]] = {}
    shingles = zip(found, found[1:], found[2:], found[3:], strict=False)
    for at, shingle in enumerate(shingles):
        places.setdefault(shingle, []).append(at)
    return found, places


def ours(lines: Sequence[str], sent: Sequence[str]) -> frozenset[int]:
    """Numbers of the lines that hold nothing but what we sent; empty when too little of it is there to be sure.

    `sent` are the texts of the copy: its plain part, and the words of its HTML. A line counts when each of its words
    stands in a run of ours; in a tail that is mostly ours also what was mangled on the way (never what was added).
    """
    flat: list[str] = []
    owner: list[int] = []
    broken = False
    for number, line in enumerate(lines):
        found = words(_REST_OF_LINK.sub("", line) if broken else line)
        broken = (":/" in line or (broken and " " not in line.strip())) and bool(_BROKEN_LINK.search(line))
        flat += found
        owner += [number] * len(found)
        if len(flat) > _MOST_WORDS:
            break
    known = [_index(text) for text in sent if text.strip()]
    runs = _runs(flat, known)
    matched = sum(end - start for start, end, *_ in runs)
    if not runs or matched < min(_ENOUGH, max((len(found) for found, _ in known), default=0) // 2):
        return frozenset()
    covered = bytearray(len(flat))
    for start, end, *_ in runs:
        covered[start:end] = b"\1" * (end - start)
    gaps = _missing(flat, known, runs)
    more, left = _short(flat, gaps)
    if matched >= _TAIL * (len(flat) - runs[0][0]):
        more += _mangled(flat, left)
    for start, end in more:
        covered[start:end] = b"\1" * (end - start)
    return _whole_lines(lines, owner, covered, sent)


def _runs(
    flat: list[str], known: Sequence[tuple[list[str], dict[tuple[str, ...], list[int]]]]
) -> list[tuple[int, int, int, int, int]]:
    """(start, end) in the reply, (start, end) in what was sent, and in which text; longest first at each place."""
    runs = []
    at, last = 0, len(flat) - _SHINGLE
    while at <= last:
        shingle = tuple(flat[at : at + _SHINGLE])
        best = (0, 0, 0)
        for which, (text, places) in enumerate(known):
            for place in places.get(shingle, ())[:_MOST_PLACES]:
                length = _SHINGLE
                most = min(len(flat) - at, len(text) - place)
                while length < most and flat[at + length] == text[place + length]:
                    length += 1
                if length > best[0]:
                    best = (length, place, which)
        length, place, which = best
        if length >= _SHORTEST_RUN:
            runs.append((at, at + length, place, place + length, which))
            at += length
        else:
            at += 1
    return runs


def _missing(
    flat: list[str],
    known: Sequence[tuple[list[str], dict[tuple[str, ...], list[int]]]],
    runs: Sequence[tuple[int, int, int, int, int]],
) -> list[tuple[int, int, list[str]]]:
    """The gaps before, between and after the runs, each with the words of ours that should stand there (at most 60)."""
    (first, _, place, _, which), (_, last, _, end, other) = runs[0], runs[-1]
    gaps = [(max(0, first - 60), first, known[which][0][max(0, place - 60) : place] if place <= 60 else [])]
    for (_, start, _, after, one), (stop, _, until, _, two) in pairwise(runs):
        gaps.append((start, stop, known[one][0][after:until] if one == two and after < until <= after + 60 else []))
    rest = known[other][0][end:]
    gaps.append((last, min(len(flat), last + 60), rest if len(rest) <= 60 else []))
    return [(start, stop, words) for start, stop, words in gaps if start < stop and words]


def _short(
    flat: list[str], gaps: Sequence[tuple[int, int, list[str]]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int, list[str]]]]:
    """Runs too short to be found by themselves ("Dear Ameera,"), standing whole in the gap where they should; and the
    gaps that have none."""
    found, left = [], []
    for start, stop, missing in gaps:
        for at in range(start, min(stop - len(missing), start + 200) + 1):
            if flat[at] == missing[0] and flat[at : at + len(missing)] == missing:
                found.append((at, at + len(missing)))
                break
        else:
            left.append((start, stop, missing))
    return found, left


def _mangled(flat: list[str], gaps: Sequence[tuple[int, int, list[str]]]) -> list[tuple[int, int]]:
    """Gaps that hold words like those of ours that should stand there. An answer stands where none should."""
    found = []
    for start, stop, missing in gaps[:200]:
        added = flat[start:stop]
        if len(added) > len(missing) * 3 // 2 + 1:
            continue
        alike = 2 * len(set(added) & set(missing)) >= max(len(set(added)), len(set(missing)))
        if alike or (
            len(missing) <= 8
            and SequenceMatcher(None, " ".join(added), " ".join(missing), autojunk=False).ratio() >= 0.7
        ):
            found.append((start, stop))
    return found


def _whole_lines(lines: Sequence[str], owner: Sequence[int], covered: bytearray, sent: Sequence[str]) -> frozenset[int]:
    """Lines without a word that is not ours; and those without any words (rules, addresses) between two of ours, or
    next to one where they are no address of the person's own."""
    open_ = {number for number, known in zip(owner, covered, strict=True) if not known}
    full = sorted(set(owner) - open_)
    found = set(full)
    wordless = {number for number, line in enumerate(lines) if line.strip()} - set(owner)
    others = sorted(open_ | set(full))
    for above, below in pairwise(others):
        if above in found and below in found:
            found |= wordless.intersection(range(above + 1, below))
    looked = 0
    for number in sorted(wordless - found):
        if looked < 20 and not found.isdisjoint((number - 2, number - 1, number + 1, number + 2)):
            looked += 1
            core = lines[number].strip(" \t<>.")
            if not re.search(r"\w", core) or any(core in text for text in sent):
                found.add(number)
    return frozenset(found)
