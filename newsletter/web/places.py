"""What a person typed as their area: a postcode, or the name of a place.

Where a map is loaded its areas are the truth: a place that is one of them sets the area, and the declared field `ward`,
if there is one, is its title, so that a choice by either finds the same people. Without a map the field is all there
is. What is neither is kept as typed under "place", for a colleague to look at: nobody is put into a ward that is none.
"""

from __future__ import annotations

import re
from typing import Any

from newsletter import settings
from newsletter.audience import areas
from newsletter.audience.models import Area

_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][0-9A-Z]?)([0-9][A-Z]{2})")  # BS 7666: outward and inward code
_NO_PLACE = re.compile(r"[<>{}\\\x00-\x1f\x7f-\x9f]|://|www\.")  # spam, and what no keyboard has


def read(text: str) -> dict[str, Any]:
    """The facts that it says, under the names of Subscriber.attributes; {} when it says nothing that can be kept."""
    typed = " ".join(text.split())[:100]
    if not typed or _NO_PLACE.search(typed):
        return {}
    if found := _POSTCODE.fullmatch(typed.upper().replace(" ", "")):
        code = f"{found[1]} {found[2]}"
        key = areas.of_postcode(code)
        return {"postcode": code, **(_lives_in(key) if key else {})}
    if key := _area(typed):
        return _lives_in(key)
    if "ward" in settings.current().fields and not Area.objects.exists():
        return {"ward": typed}
    return {"place": typed}


def _area(typed: str) -> str:
    """The key of the one area that is called so; "" where there is none, or several are."""
    keys = Area.objects.filter(title__iexact=typed).values_list("key", flat=True)[:2]
    if len(keys) == 1:
        return str(keys[0])
    return str(Area.objects.filter(key=typed.casefold()).values_list("key", flat=True).first() or "")


def _lives_in(key: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"areas": [key]}
    if "ward" in settings.current().fields:
        facts["ward"] = Area.objects.values_list("title", flat=True).get(key=key)
    return facts
