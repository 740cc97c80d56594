"""How a postcode is written: as it is kept and compared, with one space before its last three characters."""

from __future__ import annotations

import re

# Royal Mail's shapes (A9 9AA, A99, AA9, AA99, A9A, AA9A, and GIR 0AA), for made-up letters, too: whether a postcode
# exists is a question for the file of postcodes.
_SHAPE = re.compile(r"([A-Z]{1,2}[0-9][0-9A-Z]?|GIR)([0-9][A-Z]{2})")


def spelled(text: str) -> str:
    """`st163aa`, `ST16  3AA` and `St16 3aa` → `ST16 3AA`; the empty string for what is no postcode."""
    found = _SHAPE.fullmatch(re.sub(r"[\s\u00a0.-]+", "", text).upper())
    return f"{found[1]} {found[2]}" if found else ""
