"""The words of the lists as approval froze them: a later change of newsletter.toml changes no mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from newsletter.config import ListConfig, ListWords


def kept(one: ListConfig) -> dict[str, Any]:
    """What a mailing keeps of a list. Other languages only where there are any, as all mailings were kept before."""
    told: dict[str, Any] = {"title": one.title, "why": one.why, "urgent": one.urgent}
    if one.languages:
        told["spoken"] = one.spoken
        told["languages"] = {tag: {"title": words.title, "why": words.why} for tag, words in one.languages.items()}
    return told


def said(settings: Mapping[str, Any], key: str, language: str) -> ListWords:
    """What a reader of `language` reads about a list of this mailing; nothing where it has no such list."""
    told = settings.get("lists", {}).get(key)
    if told is None:
        return ListWords()
    languages = {tag: ListWords(**words) for tag, words in told.get("languages", {}).items()}
    one = ListConfig(told["title"], told["why"], spoken=told.get("spoken", ""), languages=languages)
    return one.said(language)
