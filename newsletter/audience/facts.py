"""What we know of a person besides their address: setting it, and checking what somebody typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from newsletter.audience.models import Subscriber

NAMES = {"name": 200, "first_name": 200, "last_name": 200, "language": 35}  # columns of Subscriber, and their length


def put(person: Subscriber, facts: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Set these on the record, unsaved; an empty value removes. Gives back key → (before, after) of what changed."""
    changes: dict[str, tuple[str, str]] = {}
    attributes = dict(person.attributes)
    before: Any
    after: Any
    for key, given in facts.items():
        if key in NAMES:
            before, after = getattr(person, key), str(given or "")[: NAMES[key]]
            setattr(person, key, after)
        else:
            before, after = attributes.get(key, ""), list(given) if isinstance(given, list | tuple) else given
            if after in (None, "", []):
                attributes.pop(key, None)
            else:
                attributes[key] = after
        if (before or "") != (after or ""):
            changes[key] = (_said(before), _said(after))
    person.attributes = attributes
    return changes


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "nothing")
