"""What `personal` collects, in words: for the command's output, and as a page that a person opens in a browser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from django.utils import timezone

from newsletter.config import Config
from newsletter.sending.models import Mailing

Rows = Sequence[Mapping[str, Any]]
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # headings, and lines of cells

TITLES: Mapping[str, str] = {
    "audience_subscriber": "The record in the list",
    "audience_formeraddress": "Former addresses",
    "audience_holding": "Areas, tags and other values to choose by",
    "audience_subscription": "Lists",
    "audience_consentevent": "Choices, with the words that were shown",
    "audience_suppression": "Entries among the never-mailed",
    "audience_request": "Links that were asked for",
    "sending_delivery": "Newsletters sent, or to be sent",
    "sending_rating": "Answers to “was this useful?”",
    "sending_unsubscribekey": "Unsubscribe links",
    "sending_notice": "Single mails from us",
    "replies_raw": "Mails to us, as they came",
    "replies_conversation": "Conversations",
    "replies_message": "Messages in conversations",
    "replies_attachment": "Files that were sent to us",
    "replies_bounce": "Mails of ours that came back",
    "replies_complaint": "Complaints about our mail (“spam”)",
    "replies_tag": "Tags on conversations",
    "replies_deskentry": "What colleagues did with conversations",
    "replies_look": "Who has looked at conversations",
}
STATES = {"pending": "asked for, not confirmed", "confirmed": "you get it", "left": "you left it"}
EVENTS = {
    "asked": "asked for it",
    "joined": "joined",
    "left": "left",
    "returned": "came back",
    "declined": "did not choose it",
    "paused": "paused it",
    "resumed": "ended the pause",
    "moved": "changed the address",
    "changed": "your details were changed",
    "added": "you were put on the list",
    "removed": "you were taken out of the list",
    "suppressed": "no mail any more",
    "lifted": "mail again",
}
CHANNELS = {
    "import": "a list that was brought in",
    "one-click": "the button of your mail program",
    "page": "our page",
    "mail": "a mail",
    "staff": "our staff",
}
WROTE = {"person": "You", "auto": "Your mailbox, by itself", "note": "A note between colleagues"}
STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #767676;padding:.4rem;text-align:start;vertical-align:top;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap;font:inherit;margin:0}"
)


def title(table: str) -> str:
    """What a table holds, for people; its own name where there are no words yet."""
    return TITLES.get(table, table)


def page(config: Config, address: str, data: Mapping[str, Rows]) -> str:
    """The page: English words, everything from the person escaped, no script and nothing loaded from anywhere."""
    heading = f"What {config.site.name} holds about {address}"
    parts = [
        ("You", _record(data)),
        ("What you get", _lists(config, data)),
        ("What you chose, and when", _choices(config, data)),
        ("Newsletters for you", _mailings(data)),
        *([("What you wrote, and what we answered", _words(data))] if "replies_message" in data else []),
        ("Everything, by number of records (whole in data.json)", _counted(data)),
    ]
    files = ", files in files/" if "replies_attachment" in data else ""
    body = "".join(f"<h2>{escape(name)}</h2>\n{_table(*table)}" for name, table in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{STYLE}</style></head>\n<body><main>\n<h1>{escape(heading)}</h1>\n"
        f"<p>As of {_at(timezone.now())}. The mails themselves are in the folder mails/{files}.</p>\n"
        f"{body}</main></body>\n</html>\n"
    )


def _record(data: Mapping[str, Rows]) -> Table:
    lines: list[tuple[str, ...]] = []
    for row in data.get("audience_subscriber", ()):
        facts = {"E-mail address": row["address"], "Name": row["name"], "Language": row["language"]}
        facts |= {str(key): value for key, value in row["attributes"].items()}
        lines += [(name, _plain(value)) for name, value in facts.items() if value not in ("", None, [])]
        lines.append(("Here since", _at(row["created"])))
    return ("What", "Value"), lines


def _lists(config: Config, data: Mapping[str, Rows]) -> Table:
    return ("List", "State", "Paused until"), [
        (_list(config, row["list"]), _said(STATES, row["state"]), _at(row["paused_until"]))
        for row in data.get("audience_subscription", ())
    ]


def _choices(config: Config, data: Mapping[str, Rows]) -> Table:
    return ("When", "What", "List", "How", "The words that you were shown"), [
        (
            _at(row["at"]),
            _said(EVENTS, row["event"]),
            _list(config, row["list_key"]) if row["list_key"] else "everything",
            _said(CHANNELS, row["channel"]),
            str(row.get("wording", "")),
        )
        for row in data.get("audience_consentevent", ())
    ]


def _mailings(data: Mapping[str, Rows]) -> Table:
    rows = data.get("sending_delivery", ())
    named = dict(Mailing.objects.filter(pk__in=[row["mailing_id"] for row in rows]).values_list("pk", "slug"))
    return ("Newsletter", "What became of it", "When"), [
        (named.get(row["mailing_id"], ""), "sent" if row["state"] == "accepted" else row["state"], _at(row["changed"]))
        for row in rows
    ]


def _words(data: Mapping[str, Rows]) -> Table:
    rows = sorted(data.get("replies_message", ()), key=lambda row: row["at"])
    return ("When", "Who", "Words"), [
        (_at(row["at"]), WROTE.get(row["kind"], "We"), row["full_text"] or row["new_words"]) for row in rows
    ]


def _counted(data: Mapping[str, Rows]) -> Table:
    return ("What", "Records"), [(title(table), str(len(rows))) for table, rows in data.items() if rows]


def _table(head: Iterable[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return "<p>Nothing.</p>\n"
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    rows = "".join(f"<tr>{''.join(map(_cell, line))}</tr>\n" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{rows}</tbody></table>\n"


def _cell(words: str) -> str:
    return f'<td><pre dir="auto">{escape(words)}</pre></td>'


def _list(config: Config, key: str) -> str:
    return (config.lists[key].title if key in config.lists else "") or key


def _at(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%d %B %Y %H:%M}" if moment else ""


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _said(words: Mapping[str, str], key: str) -> str:
    return words.get(key, key)
