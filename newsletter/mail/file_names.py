"""Names of files that strangers chose, made fit for a folder on any system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from newsletter.mail.charsets import one_line

LONGEST = 120  # letters; 255 bytes is the limit of most file systems, and a letter has up to four
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(?:\.|$)", re.IGNORECASE)


def safe(name: str, taken: Collection[str] = ()) -> str:
    """`name` as one file name: no folder, no device of Windows, no hidden file, and none of `taken` (letter case
    aside): `photo.jpg`, then `photo (2).jpg`."""
    plain = one_line(unicodedata.normalize("NFC", name.replace("\0", "")))
    plain = re.sub(r'[/\\:*?"<>|]', "_", plain).strip(" .")
    if not plain or not plain.strip("_"):
        plain = "unnamed"
    if _RESERVED.match(plain) or plain.startswith(("-", "~", "$")):
        plain = f"_{plain}"
    stem, dot, ending = plain.rpartition(".")
    if not dot or not stem or len(ending) > 12:
        stem, ending = plain, ""
    stem = stem[:LONGEST].rstrip(" .")
    ending = f".{ending}" if ending else ""
    used = {one.casefold() for one in taken}
    chosen, number = f"{stem}{ending}", 2
    while chosen.casefold() in used:
        chosen, number = f"{stem} ({number}){ending}", number + 1
    return chosen
