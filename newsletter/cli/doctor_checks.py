"""What `newsletter doctor` looks at, one function for each thing; every finding is a line and, if bad, a Problem."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli.output import count
from newsletter.problems import NewsletterError, Problem, Severity, Where

if TYPE_CHECKING:
    from newsletter.config import Config

LITTLE_SPACE = 200_000_000  # bytes; 10,000 people's ledger and answers need about 20 MB, caught mail 40 KB each
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """One line: `area` is what was looked at, `text` what was found; a `problem` says what to do."""

    area: str
    text: str
    problem: Problem | None = None


def failed(area: str, error: NewsletterError) -> Iterator[Finding]:
    """The findings for an error of another part: its own words are the best ones."""
    for problem in error.problems:
        yield Finding(area, problem.message, problem)


def worth_a_look(area: str, code: str, text: str, hint: str, where: Where | None = None) -> Finding:
    return Finding(area, text, Problem(code, text, hint, where, Severity.WARNING))


def machine(root: Path) -> Iterator[Finding]:
    """Python, disk, and a browser for pictures (which nothing else needs)."""
    version = platform.python_version()
    yield Finding("Python", f"{version} on {platform.system()}")
    free = shutil.disk_usage(root).free
    text = f"{free / 1e9:,.1f} GB free"
    if free < LITTLE_SPACE:
        text = f"Only {free // 1_000_000} MB are free on the disk"
        hint = (
            "Make room before you send; a full disk stops a mailing in the middle (nothing is lost, it goes on later)."
        )
        yield Finding("Disk", text, Problem("little-space", text, hint, Where(str(root))))
    else:
        yield Finding("Disk", text)
    found = os.environ.get("NEWSLETTER_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), "")
    yield Finding("Browser", found or "none; not needed, only pictures of an issue are made with one (Chromium)")


def settings(config: Config) -> Iterator[Finding]:
    """The settings load; is anything in them still what `init` wrote?"""
    from newsletter.config import examples

    lists, senders = count(len(config.lists), "list"), count(len(config.senders), "sender")
    yield Finding("Settings", f"newsletter.toml is right: {config.site.name}, {lists}, {senders}")
    for problem in examples.left(config):
        yield Finding("Settings", problem.message, problem)
    for key, missing in (("lists", not config.lists), ("senders", not config.senders)):
        if missing:
            text = f"There is no section [{key}.…] yet"
            yield worth_a_look("Settings", "nothing-set", text, "docs/reference/configuration.md shows one.")


def folders(config: Config) -> Iterator[Finding]:
    """Each folder is tried by writing a file: what permissions say is not what a read-only disk does."""
    good = []
    for name in ("issues", "recipients", "var", "build"):
        folder = config.root / name
        there = folder if folder.exists() else config.root
        try:
            with tempfile.TemporaryFile(dir=there):
                good.append(name)
        except OSError as error:
            text = f"Cannot write into {there}: {error.strerror}"
            hint = f"Let your user write there, for example: sudo chown -R $USER {there}"
            yield Finding("Folders", text, Problem("cannot-write", text, hint, Where(str(there))))
    if good:
        yield Finding("Folders", f"{', '.join(good)} can be written")


def key(config: Config) -> Iterator[Finding]:
    """The key that signs every address; losing it makes those already sent dead."""
    from newsletter.mail.tokens import Keyring

    try:
        ring = Keyring.load(config.var / "secret.key")
    except NewsletterError as error:
        yield from failed("Key", error)
        return
    for problem in ring.problems:
        yield Finding("Key", problem.message, problem)
    if not ring.problems:
        yield Finding("Key", "var/secret.key is there and only you can read it; is it in your backup?")


def passwords(config: Config) -> Iterator[Finding]:
    """The files that hold passwords of relays and mailboxes. The group may read them: a service often runs so."""
    named = [(f"relays.{key}", relay.password_file) for key, relay in config.relays.items()]
    named += [(f"mailboxes.{key}", mailbox.password_file) for key, mailbox in config.mailboxes.items()]
    for key, name in named:
        path = config.root / name
        if name and path.is_file() and path.stat().st_mode & stat.S_IRWXO:
            text = f"Every user of this computer can open {name}, which holds the password of [{key}]"
            hint = f"Close it: chmod o= {path}. If you do not trust all of them, change the password as well."
            where = config.where(f"{key}.password_file")
            yield worth_a_look("Password", "password-readable-by-others", text, hint, where)


def database(config: Config) -> Iterator[Finding]:
    """Open it, bring it up to date, count the people."""
    from newsletter.audience import database as opening

    try:
        opening.ready(config)
        with opening.problems_of():
            from newsletter.audience import never
            from newsletter.audience.models import Subscriber

            people = Subscriber.objects.count()
            never.Erased()  # with the key that they were erased with?
    except NewsletterError as error:
        yield from failed("Database", error)
        return
    yield Finding("Database", f"{config.database.shown} is up to date: {count(people, 'person', 'people')}")


def themes(config: Config) -> Iterator[Finding]:
    """Every theme of the workspace and of the program can be read."""
    from newsletter.content import places
    from newsletter.rendering import themes as looking

    good = []
    for name in places.themes(config):
        try:
            good.append(looking.load(name, config).name)
        except NewsletterError as error:
            yield from failed("Themes", error)
    if good:
        yield Finding("Themes", ", ".join(good))


def days(config: Config) -> Iterator[Finding]:
    """Lists that the relays cannot carry in one day, or that their rates make long: better known beforehand."""
    from newsletter.audience import database as opening
    from newsletter.sending import limits, relay_days

    limited = any(relay.day or relay.rate or relay.warm_up for relay in config.relays.values())
    if config.mail.transport != "smtp" or not limited:
        return
    try:
        with opening.problems_of():
            used = {key: relay_days.day_used(key) for key in config.relays}
            for key in config.lists:
                needed = limits.days_needed(config, _people(config, key), used=used)
                if needed.days > 1:
                    text = f"{key} has {needed.words}"
                    where = config.where(f"relays.{needed.relay or next(iter(config.relays))}.day")
                    hint = "It goes on day after day. For all in one day: a second relay beside it, or a higher limit."
                    yield worth_a_look("Days", "more-than-a-day", text, hint, where)
                elif needed.words:
                    yield Finding("Days", f"{key} has {needed.words}")
    except NewsletterError:
        return  # `database` has said what is wrong with it


def worker(config: Config) -> Iterator[Finding]:
    """Something is to go out later, and nobody is there to do it: the fault that shows only by silence."""
    from newsletter.audience import database as opening
    from newsletter.cli.sending_mailing import is_running
    from newsletter.content import when
    from newsletter.sending import heartbeats, schedules

    try:
        with opening.problems_of():
            why, alive = heartbeats.absent(), len(heartbeats.alive())
            waits = [one for one in schedules.waiting_for_a_worker() if not is_running(config, one)] if why else []
    except NewsletterError:
        return  # `database` has said what is wrong with it
    if not why:
        yield Finding("Worker", f"{count(alive, 'worker')} running")
    elif mails := _mails_that_wait():
        text = f"{count(mails, 'mail')} that somebody asked for on the pages, or that answers them, wait for a worker"
        hint = "Start newsletter worker and keep it running: docs/how-to/run-the-worker.md."
        yield worth_a_look("Worker", "no-worker", text.replace("wait", "waits") if mails == 1 else text, hint)
    elif not waits:
        needed = "for every confirmation, for sending at a later time and for trying again by itself"
        yield Finding("Worker", f"{why}; it is needed {needed}")
    for mailing in waits:
        hint = "Start newsletter worker and keep it running: docs/how-to/run-the-worker.md."
        if mailing.send_at and mailing.state == mailing.State.APPROVED:
            said = f"{mailing.slug} is to be sent on {when.said(mailing.send_at, config.site.time_zone)}"
            text = f"{said}, but no worker is there to do it ({why})"
            yield Finding("Worker", text, Problem("no-worker", text, hint))
        else:
            text = f"{mailing.slug} has people who wait, and no worker goes on with it by itself ({why})"
            hint = f"{hint} Or run newsletter send {mailing.slug} yourself."
            yield worth_a_look("Worker", "no-worker", text, hint)


def _mails_that_wait() -> int:
    """Single mails that only a worker sends: asked for on a page and not yet queued, or in the queue."""
    from newsletter.audience.models import Request
    from newsletter.sending.models import Notice

    queued = Notice.objects.filter(state__in=(Notice.State.PENDING, Notice.State.DEFERRED)).count()
    return Request.objects.filter(told=None).count() + queued


def _people(config: Config, key: str) -> int | dict[str, int]:
    """How many people a mailing to this list reaches; for each provider where a warm-up asks for that."""
    from newsletter.audience import selecting

    if not any(relay.warm_up and relay.providers for relay in config.relays.values()):
        return selecting.explain(config, [key]).will_get
    from collections import Counter

    from newsletter.audience.models import Subscription
    from newsletter.sending import limits, providers

    mine = Subscription.objects.filter(list__key=key, state="confirmed")
    addresses = mine.values_list("subscriber__canonical", flat=True).iterator(10_000)
    domains = Counter(address.rpartition("@")[2] for address in addresses)
    return limits.by_provider(domains, providers.table())


def refusals(config: Config) -> Iterator[Finding]:
    """Mail that came back lately because servers refuse us; nothing to say where there is none."""
    from newsletter.audience import database as opening
    from newsletter.cli.replies_reclassify import refused_as_sender

    try:
        with opening.problems_of():
            from newsletter.replies import bounces

            blocked, latest = bounces.blocked_lately()
    except NewsletterError:
        return  # `database` has said what is wrong with it
    if blocked:
        problem = refused_as_sender(blocked, latest)
        yield Finding("Bounces", problem.message, problem)


def pages(config: Config) -> Iterator[Finding]:
    """The public address answers, and it is this installation that does."""
    from newsletter.mail.tokens import Keyring
    from newsletter.sending import sitecheck

    if not config.site.url:
        text = "no [site] url yet; links in the mail work on this computer only, while `newsletter web` runs"
        yield Finding("Pages", text)
        return
    try:
        sitecheck.check(config, Keyring.load(config.var / "secret.key"), loopback_http=True)
    except NewsletterError as error:
        yield from failed("Pages", error)
        return
    yield Finding("Pages", f"{config.base_url} answers, and it is ours")
