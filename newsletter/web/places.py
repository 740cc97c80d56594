"""What a person typed as their area: a postcode, or the name of an area that we have."""

from __future__ import annotations

import re
from typing import Any

from newsletter import settings
from newsletter.audience.models import Area

_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][0-9A-Z]?)([0-9][A-Z]{2})")  # BS 7666: outward and inward code


def read(text: str) -> dict[str, Any]:
    """The facts that it says, under the names of Subscriber.attributes; {} when it says nothing that we know."""
    typed = " ".join(text.split())[:100]
    if not typed:
        return {}
    if found := _POSTCODE.fullmatch(typed.upper().replace(" ", "")):
        return {"postcode": f"{found[1]} {found[2]}"}
    if keys := list(Area.objects.filter(title__iexact=typed).order_by("key").values_list("key", flat=True)[:2]):
        return {"areas": keys[:1]}
    if "ward" in settings.current().fields and not re.search(r"[<>{}\\]|://|www\.", typed):
        return {"ward": typed}
    return {}
