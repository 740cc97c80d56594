"""Header lines: text that people read is encoded where it must be, names that machines read never are."""

from __future__ import annotations

import base64
import re

from newsletter.problems import NewsletterError, Problem

# RFC 5322 2.1.1: at most 998 octets in a line, 78 wanted. RFC 2047 2: an encoded word has at most 75.
LONGEST_LINE, WANTED_LINE, LONGEST_WORD = 998, 78, 75
_WORD_FRAME = len("=?utf-8?q??=")

_PHRASE_AS_IS = re.compile(r"(?!.{61})[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PHRASE_QUOTED = re.compile(r"(?!.{61})[!-~]+(?: [!-~]+)*")
_TEXT_AS_IS = re.compile(r"[!-~]{1,900}(?: [!-~]{1,900})*")
_TOKEN = re.compile(r"[!-~]{1,980}")
# What no header may hold: C0, DEL, C1, the Unicode line breaks, lone surrogates. A CR or LF would start a header
# of the attacker's own (Plunk CVE-2026-34975); NUL and the rest are read differently by different servers.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # also in a phrase


def text(name: str, value: str) -> str:
    """The whole line `Name: value\\r\\n` of a header that people read (Subject), folded and encoded as needed.

    A parser gives back exactly `value`. Raises NewsletterError(bad-header-value) for control characters.
    """
    if not value:
        return f"{name}: \r\n"
    if _TEXT_AS_IS.fullmatch(value) and "=?" not in value:
        return _fold(name, value.split(" "))
    return _fold(name, _encoded_words(name, value, first=LONGEST_WORD - len(name) - 2))


def phrase(name: str, value: str) -> str:
    """A display name as it stands before `<address>`: as it is, in quotes, or as encoded words (folded).

    Plain text that looks like an encoded word is encoded, so that it is not read as one.
    """
    if "=?" not in value:
        if _PHRASE_AS_IS.fullmatch(value):
            return value
        if _PHRASE_QUOTED.fullmatch(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
    return "\r\n ".join(_encoded_words(name, value, first=LONGEST_WORD - len(name) - 2))


def mailbox(name: str, display: str, address: str) -> str:
    """The line `Name: Display <address>`; the address is never encoded or folded. `display` may be empty."""
    if not display:
        return f"{name}: {address}\r\n"
    shown = phrase(name, display)
    last = len(shown) - shown.rfind("\n") - 1 if "\n" in shown else len(name) + 2 + len(shown)
    gap = " " if last + len(address) + 3 <= WANTED_LINE else "\r\n "
    return f"{name}: {shown}{gap}<{address}>\r\n"


def structured(name: str, *tokens: str) -> str:
    """The line of a header that machines read: tokens with single blanks between, never encoded or cut.

    A default EmailMessage encodes a token of 80 letters (`=?utf-8?q?=3Chttps…`), which kills one-click and
    threading. A token over 980 letters, or one that is not printable ASCII, is refused.
    """
    for token in tokens:
        if not _TOKEN.fullmatch(token):
            raise refusal(name, token)
    return _fold(name, tokens)


def refusal(name: str, value: str) -> NewsletterError:
    """The error for a value that cannot stand in header `name`."""
    shown = value if len(value) <= 60 else f"{value[:60]}…"
    return NewsletterError(
        Problem(
            "bad-header-value",
            f"{name} cannot hold {shown!r}",
            hint="A header is one line: no line breaks, no control characters; addresses and links in plain ASCII, "
            "at most 980 letters.",
        )
    )


def _fold(name: str, words: list[str] | tuple[str, ...]) -> str:
    """Words joined by single blanks; a line break before a blank where the line would pass 78."""
    out, width = [f"{name}:"], len(name) + 1
    for number, word in enumerate(words):
        # No break before the first word: some servers take `Subject:` followed by nothing for an empty header.
        if number and width + 1 + len(word) > WANTED_LINE:
            out.append("\r\n")
            width = 0
        out.append(f" {word}")
        width += 1 + len(word)
    return f"{''.join(out)}\r\n"


def _encoded_words(name: str, value: str, first: int) -> list[str]:
    """RFC 2047 words of at most 75 letters, cut between characters; B or Q, whichever is shorter."""
    if _FORBIDDEN.search(value):
        raise refusal(name, value)
    raw = value.encode("utf-8")
    q_length = sum(1 if byte in _Q_SAFE or byte == 32 else 3 for byte in raw)
    as_q = q_length <= (len(raw) + 2) // 3 * 4
    words: list[str] = []
    start = size = 0
    room = first - _WORD_FRAME
    for at, letter in enumerate(value):
        octets = letter.encode("utf-8")
        more = sum(1 if byte in _Q_SAFE or byte == 32 else 3 for byte in octets) if as_q else len(octets)
        if size and (size + more if as_q else (size + more + 2) // 3 * 4) > room:
            words.append(_word(value[start:at], as_q))
            start, size, room = at, 0, LONGEST_WORD - _WORD_FRAME
        size += more
    words.append(_word(value[start:], as_q))
    return words


def _word(piece: str, as_q: bool) -> str:
    raw = piece.encode("utf-8")
    if not as_q:
        return f"=?utf-8?b?{base64.b64encode(raw).decode('ascii')}?="
    letters = (chr(byte) if byte in _Q_SAFE else "_" if byte == 32 else f"={byte:02X}" for byte in raw)
    return f"=?utf-8?q?{''.join(letters)}?="
