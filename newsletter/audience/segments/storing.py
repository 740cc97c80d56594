"""The segments that are kept: by key, checked when they are saved and again when they are used."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from newsletter.audience.models import Segment as Stored
from newsletter.audience.segments.known import Known
from newsletter.audience.segments.model import Segment
from newsletter.audience.segments.reading import KEY, read
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean


def stored() -> list[Stored]:
    """All of them, by key."""
    return list(Stored.objects.order_by("key"))


def get(config: Config, key: str, known: Known | None = None) -> Segment:
    """One by its key. Raises NewsletterError: unknown-segment, bad-segment (a list that it names is gone …)."""
    row = Stored.objects.filter(key=key).first()
    if row is None:
        keys = list(Stored.objects.order_by("key").values_list("key", flat=True))
        hint = did_you_mean(key, keys) or (f"There are: {', '.join(keys)}." if keys else "There are none yet.")
        raise NewsletterError(Problem("unknown-segment", f"There is no segment called ‘{key[:80]}’", hint))
    try:
        return read(row.definition, known or Known.of(config), own=key)
    except NewsletterError as error:
        said = [Problem(one.code, f"Segment {key}, {one.message}", one.hint) for one in error.problems]
        raise NewsletterError(*said, exit=error.exit) from None


def save(config: Config, key: str, title: str, definition: Any, by: str = "", *, new: bool | None = None) -> Segment:
    """Check and keep a segment. `new`: True = there must be none yet, False = there must be one.

    Raises NewsletterError: bad-segment, segment-exists, unknown-segment. A list and a segment never share a key,
    because both may stand in `audience:`.
    """
    if not KEY.fullmatch(key):
        hint = "Small letters, digits, - and _, such as north-wards."
        raise NewsletterError(
            Problem("bad-segment", f"‘{key[:80]}’ cannot be the key of a segment", hint), exit=Exit.USAGE
        )
    if key in config.lists:
        raise NewsletterError(Problem("segment-exists", f"There is a list called ‘{key}’; choose another key"))
    known = Known.of(config)
    segment = read(definition, known, own=key)
    with transaction.atomic():
        there = Stored.objects.filter(key=key).exists()
        if new and there:
            hint = f"Change it: newsletter recipients segments edit {key} …"
            raise NewsletterError(Problem("segment-exists", f"There is a segment called ‘{key}’ already", hint))
        if new is False and not there:
            get(config, key, known)
        Stored.objects.update_or_create(
            key=key, defaults={"title": title or key, "definition": definition, "by": by[:100]}
        )
        _no_circle(config, key, known)
    return segment


def remove(config: Config, key: str) -> None:
    """Take a segment away. Raises NewsletterError: unknown-segment, segment-used by another one."""
    get_row = Stored.objects.filter(key=key)
    if not get_row.exists():
        get(config, key)
    users = [
        row.key
        for row in stored()
        if row.key != key and any(key in one.values for one in get(config, row.key).conditions if one.kind == "segment")
    ]
    if users:
        hint = "Change or remove those first."
        raise NewsletterError(Problem("segment-used", f"{key} is used by {', '.join(users)}", hint), exit=Exit.REFUSED)
    get_row.delete()


def _no_circle(config: Config, key: str, known: Known) -> None:
    """Raises NewsletterError(bad-segment) when a segment asks for itself by way of others; the save is undone."""
    path = [key]

    def walk(one: str) -> None:
        for condition in get(config, one, known).conditions:
            for value in condition.values if condition.kind == "segment" else ():
                if value == key:
                    raise NewsletterError(
                        Problem("bad-segment", f"{' asks for '.join([*path, key])}: that is a circle")
                    )
                if value not in path:
                    path.append(value)
                    walk(value)
                    path.pop()

    known = Known(known.lists, known.fields, known.areas, {**known.segments, key: key}, known.issues)
    walk(key)
