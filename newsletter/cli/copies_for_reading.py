"""Makes one reader's copy of an issue for the screen: with example values, a row of a CSV file, or a subscriber."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.content.model import Issue
    from newsletter.rendering.model import Rendered, Variant

LARGEST_CSV = 20 * 1024 * 1024  # bytes; a larger file is searched in the database only
SEVERAL = {"lists": "list", "areas": "area", "area": "area", "tags": "tag"}


@dataclass(frozen=True)
class Reader:
    """Whose copy it is. `fields` as rendering.merge takes them."""

    label: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """One reader's mail as text; `values` fill the holes of the `variant` from which it was joined."""

    subject: str
    preheader: str
    html: str
    text: str
    variant: Variant
    values: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


@dataclass
class Loaded:
    """One language of an issue, read, rendered and checked. `rendered` is None where the theme is broken."""

    language: str
    issue: Issue
    rendered: Rendered | None
    problems: list[Problem] = field(default_factory=list)
    people: int | None = None  # who would get it; None where nobody was imported yet, or nobody asked


def load(config: Config, folder: Path, language: str, *, with_people: bool = False) -> Loaded:
    """Read, render and check; a broken or unknown theme is one of the Problems, not the end.

    `with_people` also asks the database, where there is one, who would get it and what they would miss.
    """
    from datetime import UTC, datetime

    from newsletter.content import reading
    from newsletter.rendering import check_languages, checks, pipeline, themes

    issue = reading.read(folder, config, language)
    try:
        theme = themes.load(issue.front.template, config)
        rendered = with_areas(config, pipeline.render(issue, theme, config))
    except NewsletterError as error:
        told = {problem.code for problem in issue.problems} & {"unknown-theme"}  # there with its line
        more = [problem for problem in error.problems if problem.code not in told]
        return Loaded(language, issue, None, [*issue.problems, *more])
    people, about_people = _people(config, issue) if with_people else (None, [])
    if language:
        about_people = [*about_people, *check_languages.against(issue, reading.read(folder, config, ""))]
    problems = checks.everything(issue, rendered, config, datetime.now(UTC).date(), about_people)
    if people:
        from newsletter.audience.blocks import MOST_CONDITIONS

        if len(rendered.conditions) <= MOST_CONDITIONS:  # the real number of versions was told where it is too large
            problems = tuple(one for one in problems if one.code != "many-versions" or one.affected)
    return Loaded(language, issue, rendered, list(problems), people)


def with_areas(config: Config, rendered: Rendered) -> Rendered:
    """A block for an area reaches everybody who lives within it. Asks the database only where there is such a block."""
    asks = any(key == "area" for condition in rendered.conditions for key, _ in condition.terms)
    if not asks or not has_database(config):
        return rendered
    from newsletter.audience import database

    database.ready(config)
    from newsletter.audience.areas.blocks import widened

    with database.problems_of():
        return widened(rendered)


def example(config: Config, issue: Issue) -> Reader:
    """Somebody with the example values of newsletter.toml."""
    from newsletter.rendering import merge

    fields = merge.preview_fields(config, issue)
    return Reader(f"{fields.get('name') or 'Example'} (example)", fields)


def nobody(issue: Issue) -> Reader:
    """A person of whom nothing is known: every field shows its fallback, no `only` block is theirs."""
    return Reader("Somebody of whom we know only the address", {"list": list(issue.front.audience)})


def find(config: Config, issue: Issue, address: str) -> Reader:
    """The person with this address, from the database or else from recipients/*.csv. Raises NewsletterError."""
    reader = _subscriber(config, address) if has_database(config) else None
    if reader is None:
        reader = next((one for one in rows(config) if one.fields.get("email", "").lower() == address.lower()), None)
    if reader is None:
        hint = "Import people first; without an address (or --as) you see example values."
        raise NewsletterError(Problem("unknown-person", f"There is nobody with the address {address} here", hint=hint))
    if not reader.fields.get("list"):
        reader.fields["list"] = list(issue.front.audience)
    return reader


def has_database(config: Config) -> bool:
    """True when people have been imported here; looking must not make a database."""
    from newsletter import settings

    return settings.has_database(config)


def rows(config: Config, most: int | None = None) -> list[Reader]:
    """People of recipients/*.csv, in order; what cannot be read is left to `recipients import` to explain."""
    found: list[Reader] = []
    for path in sorted((config.root / "recipients").glob("*.csv")):
        try:
            if path.stat().st_size > LARGEST_CSV:
                continue
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file):
                    if row.get("email"):
                        found.append(_row(row))
                    if most and len(found) >= most:
                        return found
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
    return found


def _row(row: dict[str, Any]) -> Reader:
    fields: dict[str, Any] = {}
    for key, value in row.items():
        name = (key or "").strip().lower().replace(" ", "_")
        if name in SEVERAL:
            parts = (value or "").replace(";", ",").split(",")
            fields[SEVERAL[name]] = [part.strip() for part in parts if part.strip()]
        elif name:
            fields[name] = (value or "").strip() if isinstance(value, str) else ""
    return Reader(label(fields), fields)


