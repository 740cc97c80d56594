"""What depends on the language: reading direction, dates, numbers, and which fixed words are used."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

RTL = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"}
RTL_SCRIPTS = {"arab", "hebr", "syrc", "thaa", "nkoo"}
FALLBACK = "en"
_WORDS = {
    "en": "January February March April May June July August September October November December",
    "cy": "Ionawr Chwefror Mawrth Ebrill Mai Mehefin Gorffennaf Awst Medi Hydref Tachwedd Rhagfyr",
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "ur": "جنوری فروری مارچ اپریل مئی جون جولائی اگست ستمبر اکتوبر نومبر دسمبر",
}
MONTHS = {language: words.split() for language, words in _WORDS.items()}
# Thousands and decimal signs. Digits stay 0-9 in Arabic and Urdu: British public bodies print them so, and every
# phone number beside them uses them.
SIGNS = {"en": (",", "."), "cy": (",", "."), "ar": (",", "."), "ur": (",", ".")}


def primary(language: str) -> str:
    """`en` of `en-GB`."""
    return re.split(r"[-_]", language.lower())[0]


def direction(language: str) -> str:
    """`rtl` or `ltr`; a script subtag (`pa-Arab`) decides before the language does."""
    subtags = re.split(r"[-_]", language.lower())
    scripts = [tag for tag in subtags[1:] if len(tag) == 4 and tag.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in RTL_SCRIPTS else "ltr"
    return "rtl" if subtags[0] in RTL else "ltr"


def long_date(day: date, language: str) -> str:
    """`24 November 2026`, in the language or else in English."""
    months = MONTHS.get(primary(language), MONTHS[FALLBACK])
    return f"{day.day} {months[day.month - 1]} {day.year}"


def parse_date(text: str) -> date | None:
    """The date of `2026-12-08`, `2026-12-08T10:00` or `08/12/2026` (day first, as people here write it); else None."""
    text = text.strip()
    iso = re.match(r"(\d{4})-(\d{2})-(\d{2})(?:$|[T ])", text)
    british = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        return date(int(british[3]), int(british[2]), int(british[1])) if british else None
    except ValueError:
        return None


def number(text: str, language: str) -> str | None:
    """`12,345.6` of `12345.6`, or None when it is no number."""
    if not re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,30})?", text.strip(), re.ASCII):
        return None
    whole, _, fraction = text.strip().partition(".")
    sign = whole[0] if whole[0] in "+-" else ""
    thousands, decimal = SIGNS.get(primary(language), SIGNS[FALLBACK])
    grouped = f"{int(whole.lstrip('+-')):,}".replace(",", thousands)
    return f"{sign}{grouped}{decimal + fraction if fraction else ''}"


@cache
def own_words() -> Mapping[str, Mapping[str, str]]:
    """The engine's fixed words: language → key → words."""
    return tomllib.loads((Path(__file__).parent / "strings.toml").read_text(encoding="utf-8"))
