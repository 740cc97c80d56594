"""Mailboxes that we look into: each kind has a module of its own, and all of them end at `intake.accept`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.mail import header_reading
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean
from newsletter.replies.models import Kind
from newsletter.replies.sorting import Verdict

# Kind of mailbox → module:function with the signature of `fetch` below; imported when it is needed.
KINDS: dict[str, str] = {"maildir": "newsletter.replies.maildir:fetch", "imap": "newsletter.replies.imap:fetch"}
IN_THE_WORKER = ("maildir",)  # kinds that are quick enough to be looked at between two mailings
WORKERS_SHARE = 200  # messages of one mailbox in one look of the worker: 4 s at 50 a second, then mailings go on
HEAD = 65_536  # bytes in which the envelope is searched
_said: dict[str, tuple[str, ...]] = {}  # by mailbox: the troubles of the worker's last look


@dataclass(frozen=True)
class Fetched:
    """What one look into a mailbox brought. `trouble`: one sentence for each thing that stood in the way."""

    taken: int = 0
    duplicates: int = 0
    trouble: tuple[str, ...] = ()

    def and_one(self, verdict: Verdict) -> Fetched:
        """With one more message; a second copy counts on its own."""
        again = verdict.kind == Kind.DUPLICATE
        return Fetched(self.taken + (not again), self.duplicates + again, self.trouble)

    def but(self, words: str) -> Fetched:
        """With one more trouble."""
        return Fetched(self.taken, self.duplicates, (*self.trouble, words))


OnProgress = Callable[[Fetched], bool]  # called after each message; False = enough for now


def keys(config: Config) -> list[str]:
    """The mailboxes that can be fetched; the others (LMTP) bring their mail by themselves."""
    return [key for key, mailbox in config.mailboxes.items() if mailbox.kind in KINDS]


def fetch(config: Config, key: str, on_progress: OnProgress = lambda fetched: True) -> Fetched:
    """Take in everything new of one mailbox.

    Raises NewsletterError: no-such-mailbox, and whatever keeps the whole mailbox from being read or the messages from
    our disk. Trouble with a single message never stops the rest; it is in `Fetched.trouble`.
    """
    mailbox = config.mailboxes.get(key)
    if mailbox is None or mailbox.kind not in KINDS:
        hint = did_you_mean(key, keys(config)) or "newsletter.toml has them as [mailboxes.KEY]."
        raise NewsletterError(Problem("no-such-mailbox", f"No mailbox {key!r} can be fetched", hint), exit=Exit.USAGE)
    module, _, name = KINDS[mailbox.kind].partition(":")
    found: Fetched = getattr(importlib.import_module(module), name)(config, key, on_progress)
    return found


def in_the_worker(config: Config) -> str:
    """One look into each mailbox that the worker reads; what is wrong with one does not keep it from the next.

    Gives back what is new in words: a trouble that lasts is said once, not every 15 seconds.
    """
    words = []
    for key in keys(config):
        if config.mailboxes[key].kind not in IN_THE_WORKER:
            continue
        try:
            found = fetch(config, key, lambda so_far: so_far.taken + so_far.duplicates < WORKERS_SHARE)
        except NewsletterError as error:
            found = Fetched(trouble=(str(error),))
        if found.taken:
            words.append(f"{key}: {found.taken} taken in")
        words += [f"{key}: {trouble}" for trouble in found.trouble if trouble not in _said.get(key, ())]
        _said[key] = found.trouble
    return "; ".join(words)


def return_path(raw: bytes) -> str:
    """The envelope sender that the last mail server wrote on top; "" for `<>` and where there is none."""
    for name, value in header_reading.block(raw[:HEAD]):
        if name == "return-path":
            return value.strip().removeprefix("<").removesuffix(">")
    return ""