def _subscriber(config: Config, address: str) -> Reader | None:
    from newsletter.audience import database
    from newsletter.mail.addresses import canonical

    database.ready(config)
    from newsletter.audience.models import Subscriber

    try:
        person = Subscriber.objects.get(canonical=canonical(address))
    except (Subscriber.DoesNotExist, ValueError):
        return None
    fields: dict[str, Any] = {
        SEVERAL.get(key, key): value if isinstance(value, list) else str(value)
        for key, value in person.attributes.items()
    }
    for key in ("name", "first_name", "last_name", "language"):
        fields[key] = getattr(person, key)
    fields["email"] = person.address
    fields["list"] = list(person.subscriptions.filter(state="confirmed").values_list("list__key", flat=True))
    return Reader(label(fields), fields)


def label(fields: dict[str, Any]) -> str:
    """`Ameera Khan, Stafford North`: enough to know why this copy looks as it does."""
    name = fields.get("name") or " ".join(filter(None, (fields.get("first_name"), fields.get("last_name"))))
    place = fields.get("ward") or next(iter(fields.get("area") or []), "")
    return ", ".join(filter(None, (name or fields.get("email", ""), place)))


def copy(config: Config, issue: Issue, rendered: Rendered, reader: Reader) -> Copy:
    """This reader's copy. A value that cannot be shown is a Problem, and the copy has the fallbacks instead."""
    from newsletter.rendering import merge

    problems: tuple[Problem, ...] = ()
    variant = merge.variant(rendered, merge.truths(rendered, reader.fields))
    system = system_values(config, issue, rendered)
    try:
        values = merge.fill(rendered, variant, reader.fields, system)
    except NewsletterError as error:
        problems = error.problems
        values = merge.fill(rendered, variant, {}, system)
    parts = [merge.join(part, values) for part in (variant.subject, variant.html, variant.text)]
    return Copy(parts[0], rendered.preheader, parts[1], parts[2], variant, values, problems)


def system_values(config: Config, issue: Issue, rendered: Rendered) -> dict[str, str]:
    """Stand-ins for what `sending` signs per person; they lead nowhere and say so."""
    mail, base = config.mail, config.base_url
    reply = f"reply{mail.separator}example@{mail.reply_domain}"
    first = next((config.lists[key] for key in issue.front.audience if key in config.lists), None)
    return {
        "reply_url": f"{base}/r/example",
        "reply_mailto": f"mailto:{reply}?subject={quote('Re: ' + rendered.title)}",
        "reply_address": reply,
        "unsubscribe_url": f"{base}/u/example",
        "preferences_url": f"{base}/p/example",
        "own_url": "",
        "view_url": f"{base}/v/example",
        "share_url": f"{base}/v/public-example",
        "rate_url": f"{base}/rate/example",
        "why": first.said(rendered.language).why if first else "",
    }


def _people(config: Config, issue: Issue) -> tuple[int | None, list[Problem]]:
    """How many people would get the issue, which fields are empty for them, and which blocks they would see."""
    lists = issue.front.audience
    if not lists:
        return None, []
    if not has_database(config):
        return None, _without_fallback(issue)
    from newsletter.audience import database

    database.ready(config)
    from newsletter.audience import blocks, checking, selecting  # they need the database's settings
    from newsletter.rendering import check_languages
    from newsletter.sending import correcting

    try:
        first = correcting.first(issue)  # a correction goes to whoever got the first, whatever `audience:` says
    except NewsletterError as error:
        return None, list(error.problems)
    explained = correcting.explain(first) if first else selecting.explain(config, lists)
    people = explained.will_get
    if not people:
        return (0 if explained.entries else None), _without_fallback(issue)
    found = checking.warnings(config, lists, issue.slots, people) + blocks.check(config, lists, issue)
    language, behind = issue.language or config.site.language, selecting.lists_of(config, lists)  # a segment's, too
    return people, [*found, *check_languages.without_words(issue, language, config, behind)]


def _without_fallback(issue: Issue) -> list[Problem]:
    """Nobody is on the list yet, so nobody can be counted: what would be read by a person without a value."""
    from newsletter.audience import checking

    return [
        Problem(
            "no-fallback",
            f"‘{key}’ has no other words for people of whom it is not known",
            f'write {{{{ {key} or "…" }}}}',
            slot.where,
            Severity.NOTE,
        )
        for key, slot in checking.without_fallback(issue.slots).items()
        if key != "email"
    ]


def exit_code(problems: list[Problem]) -> int:
    """1 when something must be fixed, else 0."""
    return int(Exit.PROBLEMS if any(one.severity is Severity.ERROR for one in problems) else Exit.FINE)
