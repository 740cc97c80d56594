"""What `personal` collects, in words: for the command's output, and as a page that a person opens in a browser."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from django.utils import timezone

from newsletter.config import Config
from newsletter.content.values import long_date
from newsletter.sending.models import Mailing

Rows = Sequence[Mapping[str, Any]]
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # headings by their keys, and lines of cells

STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #767676;padding:.4rem;text-align:start;vertical-align:top;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;font:inherit;margin:0}"
)


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """Every language of my_data.toml."""
    found: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return found


TITLES: Mapping[str, str] = {
    key: words for key, words in all_words()["en"].items() if key.startswith(("audience_", "sending_", "replies_"))
}


def title(table: str) -> str:
    """What a table holds, for colleagues; its own name where there are no words yet."""
    return TITLES.get(table, table)


@dataclass(frozen=True)
class Page:
    """The page in one language: everything from the person escaped, no script and nothing loaded from anywhere."""

    config: Config
    data: Mapping[str, Rows]
    language: str

    def __call__(self, key: str, otherwise: str = "") -> str:
        """The words of a key; `otherwise` where there are none yet."""
        return all_words()[self.language].get(key, otherwise)

    def html(self, address: str) -> str:
        """The whole of it."""
        heading = {"site": self.config.site.name, "address": address}
        now = self.at(timezone.now())
        whole = "replies_message" in self.data  # by a link in a mail nothing says whether anybody ever wrote to us
        parts = [
            ("part_you", self.record()),
            ("part_lists", self.lists()),
            ("part_choices", self.choices()),
            ("part_mailings", self.mailings()),
            *([("part_words", self.words())] if whole else []),
            ("part_counted", self.counted()),
        ]
        names = {"at": now, "mails": "mails/", "files": "files/", "file": "data.json"}
        as_of = self.said("as_of" if whole else "as_of_by_link", names)
        body = "".join(f"<h2>{self.said(name, names)}</h2>\n{self.table(*table)}" for name, table in parts)
        return (
            f'<!doctype html>\n<html lang="{self.language}" dir="{self("direction")}">\n<head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self('heading').format(**heading))}</title><style>{STYLE}</style></head>\n<body><main>\n"
            f"<h1>{self.said('heading', heading)}</h1>\n<p>{as_of}</p>\n"
            f"{body}</main></body>\n</html>\n"
        )

    def said(self, key: str, values: Mapping[str, str]) -> str:
        """A sentence with each value isolated: an address inside Arabic must not reorder the line."""
        isolated = {name: f"<bdi>{escape(value)}</bdi>" for name, value in values.items()}
        return escape(self(key)).format(**isolated)

    def record(self) -> Table:
        lines: list[tuple[str, ...]] = []
        for row in self.data.get("audience_subscriber", ()):
            facts = {self(f"fact_{name}"): row[name] for name in ("address", "name", "language")}
            facts |= {self.fact(str(key)): value for key, value in row["attributes"].items()}
            lines += [(name, _plain(value)) for name, value in facts.items() if value not in ("", None, [])]
            lines.append((self("fact_since"), self.at(row["created"])))
        return ("head_what", "head_value"), lines

    def fact(self, key: str) -> str:
        """What a value of theirs is called: as the settings call it, else as we do."""
        declared = self.config.fields.get(key)
        return (declared.title if declared else "") or self(f"fact_{key}", key)

    def lists(self) -> Table:
        return ("head_list", "head_state", "head_until"), [
            (self.list_title(row["list"]), self(f"state_{row['state']}", row["state"]), self.at(row["paused_until"]))
            for row in self.data.get("audience_subscription", ())
        ]

    def choices(self) -> Table:
        return ("head_when", "head_what", "head_list", "head_how", "head_shown"), [
            (
                self.at(row["at"]),
                self(f"event_{row['event']}", row["event"]),
                self.list_title(row["list_key"]) if row["list_key"] else self("everything"),
                self(f"channel_{row['channel']}", row["channel"]),
                str(row.get("wording", "")),
            )
            for row in self.data.get("audience_consentevent", ())
        ]

    def mailings(self) -> Table:
        rows = self.data.get("sending_delivery", ())
        found = Mailing.objects.filter(pk__in=[row["mailing_id"] for row in rows]).values_list("pk", "slug", "settings")
        named = {pk: str(facts.get("subject") or slug) for pk, slug, facts in found}
        return ("head_newsletter", "head_became", "head_when"), [
            (
                named.get(row["mailing_id"], ""),
                self(f"delivery_{row['state']}", row["state"]),
                self.at(row["changed"]),
            )
            for row in rows
        ]

    def words(self) -> Table:
        rows = sorted(self.data.get("replies_message", ()), key=lambda row: row["at"])
        return ("head_when", "head_who", "head_words"), [
            (self.at(row["at"]), self(f"wrote_{row['kind']}", self("wrote_us")), row["full_text"] or row["new_words"])
            for row in rows
        ]

    def counted(self) -> Table:
        return ("head_what", "head_records"), [
            (self(table, table), str(len(rows))) for table, rows in self.data.items() if rows
        ]

    def table(self, head: Iterable[str], lines: Sequence[Sequence[str]]) -> str:
        if not lines:
            return f"<p>{escape(self('nothing'))}</p>\n"
        top = "".join(f'<th scope="col">{escape(self(cell))}</th>' for cell in head)
        rows = "".join(f"<tr>{''.join(map(_cell, line))}</tr>\n" for line in lines)
        return f"<table><thead><tr>{top}</tr></thead><tbody>\n{rows}</tbody></table>\n"

    def list_title(self, key: str) -> str:
        return self.config.list_said(key, self.language).title or key

    def at(self, moment: datetime | None) -> str:
        """`8 December 2026, 14:05` in the page's language."""
        if moment is None:
            return ""
        here = timezone.localtime(moment)
        return f"{long_date(here.date().isoformat(), self.language)}, {here:%H:%M}"


def page(config: Config, address: str, data: Mapping[str, Rows], language: str = "") -> str:
    """The page in the person's own language where we know it and speak it, else in `language`, else in the site's."""
    theirs = next((str(row["language"]) for row in data.get("audience_subscriber", ())), "")
    for tag in (theirs, language, config.site.language):
        primary = tag.replace("_", "-").partition("-")[0].lower()
        if primary in all_words():
            return Page(config, data, primary).html(address)
    return Page(config, data, "en").html(address)


def _cell(words: str) -> str:
    return f'<td><pre dir="auto">{escape(words)}</pre></td>'


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
