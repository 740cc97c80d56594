"""Bytes that somebody else encoded, read as text: from a short list of character sets, and never failing."""

from __future__ import annotations

# WHATWG's labels for the web, less its oddities. Anything else (utf-7, which turns `+ADw-` into `<`;
# unicode_escape, idna, zlib: Python codecs all) is not a character set of mail and is not asked.
_CODECS = {
    **dict.fromkeys(("utf-8", "utf8", "utf8mb4", "unicode-1-1-utf-8"), "utf-8"),
    # What says Latin-1 or ASCII and is not UTF-8 is Windows in practice; WHATWG reads it so.
    **dict.fromkeys(("us-ascii", "ascii", "iso-8859-1", "iso8859-1", "latin1", "latin-1", "cp1252", "ansi"), "cp1252"),
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"cp{n}": f"cp{n}" for n in range(1250, 1259)},
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e", "logical"), "iso8859_8"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "windows-874"), "cp874"),
    **dict.fromkeys(("koi8-r", "koi8"), "koi8_r"),
    "koi8-u": "koi8_u",
    **dict.fromkeys(("macintosh", "mac", "x-mac-roman"), "mac_roman"),
    "x-mac-cyrillic": "mac_cyrillic",
    "ibm866": "cp866",
    "cp866": "cp866",
    "cp-850": "cp850",
    "cp850": "cp850",
    "ibm850": "cp850",
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "x-gbk", "euc-cn"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("euc-jp", "x-euc-jp"), "euc_jp"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "windows-31j", "cp932", "ms_kanji"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "cp949", "windows-949"), "cp949"),
    "iso-2022-jp": "iso2022_jp_2",
    "iso-2022-kr": "iso2022_kr",
    **dict.fromkeys(("utf-16", "utf-16le"), "utf-16-le"),
    "utf-16be": "utf-16-be",
}
# Plain ASCII bytes to the eye: trying UTF-8 first would always succeed and always be wrong.
_STATEFUL = frozenset({"iso2022_jp_2", "iso2022_kr", "utf-16-le", "utf-16-be"})


def decode(raw: bytes, declared: str = "") -> str:
    """`raw` as text: UTF-8 where it is valid UTF-8, else as declared, else as Windows-1252. Never raises.

    Many mails declare Latin-1 and carry UTF-8; text that is valid UTF-8 with letters beyond ASCII is UTF-8.
    """
    codec = _CODECS.get(declared.strip().strip("\"'").lower(), "")
    if codec in _STATEFUL:
        text = raw.decode(codec, "replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            # Some declare UTF-8 and carry Windows-1252; a few broken bytes in real UTF-8 are the rarer case.
            text = raw.decode("cp1252" if codec in ("", "utf-8") else codec, "replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "�")


def one_line(text: str) -> str:
    """`text` without line breaks, control characters and runs of blanks: what a header or a name may show.

    An encoded word can decode to a real line break and a header of its own.
    """
    return " ".join("".join(letter if letter.isprintable() or letter == "\u200d" else " " for letter in text).split())
