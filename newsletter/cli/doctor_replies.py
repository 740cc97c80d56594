"""The way back in `newsletter doctor`: mailboxes that can be read, canaries that come back, plus addresses tried."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from newsletter.cli.doctor_checks import Finding, failed, worth_a_look
from newsletter.problems import NewsletterError, Problem, Severity

if TYPE_CHECKING:
    from newsletter.config import Config

AREA = "Replies"
PROBE_SECONDS, PROBE_LOOK = 90.0, 3.0  # how long the probe is waited for, and how often it is looked for


def mailboxes(config: Config) -> Iterator[Finding]:
    """Connect to each IMAP mailbox and log in; say what the worker met there, and which canaries are missing."""
    for key, mailbox in config.mailboxes.items():
        if mailbox.kind != "imap":
            continue
        from newsletter.replies import imap
        from newsletter.replies.imap_session import opened

        try:
            with opened(key, mailbox) as client:
                folders = [name for wanted in mailbox.folders if (name := imap.there(client, wanted))]
                idle = "told at once (IDLE)" if client.has_capability("IDLE") else "looked at every minute"
        except NewsletterError as error:
            yield from failed(AREA, error)
            continue
        yield Finding(AREA, f"mailbox {key}: {mailbox.host} answers, logged in as {mailbox.user}; {idle}")
        for wanted in mailbox.folders:
            if not any(name.lower() == wanted.lower() for name in folders) and wanted.lower() != "junk":
                text = f"Mailbox {key} has no folder {wanted}"
                where = config.where(f"mailboxes.{key}.folders")
                yield worth_a_look(AREA, "mailbox-trouble", text, "Correct folders, or make the folder.", where)
    yield from _probed(config)
    from newsletter.audience import database
    from newsletter.cli.replies_silence import circles, silence

    with contextlib.suppress(NewsletterError), database.problems_of():  # the line of the database says it better
        for problem in silence() if config.mailboxes or config.replies.canary else circles():
            yield Finding(AREA, problem.message, problem)


def _probed(config: Config) -> Iterator[Finding]:
    """Whether every way in is tried every 15 minutes: where it is not, silence looks like calm."""
    if config.mail.transport != "smtp" or not config.mailboxes:
        return
    if not config.replies.canary:
        text = "Nobody looks whether answers still arrive: [replies] canary is off"
        hint = "Set canary = true: a mail to ourselves every 15 minutes, and people are told when two do not come back."
        problem = Problem("canary-off", text, hint, config.where("replies.canary"), severity=Severity.NOTE)
        yield Finding(AREA, text, problem)
        return
    from newsletter.replies import canary

    for key in canary.unprobed(config):
        text = f"No test mail goes through mailbox {key}: another one without an address is tried already"
        hint = f'Write its own address under [mailboxes.{key}]: address = "…".'
        yield worth_a_look(AREA, "canary-skips", text, hint, config.where(f"mailboxes.{key}.kind"))


def plus(config: Config, address: str, wait: Callable[[float], None] = time.sleep) -> Iterator[Finding]:
    """Send a signed mail to `local+token@domain`, look for it in the mailboxes for a while, and say which mode fits."""
    from django.utils import timezone

    from newsletter.mail import tokens
    from newsletter.replies import canary, fetching
    from newsletter.sending import notices
    from newsletter.sending.models import Notice

    if not fetching.keys(config):
        text = "Plus addresses cannot be tried: newsletter.toml has no mailbox that could be looked into"
        hint = "Add [mailboxes.inbox]; docs/how-to/shared-mailbox.md shows it."
        yield Finding(AREA, text, Problem("no-such-mailbox", text, hint))
        return
    if config.mail.transport == "catcher":
        text = "Plus addresses cannot be tried while the catcher takes all mail: the trial would never leave here"
        hint = 'Set [mail] transport = "smtp" with a relay first: docs/how-to/send-real-mail.md.'
        yield worth_a_look(AREA, "plus-not-tried", text, hint, config.where("mail.transport"))
        return
    local, _, domain = address.rpartition("@")
    token = tokens.Keyring.load(config.var / "secret.key").make(tokens.Purpose.REPLY, tokens.new_id())
    to = tokens.address(local, token, domain)
    sent = canary.send(config, canary.PROBE, to, timezone.now())
    notice = Notice.objects.get(token=sent.token)
    notices.deliver(config, [notice.pk])
    notice.refresh_from_db()
    if notice.state != Notice.State.ACCEPTED:
        yield _shared(config, f"The mail server does not take mail to {local}+…@{domain}: {notice.reason}")
        return
    for _ in range(int(PROBE_SECONDS / PROBE_LOOK)):
        for key in fetching.keys(config):
            try:
                fetching.fetch(config, key)
            except NewsletterError as error:
                yield from failed(AREA, error)
                return
        sent.refresh_from_db()
        if sent.back is not None:
            text = f'plus addresses of {address} work: mode = "token", mailbox = "{address}"'
            yield Finding(AREA, text)
            return
        wait(PROBE_LOOK)
    yield _shared(config, f"A mail to {local}+…@{domain} did not come back within {PROBE_SECONDS:.0f} seconds")


def _shared(config: Config, text: str) -> Finding:
    hint = 'Set [replies] mode = "shared"; docs/how-to/shared-mailbox.md says what is weaker then.'
    return worth_a_look(AREA, "no-plus-addresses", text, hint, config.where("replies.mode"))
