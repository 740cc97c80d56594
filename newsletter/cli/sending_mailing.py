"""Which mailing a command is about: the one named, the one that is under way, or the only one there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli.output import Output
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing


def workspace(output: Output) -> Config:
    """The configuration, with its database open; only after this may the ledger's modules be imported."""
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    return config


def which(output: Output, config: Config, name: str | None) -> Mailing:
    """The mailing of the issue `name` (or the beginning of its slug); without a name the one under way, else the
    last one, unless you stand in an issue. Raises NewsletterError(which-issue | not-approved, exit 2)."""
    found = which_or_draft(output, config, name)
    if isinstance(found, Path):
        raise NewsletterError(
            Problem("not-approved", f"{found.name} has not been sent", hint="newsletter send sends it, after asking."),
            exit=Exit.USAGE,
        )
    return found


def which_or_draft(output: Output, config: Config, name: str | None) -> Mailing | Path:
    """The same, or the folder of an issue that was never sent. Raises NewsletterError(which-issue | no-issue)."""
    from newsletter.content import finding
    from newsletter.sending import mailings
    from newsletter.sending.models import Mailing

    inside = (config.root / "issues").resolve() in output.folder.resolve().parents
    if name is None and not inside:
        under_way = list(Mailing.objects.filter(state__in=("approved", "sending", "paused"))[:2])
        last = Mailing.objects.order_by("-pk").first()
        if len(under_way) == 1:
            return under_way[0]
        if not under_way and last:
            return last
    elif name is not None:
        slug = name.rstrip("/").removeprefix("issues/")
        begun = list(Mailing.objects.filter(slug__startswith=slug)[:2])
        if len(begun) == 1:
            return begun[0]  # also when its folder is gone: the ledger does not need it
    folder = finding.find(config, name, output.folder)
    return mailings.find(folder.name) or folder


def is_running(config: Config, mailing: Mailing) -> bool:
    """True while some process sends this mailing."""
    from newsletter.sending import lock

    sender = lock.holder(config.var) if lock.is_held(config.var) else None
    return bool(sender and sender.slug == mailing.slug)


def at_rest(config: Config, mailing: Mailing) -> str:
    """Words for a mailing that has begun and that nobody is sending now; empty for every other one."""
    from newsletter.cli import sending_words as words
    from newsletter.sending import heartbeats, mailings

    if mailing.state != mailing.State.SENDING or is_running(config, mailing):
        return ""
    counts = mailings.status(mailing)
    if not any(counts[state] for state in (*words.WAITING, "deferred")):
        return "handed over"
    return "" if heartbeats.alive() else "stopped part-way"  # a worker goes on by itself


def wrong_state(mailing: Mailing, wish: str, hint: str) -> NewsletterError:
    """`cannot be paused: it is finished`."""
    message = f"{mailing.slug} cannot be {wish}: it is {mailing.state}"
    return NewsletterError(Problem("wrong-state", message, hint=hint), exit=Exit.REFUSED)
