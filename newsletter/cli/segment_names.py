"""The names of the stored segments, for reading issues: the database is asked only when a name is no list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from newsletter.config import Config


class SegmentNames(Mapping[str, str]):
    """Key → title. Nothing is stored where no database was made yet."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._found: dict[str, str] | None = None

    def __getitem__(self, key: str) -> str:
        return self._names()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> dict[str, str]:
        from newsletter import settings

        if self._found is None:
            if not settings.has_database(self._config):
                return {}
            from newsletter.audience import database

            database.ready(self._config)
            from newsletter.audience.models import Segment

            self._found = dict(Segment.objects.order_by("key").values_list("key", "title"))
        return self._found
