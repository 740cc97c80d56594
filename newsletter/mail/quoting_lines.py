"""What a line of a reply is, by its looks: quoted, an introduction, a signature, said by a device, or words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from newsletter.mail.quoting_words import DEVICES, FIELDS, FORWARDED, SEPARATORS, WROTE

LONGEST_LINE = 500  # longer ones are prose, and no pattern is tried on them
# Everybody who answers an issue quotes the same lines: a look at one is remembered (25 us each; 60 lines in a reply).
REMEMBERED = 4096
_DECORATION = " \t>*_-‐=#~|:："
# Marks of direction stand round names and times where the program writes from right to left.
_DIRECTION = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))

_INTRODUCED = re.compile(rf"(?:{WROTE})(?:[^\w:：]|\s\S.{{0,60}})?[:：]?$", re.IGNORECASE)
# A date or an address: what every introduction has and few sentences that end in "wrote:" have.
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d\d\b|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|年")
_ADDRESS = re.compile(r"[<(\[\"']?[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d\d\b")
_YEAR = re.compile(r"\b(?:19|20|25)\d\d\b")
# Without a verb that we know: a year, a time, an address, and a colon at the end.
_DATED = re.compile(
    r"(?=.{0,250}\d{1,2}[:.]\d\d)(?=.{0,250}\b(?:19|20|25)\d\d(?:\b|年|년)).{5,250}[<(\[]\S{1,200}@\S{1,200}[>)\]].{0,40}[:：]$"
)
# Gmail's older form in many languages: 2026-11-24 10:02 GMT+01:00 Name <address>:
_STAMPED = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)\s?[+-]\d{1,2}:\d\d\b.{0,200}$")
_FIELD = re.compile(rf"\s*[>*]?\s*\*?(?:{FIELDS})\s?\*?\s?[:：]\*?(?:\s|\S)", re.IGNORECASE)
_LABEL = re.compile(r"[>*\s]{0,6}[^\W\d_][^:：\n]{0,24}[:：]")
_OWN_LINE = re.compile(r"(?:[^\W\d_][^\d:：]{0,24}[:：]\s|.*[?!]$)")  # `Time: 22:10`, or a question
_VERB_LAST = re.compile(rf"(?:{WROTE})\s?[:：]$", re.IGNORECASE)
_BOXED_ADDRESS = re.compile(r"[<(\[]\S{1,200}@\S{1,200}[>)\]]|\S{1,100}@\S{1,100}\s?[:：]$")
_RULE = re.compile(r"\s*[-_=*]{2,}\s*$")
_TITLED = re.compile(r"\s*[-_=*]{3,}.{2,60}[-_=*]{3,}\s*$")
_SIGNATURE = re.compile(r"\s*(?:--|—|__+|- --)\s*$")
_DEVICE = re.compile(
    rf"\W{{0,3}}(?:{DEVICES})\S{{0,80}}(?:(?:\s\S{{1,80}}){{0,6}}|(?:\s[^\s,;!?]{{1,80}}){{7,8}})$", re.IGNORECASE
)
_TRACKER = "ᐧ"  # a mail tracker's picture leaves this letter alone on a line
_INITIALS = re.compile(r"[A-Z]{1,3}>(?:\s|$)")  # `AO> words`: the quoting of old programs
# `words--- On Tue, 24 Nov 2026, Sam wrote:` on one line; phones do this.
_SHARED = re.compile(r"(.{1,400}?\S)\s?-{3,5}\s?(On .{6,200})$")


def has_address(text: str) -> bool:
    return "@" in text and bool(_ADDRESS.search(text))  # nine lines of ten have no @, and the pattern is slow


def has_date(text: str) -> bool:
    return bool(_DATE.search(text))


def kind(lines: Sequence[str], at: int) -> str:
    """One letter: e empty, q quoted, a introduction, s separator (below it the old message), g signature mark,
    f sent on (all below is kept), d said by a device, x a rule above the old message, t text."""
    line = lines[at]
    bare = line.strip()
    if not bare:
        return "e"
    if len(line) > LONGEST_LINE:
        return "t"
    if is_one_of(bare, FORWARDED):
        return "q" if bare.startswith(">") else "f"  # marked as quoted: what somebody else had sent on
    if is_one_of(bare, SEPARATORS) or is_header_block(lines, at):
        return "s"
    if is_introduction(bare) or (_is_quoted(lines, at + 1) and _introduces(bare)):
        return "a"
    if (
        bare.startswith(">")
        or (bare.startswith("|") and not bare.endswith("|"))
        or (_INITIALS.match(bare) and _initials_follow(lines, at))
    ):
        return "q"
    if _SIGNATURE.match(line) and not is_header_block(lines, at + 1):
        return "g"
    if _RULE.match(line) and any(is_header_block(lines, below) for below in (at + 1, at + 2)):
        return "x"
    return "d" if bare == _TRACKER or _is_device(lines, at) else "t"


def _is_device(lines: Sequence[str], at: int) -> bool:
    """`Sent from my phone`, set apart from the words above it as programs do; "Sent from the heart." is prose."""
    bare = lines[at].strip()
    if len(bare) > 120 or not (at == 0 or not lines[at - 1].strip() or _is_last(lines, at)):
        return False
    return bool(_DEVICE.match(bare))


def _is_last(lines: Sequence[str], at: int) -> bool:
    """Nothing follows but blank lines and what is marked as quoted; twenty lines are looked at."""
    following = (line.strip() for line in lines[at + 1 : at + 21])
    return next((line for line in following if line), ">").startswith(">")


@lru_cache(maxsize=REMEMBERED)
def is_one_of(bare: str, phrases: frozenset[str]) -> bool:
    """One of the phrases with dashes, stars or a colon round it."""
    core = bare.strip(_DECORATION).casefold()
    return core in phrases and bare.casefold() != core


@lru_cache(maxsize=REMEMBERED)
def is_introduction(bare: str) -> bool:
    """`On <date>, <name> <address> wrote:` and its kin."""
    core = (bare if bare.isascii() else bare.translate(_DIRECTION)).strip("->* \t")
    if len(core) > LONGEST_LINE or len(core) < 8:
        return False
    if _DATED.match(core) or _STAMPED.match(core):
        return True
    ruled = bare.startswith("--") and bare.endswith("--")
    # The cheap looks come first: to search for every verb of every language took 80 us a line.
    if not (ruled or has_date(core) or has_address(core)) or not _INTRODUCED.search(core):
        return False
    if ruled:
        return True
    # A sentence of the person's may end so too; an introduction has a colon, dashes round it, or starts with a date.
    return core.endswith((":", "：", "写道", "寫道")) or core != bare.strip() or bool(re.match(r"On\b.{0,40}\d", core))


@lru_cache(maxsize=REMEMBERED)
def _introduces(bare: str) -> bool:
    """What may stand above a quote that is marked: less is needed there than elsewhere."""
    if has_date(bare) and has_address(bare):
        return True
    colon = bare.endswith((":", "：")) and len(bare) <= 300
    if not colon:
        return False
    # "On Monday he wrote to me that he will come:" is a sentence, and so is "My address is a@b.example, write there:".
    return bool(_VERB_LAST.search(bare) or _BOXED_ADDRESS.search(bare) or (_YEAR.search(bare) and _CLOCK.search(bare)))


def is_header_block(lines: Sequence[str], at: int) -> bool:
    """From, Sent, To, Subject: at least three on neighbouring lines, or two that hold an address and a full date."""
    if at >= len(lines) or not _is_field(lines[at]):
        return False
    near = [line for line in lines[at : at + 10] if line.strip()][:6]
    if sum(map(_is_field, near)) >= 3 and sum(map(_is_field, near[:3])) >= 2:
        return True
    two = [line for line in lines[at : at + 2] if _is_field(line)]
    return len(two) == 2 and any(map(has_address, two)) and any(_CLOCK.search(x) and _YEAR.search(x) for x in two)


@lru_cache(maxsize=REMEMBERED)
def _is_field(line: str) -> bool:
    start = line[:60]
    return (":" in start or "：" in start) and len(line) <= LONGEST_LINE and bool(_FIELD.match(line))


def above_ours(lines: Sequence[str], first: int) -> list[int]:
    """Numbers of the lines right above a quote of ours that introduce it, whatever the language.

    One or two lines with an address, or with a year and a time, that end in a colon; a block of at least two
    `Label: value` lines of which one has an address; rules and titled rules.
    """
    above = [at for at in range(first - 1, max(-1, first - 14), -1) if lines[at].strip()][:9]
    found: list[int] = []
    if above and len(lines[above[0]]) <= LONGEST_LINE and lines[above[0]].rstrip(" *>").endswith((":", "：")):
        single = lines[above[0]]
        split = len(above) > 1 and above[1] == above[0] - 1 and not (_YEAR.search(single) and _CLOCK.search(single))
        for used in (2, 1) if split and _YEAR.search(lines[above[1]]) else (1, 2):
            joined = " ".join(lines[at].strip() for at in reversed(above[:used]))
            if len(above) >= used and len(joined) <= LONGEST_LINE and _is_dated(joined):
                found = above[:used]
                break
    if not found:
        labels = []
        for at in above:
            if len(lines[at]) > LONGEST_LINE or not _LABEL.match(lines[at]):
                break
            labels.append(at)
        # "Date: 3 May 2026 22:10", "Place: Mill Lane" is what a witness writes; a header has an address in it.
        if len(labels) >= 2 and any(has_address(lines[at]) for at in labels):
            found = labels
    for at in above[len(found) : len(found) + 2]:
        if not (_RULE.match(lines[at]) or (len(lines[at]) <= LONGEST_LINE and _TITLED.match(lines[at]))):
            break
        found.append(at)
    return found


def _is_dated(text: str) -> bool:
    return bool((_YEAR.search(text) and _CLOCK.search(text)) or re.search(r"<\s?\S{1,200}@\S{1,200}>", text))


def _is_quoted(lines: Sequence[str], at: int) -> bool:
    return next((line for line in lines[at : at + 2] if line.strip()), "").lstrip().startswith(">")


def _initials_follow(lines: Sequence[str], at: int) -> bool:
    mark = lines[at].strip().split(">")[0] + ">"
    near = [*lines[max(0, at - 1) : at], *lines[at + 1 : at + 2]]
    return any(line.strip().startswith(mark) for line in near)


def put_right(lines: list[str]) -> list[str]:
    """The lines with introductions on one line of their own: programs break them over two to four lines, phones put
    them behind the last words."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line, used = lines[at], 1
        if 8 <= len(line) <= LONGEST_LINE and "---" in line and (shared := _SHARED.match(line)):
            if is_introduction(shared[2]):
                out.append(shared[1].rstrip())
                line = shared[2]
        elif 8 <= len(line) <= 200 and (has_date(line) or has_address(line)):
            line, used = _joined(lines[at : at + 8])
        out.append(line)
        at += used
    return out


def _is_whole(text: str) -> bool:
    """An introduction that lacks nothing: who and when."""
    return is_introduction(text) and has_date(text) and (has_address(text) or bool(_CLOCK.search(text)))


def _joined(group: list[str]) -> tuple[str, int]:
    """The first line, or as many (at most four with words in them) as make one introduction; and their number."""
    parts: list[str] = []
    for used, line in enumerate(group, start=1):
        if len(parts) == 4 or len(line) > 200:
            break
        if line.strip():
            parts.append(line.strip("> \t"))
            if _INTRODUCED.search(parts[-1]) and is_introduction(joined := " ".join(parts)):
                if any(_is_whole(" ".join(parts[later:])) for later in range(1, len(parts))) or _OWN_LINE.match(
                    parts[0]
                ):
                    return group[0], 1  # the introduction begins further down, and this line is the person's
                return (joined if len(parts) > 1 else group[0]), used
    return group[0], 1
