"""What `newsletter.toml` and the environment say, checked, frozen, each value with where it came from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

FILE = "newsletter.toml"
PREFIX = "NEWSLETTER_"


def _help(text: str, default: Any = "", choices: tuple[str, ...] = (), required: bool = False) -> Any:
    meta = {"help": text, "choices": choices, "required": required}
    if isinstance(default, tuple | dict):
        return field(default_factory=lambda: default, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Site:
    name: str = _help("The organisation's name, as people know it.", required=True)
    url: str = _help("Public https address of this installation; may be empty with the catcher.")
    language: str = _help("Language of the mails unless an issue says otherwise (BCP 47).", "en-GB")
    time_zone: str = _help("Time zone of dates and schedules (IANA name).", "Europe/London")
    postal_address: str = _help("Postal address for the footer of every mail.", required=True)


@dataclass(frozen=True)
class Sender:
    name: str = _help("The name people see in From.", required=True)
    address: str = _help("The e-mail address in From.", required=True)
    role: str = _help("Rank or role, shown as “who sent it”.")
    area: str = _help("The area this sender answers for.")
    organisation: str = _help("The organisation, where it is not the site's name.")


@dataclass(frozen=True)
class ListConfig:
    title: str = _help("The list's name, as subscribers see it.", required=True)
    why: str = _help("The footer's sentence: why you get this.", required=True)
    urgent: bool = _help("Safety alerts that may rather arrive twice than not at all.", False)


@dataclass(frozen=True)
class FieldConfig:
    type: str = _help("Kind of value.", "text", ("text", "date", "number", "choice"))
    title: str = _help("What staff call it.")
    example: str = _help("An example value, used by previews.")


@dataclass(frozen=True)
class Mail:
    transport: str = _help("Where mail goes: the built-in catcher, or a relay.", "catcher", ("catcher", "smtp"))
    reply_domain: str = _help("Domain of the reply addresses.", "reply.localhost")
    bounce_domain: str = _help("Domain of the envelope senders (bounces).", "bounce.localhost")
    separator: str = _help("Stands between `reply` and the token.", "+")


@dataclass(frozen=True)
class Relay:
    host: str = _help("Host name of the SMTP server.", required=True)
    port: int = _help("Port of the SMTP server.", 25)
    tls: str = _help("TLS policy; a failure never falls back to clear text.", "none", ("none", "starttls", "implicit"))
    user: str = _help("User name for the relay.")
    password_file: str = _help("File that holds the password, or the token for xoauth2.")
    auth: str = _help("How to log in.", "password", ("password", "xoauth2"))
    connections: int = _help("Connections at the same time.", 4)
    pipelining: str = _help("Send commands in groups where the relay announces it.", "auto", ("auto", "off"))
    keeps: tuple[str, ...] = _help(
        "What the relay keeps as we wrote it.",
        ("message_id", "envelope_sender"),
        ("message_id", "envelope_sender"),
    )


@dataclass(frozen=True)
class Catch:
    smtp: str = _help("Where the catcher takes mail (host:port).", "127.0.0.1:1025")
    web: str = _help("Where the catcher shows it (host:port).", "127.0.0.1:8025")


@dataclass(frozen=True)
class Web:
    listen: str = _help("Where `newsletter web` serves the public pages (host:port).", "127.0.0.1:8000")


@dataclass(frozen=True)
class Database:
    url: str = _help("Where the database is; a path in it is relative to the workspace.", "sqlite:///var/newsletter.db")


@dataclass(frozen=True)
class Images:
    carry: str = _help("Pictures by address (url) or inside the mail (cid).", "url", ("url", "cid"))


SECTIONS: Mapping[str, type] = MappingProxyType(
    {"site": Site, "mail": Mail, "catch": Catch, "web": Web, "database": Database, "images": Images}
)
TABLES: Mapping[str, type] = MappingProxyType(
    {"senders": Sender, "lists": ListConfig, "fields": FieldConfig, "relays": Relay}
)
BUILT_IN_FIELDS: Mapping[str, FieldConfig] = MappingProxyType(
    {
        "email": FieldConfig(title="E-mail address", example="sam@example.org"),
        "name": FieldConfig(title="Full name", example="Sam Okafor"),
        "first_name": FieldConfig(title="First name", example="Sam"),
        "last_name": FieldConfig(title="Last name", example="Okafor"),
        "language": FieldConfig(title="Language", example="en-GB"),
    }
)


@dataclass(frozen=True)
class Config:
    """The whole configuration. `origins` maps a dotted key to `default`, `newsletter.toml:12` or a variable."""

    root: Path
    site: Site
    senders: Mapping[str, Sender]
    lists: Mapping[str, ListConfig]
    fields: Mapping[str, FieldConfig]
    mail: Mail
    relays: Mapping[str, Relay]
    catch: Catch
    web: Web
    database: Database
    images: Images
    themes: Mapping[str, Mapping[str, Any]]  # checked against theme.toml by rendering.themes
    origins: Mapping[str, str]

    @property
    def base_url(self) -> str:
        """Address of the public pages, without a slash at the end."""
        return (self.site.url or f"http://{self.web.listen}").rstrip("/")

    @property
    def all_fields(self) -> Mapping[str, FieldConfig]:
        """Every name that may stand in `{{ }}`: the built-in ones and those of `[fields]`."""
        return {**BUILT_IN_FIELDS, **self.fields}

    @property
    def var(self) -> Path:
        """The folder for the database, the key, caught mail and logs."""
        return self.root / "var"

    def relay(self) -> Relay:
        """The relay that mail goes to: the first one of `[relays]`."""
        return next(iter(self.relays.values()))


def find(start: Path) -> Path:
    """The workspace: the nearest folder, from `start` upward, that holds a newsletter.toml."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE).is_file():
            return folder
    raise NewsletterError(
        Problem(
            "no-workspace",
            f"There is no {FILE} here or in any folder above",
            hint="Go to your newsletter's folder, name it with -C DIR, or make one with `newsletter init`.",
        ),
        exit=Exit.CONFIG,
    )


