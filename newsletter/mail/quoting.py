"""What a person wrote anew in a reply: without the quoted message, its introduction, and the signature."""

from __future__ import annotations

import re

from newsletter.mail.quoting_words import DEVICES, FIELDS, FORWARDED, SEPARATORS, WROTE

_LONGEST_LINE = 500  # longer ones are prose, and no pattern is tried on them
_LONGEST_SIGNATURE = 12  # lines after `--`; more is not a signature
_DECORATION = " \t>*_-=#~|:："

_INTRODUCED = re.compile(rf"(?:{WROTE})(?:[^\w:：]|\s\S.{{0,60}})?[:：]?$", re.IGNORECASE)
# A date or an address: what every introduction has and few sentences that end in "wrote:" have.
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d\d\b|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|年")
_ADDRESS = re.compile(r"[<(\[\"']?[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
# Gmail's and Apple's newer form has no verb: date, time, name, <address>:
_DATED = re.compile(r"(?=.{0,200}\d{1,2}[:.]\d\d)(?=.{0,200}\b(?:19|20)\d\d\b).{5,300}<\S{3,200}@\S{3,200}>\s*[:：]$")
_FIELD = re.compile(rf"\s*[>*]?\s*\*?(?:{FIELDS})\s?\*?\s?[:：]\*?(?:\s|\S)", re.IGNORECASE)
_RULE = re.compile(r"\s*[-_=*]{2,}\s*$")
_SIGNATURE = re.compile(r"\s*(?:--|—|__+|- --)\s*$")
_DEVICE = re.compile(rf"\W{{0,3}}(?:{DEVICES})\S{{0,80}}(?:\s\S{{1,80}}){{0,6}}$", re.IGNORECASE)


def new_words(text: str) -> str:
    """The new words of a reply, or the whole text when nothing else is left of it.

    Answers written between the quoted lines are kept together with them, for they mean nothing alone.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines = _joined_introductions(lines)
    kinds = _without_signature([_kind(lines, at) for at in range(len(lines))])
    kinds = _without_signature(kinds[: _end_of_reply(kinds)])  # a signature stands below the quote, or above it
    dropped = "aqdx" if not _interleaved(kinds) else "adx"
    result = "\n".join(line for line, kind in zip(lines, kinds, strict=False) if kind not in dropped).strip()
    return result or text.strip()


def _kind(lines: list[str], at: int) -> str:
    """One letter: e empty, q quoted, a introduction, s separator (below it the old message), g signature mark,
    f sent on (all below is kept), d said by a device, x a rule above the old message, t text."""
    line = lines[at]
    bare = line.strip()
    if not bare:
        return "e"
    if len(line) > _LONGEST_LINE:
        return "t"
    if _is_one_of(bare, FORWARDED):
        return "f"
    if _is_one_of(bare, SEPARATORS) or _is_header_block(lines, at):
        return "s"
    if _is_introduction(bare) or (_DATE.search(bare) and _ADDRESS.search(bare) and _is_quoted(lines, at + 1)):
        return "a"
    if bare.startswith((">", "|")):
        return "q"
    if _SIGNATURE.match(line) and not _is_header_block(lines, at + 1):
        return "g"
    if _RULE.match(line) and any(_is_header_block(lines, below) for below in (at + 1, at + 2)):
        return "x"
    return "d" if len(bare) <= 120 and _DEVICE.match(bare) else "t"


def _is_one_of(bare: str, phrases: frozenset[str]) -> bool:
    """One of the phrases with dashes, stars or a colon round it."""
    core = bare.strip(_DECORATION).casefold()
    return core in phrases and bare.casefold() != core


def _is_introduction(bare: str) -> bool:
    """`On <date>, <name> <address> wrote:` and its kin."""
    core = bare.strip("->* \t")
    if len(core) > _LONGEST_LINE or len(core) < 8:
        return False
    if _DATED.match(core):
        return True
    if _INTRODUCED.search(core) and bare.startswith("--") and bare.endswith("--"):
        return True
    if not _INTRODUCED.search(core) or not (_DATE.search(core) or _ADDRESS.search(core)):
        return False
    # A sentence of the person's may end so too; an introduction has a colon, dashes round it, or starts with a date.
    return core.endswith((":", "：", "写道", "寫道")) or core != bare.strip() or bool(re.match(r"On\b.{0,40}\d", core))


def _is_quoted(lines: list[str], at: int) -> bool:
    return next((line for line in lines[at : at + 2] if line.strip()), "").lstrip().startswith(">")


def _is_header_block(lines: list[str], at: int) -> bool:
    """From, Sent, To, Subject: at least three of them on neighbouring lines."""
    if at >= len(lines) or len(lines[at]) > _LONGEST_LINE or not _FIELD.match(lines[at]):
        return False
    near = [line for line in lines[at : at + 10] if line.strip()][:6]
    return sum(1 for line in near if len(line) <= _LONGEST_LINE and _FIELD.match(line)) >= 3


def _joined_introductions(lines: list[str]) -> list[str]:
    """Mail programs break an introduction over two to four lines; such a one is put on one line."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line, used = lines[at], 1
        if 8 <= len(line) <= 200 and (_DATE.search(line) or _ADDRESS.search(line)):
            line, used = _joined(lines[at : at + 8])
        out.append(line)
        at += used
    return out


def _joined(group: list[str]) -> tuple[str, int]:
    """The first line, or as many (at most four with words in them) as make one introduction; and their number."""
    parts: list[str] = []
    for used, line in enumerate(group, start=1):
        if len(parts) == 4 or len(line) > 200:
            break
        if line.strip():
            parts.append(line.strip("> \t"))
            if _INTRODUCED.search(parts[-1]) and _is_introduction(joined := " ".join(parts)):
                return (joined if len(parts) > 1 else group[0]), used
    return group[0], 1


def _without_signature(kinds: list[str]) -> list[str]:
    """The lines up to the signature, where there are words of the person's before it and little after it."""
    last = {kind: at for at, kind in enumerate(kinds)}
    quoted_until = max(last.get("q", -1), last.get("a", -1))
    words_left, words_seen = kinds.count("t"), False
    for at, kind in enumerate(kinds):
        if kind == "f":
            break
        if kind == "t":
            words_seen, words_left = True, words_left - 1
        signed = kind == "g" and at > quoted_until and words_left <= _LONGEST_SIGNATURE
        if words_seen and (signed or (kind == "d" and at > last.get("q", -1))):
            return kinds[:at]
    return kinds


def _end_of_reply(kinds: list[str]) -> int:
    """Where the old message starts and nothing new follows."""
    last_words, words_seen = max((at for at, kind in enumerate(kinds) if kind == "t"), default=-1), False
    for at, kind in enumerate(kinds):
        words_seen = words_seen or kind == "t"
        if kind == "f":
            break
        if kind == "s" and (words_seen or last_words < at):
            return at
        if kind == "a" and words_seen:
            following = next((other for other in kinds[at + 1 : at + 4] if other != "e"), "")
            if following != "q" or last_words < at:
                return at  # an unmarked quote, or a marked one with nothing of the person's after it
    return len(kinds)


def _interleaved(kinds: list[str]) -> bool:
    """New words after quoted ones that stand after new words."""
    return bool(re.search("t[aq]*q[aq]*t", "".join(kind for kind in kinds if kind not in "edgx")))
