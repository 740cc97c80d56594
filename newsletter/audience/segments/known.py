"""The names that a segment may use: lists, fields, areas, other segments, issues that were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.audience.models import Segment as Stored
from newsletter.config import Config


@dataclass(frozen=True)
class Known:
    """Values in, so that reading a segment needs no database. Areas: key and title, in small letters → key."""

    lists: Mapping[str, str] = field(default_factory=dict)  # key → title
    fields: Mapping[str, str] = field(default_factory=dict)  # key → type
    areas: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)  # key → title
    issues: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config) -> Known:
        """What this workspace knows now."""
        from django.db import connection

        from newsletter.audience import areas

        every = areas.known()
        titles: dict[str, list[str]] = {}
        for area in every.values():
            titles.setdefault(area.title.casefold(), []).append(area.key)
        named = {title: keys[0] for title, keys in titles.items() if len(keys) == 1}
        with connection.cursor() as cursor:
            cursor.execute("SELECT slug FROM sending_mailing ORDER BY id DESC")
            issues = tuple(slug for (slug,) in cursor.fetchall())
        return cls(
            {key: one.title for key, one in config.lists.items()},
            {key: one.type for key, one in config.fields.items()},
            {**named, **{key: key for key in every}},
            dict(Stored.objects.order_by("key").values_list("key", "title")),
            issues,
        )