def load(start: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Read and check the configuration of the workspace around `start`.

    `environment` overrides the file: NEWSLETTER_SMTP__HOST is not a place to guess, it is [smtp] host, so
    NEWSLETTER_MAIL__TRANSPORT sets [mail] transport and NEWSLETTER_RELAYS__MAIN__HOST sets [relays.main] host.
    Raises NewsletterError with every Problem found, exit 3.
    """
    root = find(start)
    path = root / FILE
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _fatal("bad-config", f"{FILE} is not UTF-8 text", "Save it as UTF-8.", Where(FILE)) from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+), column (\d+)", str(error))
        where = Where(FILE, int(line[1]), int(line[2])) if line else Where(FILE)
        reason = re.sub(r"\s*\(at .*\)", "", str(error))
        hint = 'Text stands in double quotes: name = "Our council".'
        raise _fatal("bad-config", f"{FILE} cannot be read: {reason}", hint, where) from error
    reader = _Reader(text, raw, environment)
    config = reader.config(root)
    if reader.problems:
        raise NewsletterError(*reader.problems, exit=Exit.CONFIG)
    return config


def _fatal(code: str, message: str, hint: str, where: Where) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint=hint, where=where), exit=Exit.CONFIG)


class _Reader:
    """Walks the tables once, collecting values, their origins, and everything that is wrong."""

    def __init__(self, text: str, raw: dict[str, Any], environment: Mapping[str, str]) -> None:
        self.lines = text.splitlines()
        self.raw = raw
        self.overrides = {
            tuple(name.removeprefix(PREFIX).lower().split("__")): (name, value)
            for name, value in environment.items()
            if name.startswith(PREFIX) and "__" in name
        }
        self.origins: dict[str, str] = {}
        self.problems: list[Problem] = []

    def config(self, root: Path) -> Config:
        known = [*SECTIONS, *TABLES, "themes"]
        for name in self.raw:
            if name not in known:
                self._problem("unknown-key", f"There is no section [{name}]", did_you_mean(name, known), (name,))
        parts: dict[str, Any] = {name: self._section((name,), kind) for name, kind in SECTIONS.items()}
        for name, kind in TABLES.items():
            keys = dict.fromkeys([*self._table((name,)), *(path[1] for path in self.overrides if path[0] == name)])
            parts[name] = MappingProxyType({key: self._section((name, key), kind) for key in keys})
        themes = {
            name: dict(options) for name, options in self._table(("themes",)).items() if isinstance(options, dict)
        }
        for theme, options in themes.items():
            for key in options:
                self.origins[f"themes.{theme}.{key}"] = self._origin(("themes", theme, key))
        config = Config(root=root, **parts, themes=MappingProxyType(themes), origins=MappingProxyType(self.origins))
        self._cross_check(config)
        return config

    def _cross_check(self, config: Config) -> None:
        if config.mail.transport == "smtp":
            if not config.relays:
                hint = 'Add [relays.main] with host and port, or set transport = "catcher".'
                self._problem("no-relay", "Mail is to go by smtp, but there is no relay", hint, ("mail", "transport"))
            if not config.site.url.startswith("https://"):
                hint = 'The links in the mail need a public https address: url = "https://news.example.org".'
                self._problem(
                    "needs-https",
                    "[site] url must start with https:// when mail leaves here",
                    hint,
                    ("site", "url"),
                )
        for key, value in (
            ("reply_domain", config.mail.reply_domain),
            ("bounce_domain", config.mail.bounce_domain),
        ):
            if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
                self._problem("bad-value", f"[mail] {key} is not a domain: {value!r}", "", ("mail", key))
        for key in config.fields:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", key) or key in BUILT_IN_FIELDS:
                hint = "Use small letters, digits and _, and no name that is built in."
                self._problem("bad-field-name", f"A field cannot be called {key!r}", hint, ("fields", key))

    def _table(self, path: tuple[str, ...]) -> dict[str, Any]:
        value: Any = self.raw
        for part in path:
            value = value.get(part, {}) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self._problem("bad-value", f"[{'.'.join(path)}] must be a section", "", path)
            return {}
        return value

    def _section(self, path: tuple[str, ...], kind: type) -> Any:
        table = dict(self._table(path))
        hints = get_type_hints(kind)
        names = [item.name for item in fields(kind)]
        for name in table:
            if name not in names:
                self._problem(
                    "unknown-key",
                    f"There is no key ‘{name}’ in [{'.'.join(path)}]",
                    did_you_mean(name, names),
                    (*path, name),
                )
        values: dict[str, Any] = {}
        for item in fields(kind):
            full = (*path, item.name)
            value = table.get(item.name)
            if full in self.overrides:
                variable, given = self.overrides[full]
                value = _from_text(given, hints[item.name])
                self.origins[".".join(full)] = variable
            elif value is not None:
                self.origins[".".join(full)] = self._origin(full)
            else:
                self.origins[".".join(full)] = "default"
                if item.metadata["required"]:
                    self._problem("missing-key", f"[{'.'.join(path)}] needs ‘{item.name}’", item.metadata["help"], path)
                value = item.default_factory() if item.default_factory is not MISSING else item.default
            values[item.name] = self._checked(value, hints[item.name], item.metadata["choices"], full)
        return kind(**values)

    def _checked(self, value: Any, kind: Any, choices: tuple[str, ...], path: tuple[str, ...]) -> Any:
        dotted = f"[{'.'.join(path[:-1])}] {path[-1]}"
        if get_origin(kind) is tuple:
            items = tuple(value) if isinstance(value, list | tuple) else (value,)
            wrong = [
                item for item in items if not isinstance(item, get_args(kind)[0]) or (choices and item not in choices)
            ]
            if wrong:
                self._problem("bad-value", f"{dotted} cannot hold {wrong[0]!r}", f"Known: {', '.join(choices)}.", path)
            return items
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            wanted = {str: "text in quotes", int: "a whole number", bool: "true or false"}[kind]
            self._problem("bad-value", f"{dotted} must be {wanted}, not {value!r}", "", path)
        elif choices and value not in choices:
            hint = did_you_mean(value, choices) or f"Choose one of: {', '.join(choices)}."
            self._problem("bad-value", f"{dotted} cannot be {value!r}", hint, path)
        return value

    def _origin(self, path: tuple[str, ...]) -> str:
        line = self._line(path)
        return f"{FILE}:{line}" if line else FILE

    def _line(self, path: tuple[str, ...]) -> int | None:
        """Line of a key; tomllib keeps no positions, so look for the header and then for the key below it."""
        section, header = "", None
        for number, text in enumerate(self.lines, 1):
            if match := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", text):
                section = ".".join(part.strip().strip("\"'") for part in match[1].split("."))
                if section == ".".join(path):
                    return number
                if header is None and section == ".".join(path[:-1]):
                    header = number
            elif match := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", text):
                key = match[1].strip("\"'")
                if ".".join(filter(None, (section, key))) == ".".join(path):
                    return number
        return header

    def _problem(self, code: str, message: str, hint: str, path: tuple[str, ...]) -> None:
        line = self._line(path)
        source = self.lines[line - 1] if line else ""
        start = source.find(path[-1]) + 1 if source else 0
        where = Where(FILE, line, start or None, start + len(path[-1]) if start else None, source)
        self.problems.append(Problem(code, message, hint=hint, where=where))


def _from_text(text: str, kind: Any) -> Any:
    """A value of the environment as the type the key has; what does not fit is left for the check to name."""
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is int and re.fullmatch(r"\d+", text):
        return int(text)
    if kind is bool and text.lower() in ("true", "false", "1", "0", "yes", "no"):
        return text.lower() in ("true", "1", "yes")
    return text


def from_environment(start: Path) -> Config:
    """The configuration as the command reads it: the file, then this process's environment."""
    return load(start, os.environ)
