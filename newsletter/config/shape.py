"""Every setting there is: its name, its default, what it may be, and one line that explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter.problems import Exit, NewsletterError, Problem, Where

FILE = "newsletter.toml"
PREFIX = "NEWSLETTER_"


def _help(
    text: str, default: Any = "", choices: tuple[str, ...] = (), *, required: bool = False, secret: bool = False
) -> Any:
    """A field with its line for the reference; a `secret` is taken from the environment only and never shown."""
    meta = {"help": text, "choices": choices, "required": required, "secret": secret}
    return field(default=default, metadata=meta, repr=not secret)


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
    password: str = _help("The password; only from the environment, never from this file.", secret=True)
    password_file: str = _help("File that holds the password, or the token for xoauth2.")
    auth: str = _help("How to log in.", "password", ("password", "xoauth2"))
    connections: int = _help("Connections at the same time.", 4)
    pipelining: str = _help("Send commands in groups where the relay announces it.", "auto", ("auto", "off"))
    messages: int = _help("Mails over one connection before a new one is opened; 0 = no limit.", 100)
    rate: float = _help("At most so many mails a second; 0 = as fast as it takes them.", 0.0)
    day: int = _help("At most so many mails in 24 hours (UTC day); 0 = no limit.", 0)
    warm_up: str = _help("Day (2026-11-24) on which a new sending address begins its warm-up; empty = none.")
    providers: bool = _help("Go gently with each mailbox provider (connections, rates, back-off).", True)
    keeps: tuple[str, ...] = _help(
        "What the relay keeps as we wrote it.",
        ("message_id", "envelope_sender"),
        ("message_id", "envelope_sender"),
    )

    def secret(self) -> str:
        """The password, from the environment or from `password_file`; empty where there is none.

        Raises NewsletterError(no-password-file) when the file cannot be read.
        """
        if self.password or not self.password_file:
            return self.password
        try:
            return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise NewsletterError(
                Problem(
                    "no-password-file",
                    f"The relay's password file {self.password_file} cannot be read: {reason}",
                    hint="[relays] password_file names a file that holds the password and nothing else.",
                    where=Where(self.password_file),
                ),
                exit=Exit.CONFIG,
            ) from error


@dataclass(frozen=True)
class Sending:
    survives: str = _help(
        "What no started mail is forgotten by: a power cut (power), or only a killed process (kill), which is faster.",
        "power",
        ("power", "kill"),
    )
    processes: int = _help("Sender processes; 0 = one, or one per core where we sign with DKIM.", 0)
    undo: int = _help("Seconds between your yes and the first mail, in which Ctrl-C takes it back.", 10)
    give_up: int = _help("Hours after which a mail that could not be handed over is given up.", 72)
    stale: int = _help("Hours after its time at which a scheduled mailing is no longer sent without asking.", 2)
    bounces: float = _help("Pause when more than this percentage of addresses is refused; 0 = never.", 2.0)


@dataclass(frozen=True)
class Dkim:
    domain: str = _help("Domain that we sign mail for; empty = we do not sign, the mail server does.")
    selector: str = _help("Name of the RSA key in the DNS (selector._domainkey.domain).")
    key_file: str = _help("File with the RSA key; `newsletter dkim new` makes one.")
    ed25519_selector: str = _help("Name of the Ed25519 key in the DNS; empty = only RSA.")
    ed25519_key_file: str = _help("File with the Ed25519 key, a second signature beside the RSA one.")


@dataclass(frozen=True)
class Catch:
    smtp: str = _help("Where the catcher takes mail (host:port).", "127.0.0.1:1025")
    web: str = _help("Where the catcher shows it (host:port).", "127.0.0.1:8025")


@dataclass(frozen=True)
class Web:
    listen: str = _help("Where `newsletter web` serves the public pages (host:port).", "127.0.0.1:8000")


@dataclass(frozen=True)
class Database:
    url: str = _help(
        "Where the database is: a path relative to the workspace, or postgresql://user@host:port/name?sslmode=require.",
        "sqlite:///var/newsletter.db",
    )
    password: str = _help("PostgreSQL's password; only from the environment, never from this file.", secret=True)

    def __repr__(self) -> str:
        return f"Database(url={self.shown!r})"

    @property
    def shown(self) -> str:
        """The address as a screen may show it: without a password, also where it is written wrongly."""
        hidden = re.sub(r"^([a-z+]+:/*[^:/@?]*):.*@", r"\1:***@", self.url, flags=re.DOTALL | re.IGNORECASE)
        return re.sub(r"(password=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


@dataclass(frozen=True)
class Images:
    carry: str = _help("Pictures by address (url) or inside the mail (cid).", "url", ("url", "cid"))


SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "site": Site,
        "mail": Mail,
        "sending": Sending,
        "dkim": Dkim,
        "catch": Catch,
        "web": Web,
        "database": Database,
        "images": Images,
    }
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
    sending: Sending
    dkim: Dkim
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

    def where(self, key: str) -> Where:
        """Where a setting stands: its line in newsletter.toml, its variable, or the file alone for a default."""
        origin = self.origins.get(key, "default")
        file, _, line = origin.rpartition(":")
        if line.isdigit():
            return Where(file, int(line))
        return Where(FILE if origin == "default" else f"environment: {origin}")
