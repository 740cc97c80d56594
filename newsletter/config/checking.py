"""Settings that are the right kind of value and still cannot work: a domain that is none, a port out of range."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from newsletter.config import checking_rules, working_hours
from newsletter.config.languages import TAG
from newsletter.config.shape import BUILT_IN_FIELDS, Config
from newsletter.problems import did_you_mean

Report = Callable[[str, str, str, tuple[str, ...]], None]  # code, message, hint, path of the key
_DKIM = "`newsletter dkim new` makes the keys and prints these lines."
_BESIDE = "Ed25519 stands beside RSA, never alone: many providers check only RSA."
DOMAIN = re.compile(r"(?=.{1,253}$)[^\W_]([\w-]{0,62})(\.[^\W_][\w-]{0,62})*")


def check(config: Config, report: Report) -> None:
    """Report every value that cannot work, at its own line."""
    _site(config, report)
    _people(config, report)
    _mail(config, report)
    _dkim(config, report)
    _replies(config, report)
    _desk(config, report)
    checking_rules.check(config, report)
    _inward(config, report)
    for path, value in (
        (("catch", "smtp"), config.catch.smtp),
        (("catch", "web"), config.catch.web),
        (("web", "listen"), config.web.listen),
    ):
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            message = f"[{path[0]}] {path[1]} must be host:port, not {value!r}"
            report("bad-value", message, 'For example "127.0.0.1:8025".', path)


def _site(config: Config, report: Report) -> None:
    site = config.site
    for name, value in (("name", site.name), ("postal_address", site.postal_address)):
        if not value.strip():
            report("bad-value", f"[site] {name} is empty", "People must see who writes to them.", ("site", name))
    if not TAG.fullmatch(site.language):
        hint = "A language looks like en-GB, cy or ur."
        report("bad-value", f"[site] language cannot be {site.language!r}", hint, ("site", "language"))
    try:
        ZoneInfo(site.time_zone)
    except (KeyError, ValueError, OSError):
        hint = "An IANA name such as Europe/London; UTC always works."
        report("bad-value", f"There is no time zone {site.time_zone!r} on this computer", hint, ("site", "time_zone"))
    if site.url:
        url = urlsplit(site.url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            hint = 'Write it like url = "https://news.example.org".'
            report("bad-value", f"[site] url is not a web address: {site.url!r}", hint, ("site", "url"))


def _people(config: Config, report: Report) -> None:
    for key, sender in config.senders.items():
        local, _, domain = sender.address.rpartition("@")
        if not local or re.search(r"[\s<>,;\x00-\x1f]", sender.address) or not DOMAIN.fullmatch(domain):
            message = f"[senders.{key}] address is not an e-mail address: {sender.address!r}"
            report("bad-value", message, 'For example address = "news@example.org".', ("senders", key, "address"))
        if not sender.name.isprintable():
            message = f"[senders.{key}] name holds a line break or another invisible letter"
            report("bad-value", message, "Write the name on one line.", ("senders", key, "name"))
    for key in config.lists:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,99}", key):
            hint = "Use small letters, digits, - and _, as in all-residents."
            report("bad-list-name", f"A list cannot be called {key!r}", hint, ("lists", key))
    for key in config.fields:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", key) or key in BUILT_IN_FIELDS:
            hint = "Use small letters, digits and _, and no name that is built in."
            report("bad-field-name", f"A field cannot be called {key!r}", hint, ("fields", key))


def _mail(config: Config, report: Report) -> None:
    mail = config.mail
    if mail.transport == "smtp":
        if not config.relays:
            hint = 'Add [relays.main] with host and port, or set transport = "catcher".'
            report("no-relay", "Mail is to go by smtp, but there is no relay", hint, ("mail", "transport"))
        if not config.site.url.startswith("https://"):
            hint = 'The links in the mail need a public https address: url = "https://news.example.org".'
            message = "[site] url must start with https:// when mail leaves here"
            report("needs-https", message, hint, ("site", "url"))
    for key, value in (("reply_domain", mail.reply_domain), ("bounce_domain", mail.bounce_domain)):
        if not DOMAIN.fullmatch(value):
            hint = f'For example {key} = "reply.example.org".'
            report("bad-value", f"[mail] {key} is not a domain: {value!r}", hint, ("mail", key))
    if mail.separator not in ("+", "-", "=", "_", "."):
        hint = "One of + - = _ . : the sign after which your mail server ignores the rest of a mailbox's name."
        report("bad-value", f"[mail] separator cannot be {mail.separator!r}", hint, ("mail", "separator"))
    for key, relay in config.relays.items():
        if not 1 <= relay.port <= 65535:
            report("bad-value", f"There is no port {relay.port}", "Relays use 25, 465 or 587.", ("relays", key, "port"))
        if not 1 <= relay.connections <= 100:
            message = f"[relays.{key}] connections cannot be {relay.connections}"
            report("bad-value", message, "From 1 to 100; 4 is a good start.", ("relays", key, "connections"))
        for name, number in (("messages", relay.messages), ("rate", relay.rate), ("day", relay.day)):
            if not 0 <= number < 1e9:
                message = f"[relays.{key}] {name} cannot be {number}"
                report("bad-value", message, "A number from 0 on; 0 = no limit.", ("relays", key, name))
        if relay.warm_up and not _is_day(relay.warm_up):
            message = f"[relays.{key}] warm_up is not a day: {relay.warm_up!r}"
            report("bad-value", message, 'Write it like warm_up = "2026-11-24".', ("relays", key, "warm_up"))


def _replies(config: Config, report: Report) -> None:
    """Nothing may answer people by itself before it can tell them what to do in an emergency (REPLIES, safety)."""
    replies, site = config.replies, config.site.language.split("-")[0].lower()
    fitting = [one for one in config.emergency.values() if (one.language or site).split("-")[0].lower() == site]
    # Words of one sender say nothing for another: each has its own, or there are words for all.
    spoken = any(not one.sender for one in fitting) or {one.sender for one in fitting} >= set(config.senders)
    if replies.acknowledge and config.mail.transport == "smtp" and not spoken:
        hint = 'Add [emergency.words] with text = "In danger now? Call 999. …", in each language that you write in.'
        message = (
            f"Emergency words in the site's language ({config.site.language}) are missing, or not for every sender"
        )
        report("no-emergency-words", message, hint, ("replies", "acknowledge"))
    if not 1 <= replies.hours <= 24 * 31:
        message = f"[replies] hours cannot be {replies.hours}"
        report("bad-value", message, "From 1 to 744; 72 is what public bodies promise.", ("replies", "hours"))
    for key, one in config.emergency.items():
        if one.sender and one.sender not in config.senders:
            hint = did_you_mean(one.sender, config.senders)
            message = f"[emergency.{key}] sender is none of [senders]: {one.sender!r}"
            report("bad-value", message, hint, ("emergency", key, "sender"))


def _desk(config: Config, report: Report) -> None:
    """The clock of the answers, and the teams that colleagues say they work in."""
    replies = config.replies
    if replies.calendar:
        try:
            working_hours.parse(replies.calendar)
        except ValueError as error:
            hint = 'For example calendar = "Mon-Fri 09:00-17:00"; empty: every hour counts.'
            report("bad-value", f"[replies] calendar: {error}", hint, ("replies", "calendar"))
    for day in replies.holidays:
        if not _is_day(day):
            hint = 'Write it like holidays = ["2026-12-25", "2026-12-28"].'
            report("bad-value", f"[replies] holidays: {day!r} is not a day", hint, ("replies", "holidays"))
    for key, colleague in config.staff.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", key):
            hint = "Use small letters, digits, . - and _, as in jo or j.smith."
            report("bad-value", f"A colleague cannot be called [staff.{key}]", hint, ("staff", key))
        for team in colleague.teams:
            if team not in config.teams:
                hint = did_you_mean(team, config.teams) or f"Add [teams.{team}], or take it out here."
                report("bad-value", f"[staff.{key}] is in a team that there is not: {team!r}", hint,
                       ("staff", key, "teams"))  # fmt: skip
    for key in config.teams:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,39}", key) or key in config.staff:
            hint = "Use small letters, digits, . - and _, and no name that a colleague has."
            report("bad-value", f"A team cannot be called [teams.{key}]", hint, ("teams", key))


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _inward(config: Config, report: Report) -> None:
    """The way back: one shared mailbox needs its address, a mailbox its server, a webhook what proves its sender."""
    local, _, domain = config.replies.mailbox.rpartition("@")
    if config.replies.mode == "shared" and not (local and DOMAIN.fullmatch(domain)):
        message = '[replies] mode = "shared" needs the address of the mailbox'
        report("bad-value", message, 'For example mailbox = "news@example.org".', ("replies", "mailbox"))
    for key, mailbox in config.mailboxes.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", key):
            hint = "Use at most 40 small letters, digits, - and _, as in inbox."
            report("bad-value", f"A mailbox cannot be called {key!r}", hint, ("mailboxes", key))
        if mailbox.kind == "imap":
            for name in ("host", "user"):
                if not getattr(mailbox, name):
                    report("missing-key", f"[mailboxes.{key}] needs ‘{name}’", "", ("mailboxes", key))
    for key, hook in config.hooks.items():
        if hook.provider == "amazon-ses" and not hook.topics:
            message = f"[hooks.{key}] names no topics: anybody with an account at Amazon could report bounces"
            report("hook-without-secret", message, 'topics = ["arn:aws:sns:…"], as SNS shows it.', ("hooks", key))
        elif hook.provider != "amazon-ses" and not (hook.secret_file or hook.secret or hook.public_key):
            variable = f"NEWSLETTER_HOOKS__{key.upper()}__SECRET"
            hint = f"Write the secret into a file and name it as secret_file, or set {variable}."
            message = f"[hooks.{key}] has no secret: anybody could report bounces"
            report("hook-without-secret", message, hint, ("hooks", key))


def _dkim(config: Config, report: Report) -> None:
    """All of a key's settings or none; the key files themselves are looked at where they are used."""
    dkim = config.dkim
    rsa = {"domain": dkim.domain, "selector": dkim.selector, "key_file": dkim.key_file}
    second = {"ed25519_selector": dkim.ed25519_selector, "ed25519_key_file": dkim.ed25519_key_file}
    needed = rsa | second if any(second.values()) else rsa
    if any(needed.values()):
        for key, value in needed.items():
            if not value:
                beside = key in rsa and any(second.values())
                report("bad-value", f"[dkim] needs {key} as well", _BESIDE if beside else _DKIM, ("dkim", key))
    if dkim.domain and (not DOMAIN.fullmatch(dkim.domain) or not dkim.domain.isascii()):
        hint = 'For example domain = "example.org"; one with other letters in its xn-- form.'
        report("bad-value", f"[dkim] domain is not a domain: {dkim.domain!r}", hint, ("dkim", "domain"))
    for key in ("selector", "ed25519_selector"):
        value = getattr(dkim, key)
        if value and not (DOMAIN.fullmatch(value) and value.isascii()):
            hint = f'Letters, digits and -, for example {key} = "n202611".'
            report("bad-value", f"[dkim] {key} cannot be {value!r}", hint, ("dkim", key))
    if dkim.selector and dkim.selector.lower() == dkim.ed25519_selector.lower():
        message = "[dkim] selector and ed25519_selector are the same; each key has a record of its own"
        report("bad-value", message, _DKIM, ("dkim", "ed25519_selector"))
