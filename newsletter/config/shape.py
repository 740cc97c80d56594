"""Every setting there is: its name, its default, what it may be, and one line that explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter.config.describing import described, secret_of
from newsletter.config.inward import Emergency, Hook, Mailbox, Replies, Rule, SavedAnswer, Staff, Team
from newsletter.config.languages import family, nearest
from newsletter.problems import Where

FILE = "newsletter.toml"
PREFIX = "NEWSLETTER_"


@dataclass(frozen=True)
class Site:
    name: str = described("The organisation's name, as people know it.", required=True)
    url: str = described("Public https address of this installation; may be empty with the catcher.")
    language: str = described("Language of the mails unless an issue says otherwise (BCP 47).", "en-GB")
    time_zone: str = described("Time zone of dates and schedules (IANA name).", "Europe/London")
    postal_address: str = described("Postal address for the footer of every mail.", required=True)


@dataclass(frozen=True)
class Sender:
    name: str = described("The name people see in From.", required=True)
    address: str = described("The e-mail address in From.", required=True)
    role: str = described("Rank or role, shown as “who sent it”.")
    area: str = described("The area this sender answers for.")
    organisation: str = described("The organisation, where it is not the site's name.")


@dataclass(frozen=True)
class ListWords:
    """What people read about a list, in one language."""

    title: str = described("The list's name in this language.")
    why: str = described("The footer's sentence in this language.")
    language: str = ""  # of the title, for a screen reader; no key of the file


@dataclass(frozen=True)
class ListConfig:
    title: str = described("The list's name, as subscribers see it.", required=True)
    why: str = described("The footer's sentence: why you get this.", required=True)
    urgent: bool = described("Safety alerts that may rather arrive twice than not at all.", False)
    # No keys of the file: the language of title and why, which is the site's, and the sections [lists.KEY.LANGUAGE].
    spoken: str = ""
    languages: Mapping[str, ListWords] = field(default_factory=dict, hash=False)

    def said(self, language: str) -> ListWords:
        """Title and sentence for a reader of `language`; what is missing in it is said in the default one."""
        tag = nearest(language, self.languages, self.spoken)
        words = self.languages.get(tag, ListWords())
        return ListWords(words.title or self.title, words.why or self.why, tag if words.title else self.spoken)

    def lacks(self, language: str) -> tuple[str, ...]:
        """The keys (title, why) that a reader of `language` would read in another language."""
        tag = nearest(language, self.languages, self.spoken)
        if not tag and family(language) == family(self.spoken):
            return ()
        words = self.languages.get(tag, ListWords())
        return tuple(name for name in ("title", "why") if not getattr(words, name))


@dataclass(frozen=True)
class FieldConfig:
    type: str = described("Kind of value.", "text", ("text", "date", "number", "choice"))
    title: str = described("What staff call it.")
    example: str = described("An example value, used by previews.")


@dataclass(frozen=True)
class Mail:
    transport: str = described("Where mail goes: the built-in catcher, or a relay.", "catcher", ("catcher", "smtp"))
    reply_domain: str = described("Domain of the reply addresses.", "reply.localhost")
    bounce_domain: str = described("Domain of the envelope senders (bounces).", "bounce.localhost")
    separator: str = described("Stands between `reply` and the token.", "+")


@dataclass(frozen=True)
class Relay:
    host: str = described("Host name of the SMTP server.", required=True)
    port: int = described("Port of the SMTP server.", 25)
    tls: str = described(
        "TLS policy; a failure never falls back to clear text.", "none", ("none", "starttls", "implicit")
    )
    user: str = described("User name for the relay.")
    password: str = described("The password; only from the environment, never from this file.", secret=True)
    password_file: str = described("File that holds the password, or the token for xoauth2.")
    auth: str = described("How to log in.", "password", ("password", "xoauth2"))
    connections: int = described("Connections at the same time.", 4)
    pipelining: str = described("Send commands in groups where the relay announces it.", "auto", ("auto", "off"))
    messages: int = described("Mails over one connection before a new one is opened; 0 = no limit.", 100)
    rate: float = described("At most so many mails a second; 0 = as fast as it takes them.", 0.0)
    day: int = described("At most so many mails in 24 hours (UTC day); 0 = no limit.", 0)
    warm_up: str = described("Day (2026-11-24) on which a new sending address begins its warm-up; empty = none.")
    providers: bool = described("Go gently with each mailbox provider (connections, rates, back-off).", True)
    keeps: tuple[str, ...] = described(
        "What the relay keeps as we wrote it.",
        ("message_id", "envelope_sender"),
        ("message_id", "envelope_sender"),
    )

    @property
    def own_sender(self) -> str:
        """The mailbox that we log in as, where the relay replaces our envelope sender; "" = ours stays.

        Microsoft 365 refuses every other one (550 5.7.60). What comes back goes to that mailbox then.
        """
        return self.user if "@" in self.user and "envelope_sender" not in self.keeps else ""

    def secret(self) -> str:
        """The password, from the environment or from `password_file`; see describing.secret_of."""
        return secret_of(self.password, self.password_file, "relays")


@dataclass(frozen=True)
class Sending:
    survives: str = described(
        "What no started mail is forgotten by: a power cut (power), or only a killed process (kill), which is faster.",
        "power",
        ("power", "kill"),
    )
    processes: int = described("Sender processes; 0 = one, or one per core where we sign with DKIM.", 0)
    undo: int = described("Seconds between your yes and the first mail, in which Ctrl-C takes it back.", 10)
    give_up: int = described("Hours after which a mail that could not be handed over is given up.", 72)
    stale: int = described("Hours after its time at which a scheduled mailing is no longer sent without asking.", 2)
    approvals: int = described("1 = somebody else must say yes (`newsletter approve`) before an issue is sent.", 0)
    approve_over: int = described("Only for more people than this; 0 = always.", 0)
    most_per_week: int = described(
        "Messages that a person gets in 7 days at most; 0 = no limit. Lists that are urgent know none.", 0
    )
    bounces: float = described("Pause when more than this percentage of addresses is refused; 0 = never.", 2.0)


@dataclass(frozen=True)
class Dkim:
    domain: str = described("Domain that we sign mail for; empty = we do not sign, the mail server does.")
    selector: str = described("Name of the RSA key in the DNS (selector._domainkey.domain).")
    key_file: str = described("File with the RSA key; `newsletter dkim new` makes one.")
    ed25519_selector: str = described("Name of the Ed25519 key in the DNS; empty = only RSA.")
    ed25519_key_file: str = described("File with the Ed25519 key, a second signature beside the RSA one.")


@dataclass(frozen=True)
class Catch:
    smtp: str = described("Where the catcher takes mail (host:port).", "127.0.0.1:1025")
    web: str = described("Where the catcher shows it (host:port).", "127.0.0.1:8025")


@dataclass(frozen=True)
class Web:
    listen: str = described("Where `newsletter web` serves the public pages (host:port).", "127.0.0.1:8000")
    proxy: str = described("Address of the web server in front, whose X-Forwarded-For is believed; empty = none.")
    exit_url: str = described(
        "Where “Exit this page” on the reply page leads: something harmless.", "https://www.bbc.co.uk/weather"
    )


@dataclass(frozen=True)
class Database:
    url: str = described(
        "Where the database is: a path relative to the workspace, or postgresql://user@host:port/name?sslmode=require.",
        "sqlite:///var/newsletter.db",
    )
    password: str = described("PostgreSQL's password; only from the environment, never from this file.", secret=True)

    def __repr__(self) -> str:
        return f"Database(url={self.shown!r})"

    @property
    def shown(self) -> str:
        """The address as a screen may show it: without a password, also where it is written wrongly."""
        hidden = re.sub(r"^([a-z+]+:/*[^:/@?]*):.*@", r"\1:***@", self.url, flags=re.DOTALL | re.IGNORECASE)
        return re.sub(r"(password=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


@dataclass(frozen=True)
class Images:
    carry: str = described("Pictures by address (url) or inside the mail (cid).", "url", ("url", "cid"))


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
        "replies": Replies,
    }
)
TABLES: Mapping[str, type] = MappingProxyType(
    {
        "senders": Sender,
        "lists": ListConfig,
        "fields": FieldConfig,
        "relays": Relay,
        "mailboxes": Mailbox,
        "teams": Team,
        "staff": Staff,
        "rules": Rule,
        "answers": SavedAnswer,
        "emergency": Emergency,
        "hooks": Hook,
    }
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
    replies: Replies
    mailboxes: Mapping[str, Mailbox]
    teams: Mapping[str, Team]
    staff: Mapping[str, Staff]
    rules: Mapping[str, Rule]
    answers: Mapping[str, SavedAnswer]
    emergency: Mapping[str, Emergency]
    hooks: Mapping[str, Hook]
    themes: Mapping[str, Mapping[str, Any]]  # checked against theme.toml by rendering.themes
    origins: Mapping[str, str]
    # Key → title of the segments that are stored: not of the file, so whoever opens the database puts them here.
    segments: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def base_url(self) -> str:
        """Address of the public pages, without a slash at the end."""
        return (self.site.url or f"http://{self.web.listen}").rstrip("/")

    def list_said(self, key: str, language: str) -> ListWords:
        """What a reader of `language` reads about a list; one that is no longer configured keeps its key."""
        if key not in self.lists:
            return ListWords(key, "", self.site.language)
        return self.lists[key].said(language)

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
