"""Headers of mail that came in: encoded words, names, addresses and identifiers, each within limits."""

from __future__ import annotations

import base64
import binascii
import re

from newsletter.mail.addresses import parse
from newsletter.mail.charsets import decode, one_line

LONGEST_VALUE = 16_384  # letters of one header that are looked at; To: with 5,000 people is cut, not refused
MOST_ADDRESSES = 100
_WORD = re.compile(r"=\?([A-Za-z0-9_.:+-]{1,40})(?:\*[A-Za-z0-9-]{0,20})?\?([bBqQ])\?([^?\s]{0,4000})\?=")
_IDENTIFIER = re.compile(r"<([^<>\s]{1,900})>")
_PARAMETER = re.compile(
    r";\s*([A-Za-z0-9_-]{1,40})(\*\d{1,3})?(\*)?\s*=\s*(?:\"((?:[^\"\\]|\\.){0,2000})\"|([^\s;]{0,2000}))"
)


def block(raw: bytes, most_lines: int = 2000) -> list[tuple[str, str]]:
    """The headers of the first block of `raw`, unfolded, in order; names in lower case, values not yet decoded.

    Lines that are no header are skipped. Bytes beyond ASCII are read as UTF-8, else as Windows-1252.
    """
    found: list[list[bytes]] = []
    for line in raw.split(b"\n", most_lines)[:most_lines]:
        line = line.rstrip(b"\r")
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            if found:
                found[-1].append(line)
            continue
        found.append([line])
    out = []
    for lines in found:
        name, colon, value = b"".join(lines)[:LONGEST_VALUE].partition(b":")
        if colon and re.fullmatch(rb"[!-9;-~]{1,100}[ \t]*", name):
            out.append((name.decode("ascii").strip().lower(), decode(value).strip()))
    return out


def words(value: str) -> str:
    """RFC 2047: the encoded words of a header in plain text, on one line. Never raises."""
    value = value[:LONGEST_VALUE]
    out: list[str] = []
    charset, pending, end = "", b"", 0
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        if between.strip() or not end or match[1].lower() != charset:
            # Bytes of one character may be spread over words of the same charset, so they are decoded together.
            out.append(decode(pending, charset))
            pending = b""
        if between.strip() or not end:
            out.append(between)
        charset, end = match[1].lower(), match.end()
        pending += _word_bytes(match[2].lower(), match[3])
    out += [decode(pending, charset), value[end:]]
    return one_line("".join(out))


def mailboxes(value: str) -> list[tuple[str, str]]:
    """(name, address) of a From, To or Cc: at most 100, in one pass. An address that is none becomes ''."""
    found: list[tuple[str, str]] = []
    for entry in _split(value[:LONGEST_VALUE]):
        if len(found) >= MOST_ADDRESSES:
            break
        display, address = entry
        try:
            wire = parse(address).wire if address else ""
        except ValueError:
            wire = ""
        if wire or display.strip():
            found.append((words(display), wire))
    return found


def identifiers(value: str) -> tuple[str, ...]:
    """What stands in angle brackets in Message-ID, In-Reply-To or References, at most 200."""
    return tuple(match[1] for _, match in zip(range(200), _IDENTIFIER.finditer(value[:LONGEST_VALUE]), strict=False))


def content_type(value: str) -> tuple[str, dict[str, str]]:
    """`text/plain` and its parameters (names in lower case), RFC 2045, 2231 and the wild. Never raises."""
    kind, _, _ = value[:200].partition(";")
    parameters: dict[str, str] = {}
    extended: dict[str, bytes] = {}
    charsets: dict[str, str] = {}
    for _, match in zip(range(50), _PARAMETER.finditer(value[:LONGEST_VALUE]), strict=False):
        name = match[1].lower()
        text = re.sub(r"\\(.)", r"\1", match[4]) if match[4] is not None else match[5]
        if match[2] or match[3]:  # name*0*=utf-8''%e2%82%ac
            if match[3] and name not in charsets:
                charsets[name], text = _charset(text)
            raw = _unquoted(text) if match[3] else text.encode("utf-8", "replace")
            extended[name] = (extended.get(name, b"") + raw)[:4000]
        else:
            parameters.setdefault(name, words(text))
    for name, raw in extended.items():
        parameters[name] = one_line(decode(raw, charsets.get(name, "")))
    return kind.strip().lower(), parameters


def _charset(text: str) -> tuple[str, str]:
    parts = text.split("'", 2)
    return (parts[0], parts[2]) if len(parts) == 3 else ("", text)


def _unquoted(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda hit: bytes((int(hit[1], 16),)), text.encode("utf-8", "replace"))


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("ascii", "replace")
    if encoding == "q":
        return binascii.a2b_qp(raw, header=True)
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        return raw


def _split(value: str) -> list[tuple[str, str]]:
    """Mailboxes of a header, split at commas outside quotes, comments and brackets, as (display, address)."""
    out: list[tuple[str, str]] = []
    display, address, comment = "", "", ""
    quoted = angle = escaped = False
    depth = 0
    for letter in value + ",":
        if escaped:
            escaped = False
        elif letter == "\\" and (quoted or depth):
            escaped = True
            continue
        elif letter == '"' and not depth:
            quoted = not quoted
            continue
        elif not quoted and letter == "(":
            depth += 1
            continue
        elif not quoted and depth and letter == ")":
            depth -= 1
            continue
        elif not quoted and not depth and letter == "<":
            angle, address = True, ""
            continue
        elif not quoted and angle and letter == ">":
            angle = False
            continue
        elif not quoted and not depth and letter in ",;":
            out.append((display, address) if address else (comment, display))
            display, address, comment, angle = "", "", "", False
            continue
        if depth:
            comment += letter
        elif angle:
            address += letter
        else:
            display += letter
    return [(name, box.strip()) for name, box in out if name.strip() or box.strip()]
