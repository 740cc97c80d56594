"""How a value is written for a reader: `title`, `upper`, `lower`, `date` and `number`, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

FILTERS = ("title", "upper", "lower", "date", "number")
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "cy": "Ionawr Chwefror Mawrth Ebrill Mai Mehefin Gorffennaf Awst Medi Hydref Tachwedd Rhagfyr",
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "ur": "جنوری فروری مارچ اپریل مئی جون جولائی اگست ستمبر اکتوبر نومبر دسمبر",
}


def formatted(value: str, filters: Sequence[str], language: str) -> str:
    """`value` after each filter, left to right; the empty string when a date or number filter cannot read it.

    `language` is BCP 47. Dates come as ISO 8601 (2026-12-08), numbers as digits with an optional point.
    """
    for name in filters:
        if name == "date":
            value = long_date(value, language)
        elif name == "number":
            value = grouped(value)
        elif name == "title":
            # str.title() would make O'Neill's into O'Neill'S
            value = re.sub(r"(?<!\S)\S", lambda first: first[0].upper(), value)
        else:
            value = value.upper() if name == "upper" else value.lower()
    return value


def long_date(value: str, language: str) -> str:
    """`8 December 2026` for `2026-12-08`; the empty string when it is no such date."""
    try:
        day = date.fromisoformat(value.strip()[:10])
    except ValueError:
        return ""
    months = MONTHS.get(language.split("-")[0].lower(), MONTHS["en"]).split()
    return f"{day.day} {months[day.month - 1]} {day.year}"


def grouped(value: str) -> str:
    """`12,345.5` for `12345.5`; the empty string when it is no finite number."""
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return ""
    if not number.is_finite() or abs(number.adjusted()) > 30:
        return ""
    return f"{number:,f}"
