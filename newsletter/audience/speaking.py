"""How many people would get a mailing in which language, as it is on their record."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.audience import selecting
from newsletter.config import Config


def languages(config: Config, audience: Sequence[str]) -> dict[str, int]:
    """Language (BCP 47, as on record; "" = they never said) → people who get it, the most first. Adds up to all."""
    from django.db import connection

    people, chosen = selecting.sql(config, audience)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT language, count(*) AS people FROM ({people}) AS person GROUP BY language ORDER BY 2 DESC, 1",  # noqa: S608
            chosen,
        )
        return dict(cursor.fetchall())
