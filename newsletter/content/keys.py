"""What each key of the front matter means, and whether its value can be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from newsletter.content import when
from newsletter.content.building import LANGUAGE
from newsletter.content.context import Context
from newsletter.content.frontmatter import Entries, Entry, Items, Place, Text, Value
from newsletter.content.model import By, FrontMatter, Picture
from newsletter.content.places import picture, themes
from newsletter.problems import Problem, Where, did_you_mean

WHOLE = frozenset({"subject", "preheader", "title"})  # ` #` is text in these
WITH_FIELDS = WHOLE | {"text"}
KEYS = (
    *("subject", "preheader", "title", "from", "reply_to", "audience", "topic", "template", "language", "hero"),
    *("send_at", "archive", "archive_at", "corrects", "sensitive", "vars", "text"),
    *("number", "kind", "priority", "by", "purpose", "useful_until", "allow"),
)
REQUIRED = ("subject", "from", "audience")
# A translation says these once, in issue.md: one mailing, one audience.
SHARED = (
    *("from", "reply_to", "audience", "topic", "template", "archive", "archive_at", "corrects", "sensitive"),
    *("number", "kind", "priority", "by", "purpose", "useful_until", "allow"),
)
KINDS = ("alert", "advice", "appeal", "event", "update")
PRIORITIES = ("low", "normal", "high", "urgent")
ARCHIVES = ("public", "unlisted", "none")
ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")


@dataclass
class Keys:
    """Reads the entries of one front matter; everything wrong is collected in `ctx`."""

    ctx: Context
    entries: Mapping[str, Entry]
    start: Place  # where a missing key is reported

    def front(self) -> FrontMatter:
        self._names(self.entries, KEYS, "the front matter")
        for key in REQUIRED:
            if not self._filled(key):
                place = self.entries[key].place if key in self.entries else self.start
                self._problem("missing-front-matter", f"The front matter has no ‘{key}’", HINTS[key], place)
        subject = self.text("subject")
        sender = self._one_of("from", self.ctx.config.senders, "sender", "unknown-sender")
        return FrontMatter(
            subject=subject,
            sender=sender,
            audience=self._audience(),
            preheader=self.text("preheader"),
            title=self.text("title") or subject,
            reply_to=self._reply_to(),
            topic=self.text("topic"),
            template=self._template(),
            language=self._language(),
            hero=self._hero(),
            send_at=self._moment("send_at"),
            archive=self._choice("archive", ARCHIVES) or "unlisted",
            archive_at=self._moment("archive_at"),
            corrects=self.text("corrects"),
            sensitive=self._choice("sensitive", ("true", "false", "yes", "no")) in ("true", "yes"),
            variables=self.ctx.constants,
            text=self.text("text"),
            number=self.text("number"),
            kind=self._choice("kind", KINDS),
            priority=self._choice("priority", PRIORITIES),
            by=self._by(sender),
            purpose=self.text("purpose") or "public task",
            useful_until=self._date("useful_until"),
            allow=self._allow(),
            lines={key: entry.place.line for key, entry in self.entries.items()},
        )

    def constants(self) -> dict[str, str]:
        """`vars`: names of the issue's own; they must not hide a person's field."""
        entry = self.entries.get("vars")
        if entry is None:
            return {}
        if not isinstance(entry.value, Entries):
            self._problem(
                "bad-front-matter-value",
                "‘vars’ holds names and values",
                "Write vars: {venue: Stafford Library}",
                entry.place,
            )
            return {}
        found = {}
        for name, inner in entry.value.entries.items():
            if name in self.ctx.config.all_fields:
                hint = "Choose another name: a person's field is called so."
                self._problem("bad-front-matter-value", f"‘{name}’ is a field already", hint, inner.place)
            elif not name.isidentifier():
                hint = "Use letters, digits and _ only."
                self._problem("bad-front-matter-value", f"‘{name}’ cannot be the name of a constant", hint, inner.place)
            else:
                found[name] = self._plain(name, inner.value)
        return found

    def text(self, key: str) -> str:
        entry = self.entries.get(key)
        return self._plain(key, entry.value) if entry else ""

    def _plain(self, key: str, value: Value) -> str:
        """A text; fields become slots where they may stand, and are a Problem elsewhere."""
        if not isinstance(value, Text):
            self._problem("bad-front-matter-value", f"‘{key}’ is one text", f"Write {key}: and the text.", value.place)
            return ""
        place = value.place
        if key in WITH_FIELDS:
            rows = value.text.split("\n")
            first = self.ctx.fields.plain(place.source, place.line, rows[0], self._start(place, rows[0]))
            rest = [
                self.ctx.fields.plain(place.source, number, row, self._start(Place(place.source, number, 1, 1), row))
                for number, row in enumerate(rows[1:], place.line + 1)
            ]
            return "\n".join([first, *rest])
        if "{{" in value.text:
            hint = f"Fields can stand in {', '.join(sorted(WITH_FIELDS))} and in the message."
            self._problem("field-not-allowed", f"‘{key}’ cannot hold a field", hint, place)
        return self.ctx.fields.without_control_characters(place.source, place.line, value.text, place.column - 1)

    @staticmethod
    def _start(place: Place, row: str) -> int:
        """Where `row` begins in its line, from 0; quotes around it may have moved it by one."""
        line = place.source.lines[place.line - 1]
        return max(line.find(row, place.column - 1), 0)

    def _audience(self) -> tuple[str, ...]:
        entry = self.entries.get("audience")
        if entry is None:
            return ()
        lists, segments = self.ctx.config.lists, self.ctx.config.segments
        found = []
        for item in self._texts("audience", entry.value):
            if item.text not in lists and item.text not in segments:
                hint = did_you_mean(item.text, [*lists, *segments]) or f"The lists are {', '.join(lists)}."
                what = f"list {'and no segment ' if segments else ''}called ‘{item.text}’"
                self._problem("unknown-list", f"There is no {what}", hint, item.place)
            elif item.text not in found:
                found.append(item.text)
        return tuple(found)

    def _texts(self, key: str, value: Value) -> list[Text]:
        items = value.items if isinstance(value, Items) else (value,)
        for item in items:
            if not isinstance(item, Text):
                self._problem(
                    "bad-front-matter-value", f"‘{key}’ is a list of names", f"Write {key}: [a, b]", item.place
                )
        return [item for item in items if isinstance(item, Text) and item.text]

    def _one_of(self, key: str, known: Iterable[str], what: str, code: str) -> str:
        value = self.text(key)
        names = list(known)
        if value and value not in names:
            hint = did_you_mean(value, names) or f"There are {', '.join(names) or 'none in newsletter.toml'}."
            self._problem(code, f"There is no {what} called ‘{value}’", hint, self._at(key))
        return value

    def _template(self) -> str:
        return self._one_of("template", themes(self.ctx.config), "theme", "unknown-theme") or "alert"

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value and value not in choices:
            hint = did_you_mean(value, choices) or f"It is one of {', '.join(choices)}."
            self._problem("bad-front-matter-value", f"‘{key}’ cannot be ‘{value}’", hint, self._at(key))
            return ""
        return value

    def _moment(self, key: str) -> str:
        value = self.text(key)
        found = when.read(value, self.ctx.config.site.time_zone) if value else None
        if isinstance(found, Problem):
            self._problem(found.code, found.message, found.hint, self._at(key))
            return ""
        return value

    def _reply_to(self) -> str:
        value = self.text("reply_to") or "inbox"
        if value != "inbox" and not ADDRESS.fullmatch(value):
            hint = "Write inbox, or one e-mail address."
            self._problem("bad-front-matter-value", f"‘reply_to’ cannot be ‘{value}’", hint, self._at("reply_to"))
            return "inbox"
        return value

    def _language(self) -> str:
        value = self.text("language")
        if value and not LANGUAGE.fullmatch(value):
            hint = "Write a code such as en-GB, cy, ar or ur."
            self._problem("bad-language", f"‘{value}’ is not a language code", hint, self._at("language"))
            return ""
        return value

    def _date(self, key: str) -> str:
        value = self.text(key)
        try:
            date.fromisoformat(value or "2000-01-01")
        except ValueError:
            hint = "Write year-month-day, such as 2026-12-08."
            self._problem("bad-front-matter-value", f"‘{key}’ is no date: {value}", hint, self._at(key))
            return ""
        return value

    def _map(self, key: str, known: tuple[str, ...]) -> dict[str, Text]:
        entry = self.entries.get(key)
        if entry is None:
            return {}
        if not isinstance(entry.value, Entries):
            hint = f"Write {key}: {{{', '.join(f'{name}: …' for name in known)}}}"
            self._problem("bad-front-matter-value", f"‘{key}’ holds several values", hint, entry.place)
            return {}
        return self._parts(key, entry.value, known)

    def _parts(self, key: str, value: Entries, known: tuple[str, ...]) -> dict[str, Text]:
        self._names(value.entries, known, f"‘{key}’")
        return {
            name: Text(self._plain(f"{key}: {name}", inner.value), inner.value.place)
            for name, inner in value.entries.items()
            if name in known
        }

    def _hero(self) -> Picture | None:
        parts = self._map("hero", ("image", "alt"))
        if not parts:
            return None
        place = self.entries["hero"].place
        image = parts.get("image")
        if image is None or not image.text:
            self._problem(
                "bad-front-matter-value",
                "‘hero’ names no picture",
                "Write hero: {image: images/hero.png, alt: …}",
                place,
            )
            return None
        if "alt" not in parts:
            hint = 'Write alt: what it shows, or alt: "" when it only decorates.'
            self._problem("missing-alt", "This picture has no words for people who cannot see it", hint, place)
        alt = parts["alt"].text if "alt" in parts else ""
        path = picture(self.ctx, image.place.source, image.text, self._where(image.place))
        return Picture(place.line, image.text, path, alt, file=place.source.name)

    def _by(self, sender: str) -> By | None:
        """Who sent it: the sender's facts, each replaced by what `by` says."""
        facts = self.ctx.config.senders.get(sender)
        own = {name: part.text for name, part in self._map("by", ("name", "role", "area", "organisation")).items()}
        if facts is None:
            return By(**{"name": "", **own}) if own else None
        if "name" in own:  # another person: the sender's role and area are not theirs
            return By(**{"organisation": facts.organisation, **own})
        return By(**{"name": facts.name, "role": facts.role, "area": facts.area,
                     "organisation": facts.organisation, **own})  # fmt: skip

    def _allow(self) -> tuple[Mapping[str, str], ...]:
        entry = self.entries.get("allow")
        if entry is None:
            return ()
        waivers = []
        for item in entry.value.items if isinstance(entry.value, Items) else (entry.value,):
            if not isinstance(item, Entries):
                hint = "Write allow: [{code: accessible-format, until: 2026-12-31, why: the web page follows}]"
                self._problem("bad-front-matter-value", "‘allow’ lists what you accept, and why", hint, item.place)
                continue
            parts = {name: part.text for name, part in self._parts("allow", item, ("code", "until", "why")).items()}
            if parts.get("code") and parts.get("why"):
                waivers.append(parts)
            else:
                hint = "Say which code, and why you accept it."
                self._problem("bad-front-matter-value", "This waiver lacks ‘code’ or ‘why’", hint, item.place)
        return tuple(waivers)

    def _names(self, entries: Mapping[str, Entry], known: Iterable[str], what: str) -> None:
        names = list(known)
        for key, entry in entries.items():
            if key not in names:
                hint = did_you_mean(key, names) or f"The keys are {', '.join(names)}."
                if key.startswith("attach"):
                    hint = "Mail carries no attachments: link a PDF in the text, [the report](report.pdf)."
                self._problem("unknown-front-matter", f"There is no key ‘{key}’ in {what}", hint, entry.place)

    def _filled(self, key: str) -> bool:
        value = self.entries[key].value if key in self.entries else None
        return bool(value) and bool(
            value.text if isinstance(value, Text) else value.items if isinstance(value, Items) else 1
        )

    def _at(self, key: str) -> Place:
        return self.entries[key].value.place

    def _where(self, place: Place) -> Where:
        return place.source.where(place.line, place.column, place.end)

    def _problem(self, code: str, message: str, hint: str, place: Place) -> None:
        self.ctx.problem(code, message, hint, self._where(place))


HINTS = {
    "subject": "Add a line: subject: What people see first",
    "from": "Add a line: from: and a sender of newsletter.toml",
    "audience": "Add a line: audience: [and the lists it goes to]",
}
