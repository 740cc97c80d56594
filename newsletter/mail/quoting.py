"""What a person wrote anew in a reply: without the quoted message, its introduction, and the signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.mail import quoting_known, quoting_lines

_LONGEST_SIGNATURE = 12  # lines after `--`; more is not a signature
_NAME = re.compile(r"\s?[-–—]\s?[A-Z][\w'’-]{1,30}(?: [A-Z][\w'’.-]{0,30}){0,3}$")
_DEVICE_NAMES = re.compile(
    r"phone|ipad|android|galaxy|samsung|huawei|xiaomi|nokia|blackberry|windows|outlook|mobile|mobil|handy|"
    r"\b(?:e-?|g|hot|yahoo |proton ?)?mail\b|tablet|\bapp\b|smart|(?-i:\bmy [A-Z0-9])|телефон|手机|手機|ffôn",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Policy:
    """What counts as the person's words. A desk needs no signature first; who measures may want them kept."""

    signatures: bool = True  # are taken off, and so is "Sent from my phone"
    forwarded: bool = True  # what they sent on to us is part of what they say

    @classmethod
    def of(cls, words: str) -> Policy:
        """Of the words in a corpus of replies: `strip quotes, keep signature`, `…; forwarded kept`."""
        return cls(signatures="keep signature" not in words)


AS_SHOWN = Policy()


def new_words(text: str, sent: str | Sequence[str] = "", policy: Policy | str = AS_SHOWN) -> str:
    """The new words of a reply, or the whole text when nothing else is left of it.

    `sent` is the text of the copy that is answered, or several (its plain part, the words of its HTML, an answer of
    ours): what of it stands in the reply is left out, in any language. Answers written between the quoted lines are
    kept together with them, for they mean nothing alone. Never raises; linear in the length of `text`.
    """
    policy = Policy.of(policy) if isinstance(policy, str) else policy
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines = quoting_lines.put_right(lines)
    kinds = [quoting_lines.kind(lines, at) for at in range(len(lines))]
    if not policy.forwarded:
        kinds = ["s" if kind == "f" else kind for kind in kinds]
    answered_between = _mark_ours(lines, kinds, (sent,) if isinstance(sent, str) else sent)
    if policy.signatures:
        kinds = _without_signature(lines, kinds)
    if not answered_between:
        kinds = kinds[: _end_of_reply(kinds)]
    if policy.signatures:
        kinds = _without_signature(lines, kinds)  # a signature stands below the quote, or above it
        _without_name(lines, kinds)
    dropped = "aqdx"
    if answered_between or _interleaved(kinds):
        dropped = "adx"
        kinds = kinds[: _last_of_theirs(kinds) + 1]  # no answer stands in what is quoted below the last one
    if not policy.signatures:
        dropped = dropped.replace("d", "")
    result = "\n".join(line for line, kind in zip(lines, kinds, strict=False) if kind not in dropped).strip()
    return result or text.strip()


def _mark_ours(lines: Sequence[str], kinds: list[str], sent: Sequence[str]) -> bool:
    """Call quoted what we sent, and introduction what stands above it. True when somebody answered in between,
    where no program marked the quote: then nothing below a separator may be cut."""
    ours = quoting_known.ours(lines, sent) if any(sent) else frozenset()
    if not ours:
        return False
    first, last = min(ours), max(ours)
    unmarked = any(kinds[at] != "q" for at in ours)
    for at in ours:
        if kinds[at] not in "f":
            kinds[at] = "q"
    for at in sorted(ours):
        if at - 1 not in ours:
            for above in quoting_lines.above_ours(lines, at):
                if kinds[above] in "tgx":
                    kinds[above] = "a"
    between = [at for at in range(first, last) if kinds[at] == "t" and re.search(r"\w", lines[at])]
    return bool(between) and unmarked


def _without_signature(lines: Sequence[str], kinds: list[str]) -> list[str]:
    """The kinds up to the signature, where there are words of the person's before it and little after it."""
    last = {kind: at for at, kind in enumerate(kinds)}
    quoted_until = max(last.get("q", -1), last.get("a", -1))
    words_left, words_seen = kinds.count("t"), False
    for at, kind in enumerate(kinds):
        if kind == "f":
            break
        if kind == "t":
            words_seen, words_left = True, words_left - 1
        signed = kind == "g" and at > quoted_until and words_left <= _LONGEST_SIGNATURE and not _asks(lines, kinds, at)
        if words_seen and (signed or (kind == "d" and at > last.get("q", -1) and _is_a_name(lines, kinds, at))):
            return kinds[:at]
    return kinds


def _without_name(lines: Sequence[str], kinds: list[str]) -> None:
    """`-Ann Oakley`, alone at the end."""
    last = max((at for at, kind in enumerate(kinds) if kind == "t"), default=0)
    if last and kinds[last - 1] == "e" and kinds.count("t") > 1 and _NAME.match(lines[last]):
        kinds[last] = "d"


def _asks(lines: Sequence[str], kinds: Sequence[str], at: int) -> bool:
    """A question below a rule of dashes is no signature."""
    below = zip(lines[at + 1 :], kinds[at + 1 :], strict=False)
    return any(kind == "t" and line.endswith(("?", "？", "؟")) for line, kind in below)


def _is_a_name(lines: Sequence[str], kinds: Sequence[str], at: int) -> bool:
    """What follows what a device said is at most a name and a number; more is what the person goes on to say, unless
    the line names a device or a program."""
    if _DEVICE_NAMES.search(lines[at]):
        return True
    below = [line for line, kind in zip(lines[at + 1 :], kinds[at + 1 :], strict=False) if kind == "t"]
    return len(below) <= 4 and all(len(line) <= 60 and not line.endswith(("?", "!", ".")) for line in below)


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


def _last_of_theirs(kinds: Sequence[str]) -> int:
    return max((at for at, kind in enumerate(kinds) if kind in "tfg"), default=len(kinds) - 1)


def _interleaved(kinds: list[str]) -> bool:
    """New words after quoted ones that stand after new words."""
    return bool(re.search("t[aq]*q[aq]*t", "".join(kind for kind in kinds if kind not in "edgx")))
