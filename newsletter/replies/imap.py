"""IMAP: every message by its number (UID), on our disk before anything is done in the mailbox, and never deleted.

How far a folder was read is kept on our side (MailboxState), so nothing depends on flags that people change. When the
server numbers a folder anew (UIDVALIDITY), it is read again and the bytes tell what is known.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Min
from django.utils import timezone
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from imapclient.imapclient import JUNK

from newsletter.audience import database
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import intake, sorting
from newsletter.replies.fetching import HEAD, Fetched, OnProgress, return_path
from newsletter.replies.imap_session import opened, said
from newsletter.replies.models import Kind, MailboxState, Raw
from newsletter.replies.sorting import Verdict
from newsletter.replies.storing import storable
from newsletter.sending.models import Mailing

BATCH, BATCH_BYTES = 50, 4_000_000  # messages and bytes in one answer; the larger ones come alone
PATIENCE = 60.0  # seconds to wait for another process that reads the same mailbox
WHOLE = ""  # the folder name under which trouble with the mailbox itself is kept


@dataclass(frozen=True)
class Folder:
    """A selected folder. `source` is the beginning of Raw.source for what lies in it."""

    key: str
    name: str
    validity: int
    done: str  # where taken mail is moved to; "" = it stays

    def source(self, uid: int) -> str:
        return f"{self.key}:{self.name[:120]}:{self.validity}:{uid}"


def fetch(config: Config, key: str, on_progress: OnProgress) -> Fetched:
    """Take in what is new in every folder. Raises NewsletterError (imap_session.opened; mailbox-busy)."""
    with database.problems_of(), alone(config, key):
        try:
            with opened(key, config.mailboxes[key]) as client:
                return read(config, key, client, on_progress)
        except NewsletterError as error:
            troubled(key, WHOLE, str(error))
            raise


def read(config: Config, key: str, client: IMAPClient, on_progress: OnProgress) -> Fetched:
    """All folders of an open session; trouble with one of them does not keep the next from being read."""
    mailbox, fetched = config.mailboxes[key], Fetched()
    going_on = True

    def progress(so_far: Fetched) -> bool:
        nonlocal going_on
        going_on = on_progress(so_far)
        return going_on

    for wanted in mailbox.folders:
        name = there(client, wanted)
        if name is None:
            if wanted.lower() != "junk":  # not every server has one
                words = f"There is no folder {wanted}"
                troubled(key, wanted, words)
                fetched = fetched.but(words)
            continue
        try:
            fetched = _folder(key, name, mailbox.done, client, fetched, progress)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            words = f"{name}: {said(error)}"
            troubled(key, name, words)
            fetched = fetched.but(words)
        if not going_on:
            break
    well(key, WHOLE)
    return fetched


def there(client: IMAPClient, wanted: str) -> str | None:
    """The folder's name on this server, or None. `Junk` is also what the server itself calls its junk folder."""
    if client.folder_exists(wanted):
        return wanted
    if wanted.lower() != "junk":
        return None
    found = client.find_special_folder(JUNK)
    return str(found) if found else None


def _folder(key: str, name: str, done: str, client: IMAPClient, fetched: Fetched, on_progress: OnProgress) -> Fetched:
    """Take in what one folder has above the last number read. The number moves on only behind what is on our disk."""
    move = bool(done) and name != done
    facts = client.select_folder(name, readonly=not move)
    folder = Folder(key, name, int(facts[b"UIDVALIDITY"]), _place(client, done) if move else "")
    state, _ = MailboxState.objects.get_or_create(mailbox=key, folder=name)
    if state.uidvalidity != folder.validity:
        state.uidvalidity, state.last_uid = folder.validity, 0
        state.save(update_fields=["uidvalidity", "last_uid"])
    stuck = False
    for batch in _batches(client, newer(client, state.last_uid)):
        for uid, raw in _contents(client, folder, batch):
            if raw is None:
                stuck = True  # asked again next time; the others go on
                fetched = fetched.but(f"{name}: message {uid} cannot be fetched; it stays there")
                continue
            verdict = _take(folder, uid, raw, batch[uid])
            fetched = fetched.and_one(verdict) if verdict else fetched
            if not on_progress(fetched):
                _move(client, folder, list(batch))
                return fetched
        _move(client, folder, list(batch))
        if not stuck:
            MailboxState.objects.filter(pk=state.pk).update(last_uid=max(batch))
    well(key, name)
    return fetched


def newer(client: IMAPClient, last: int) -> list[int]:
    """The numbers above `last`. What came before our first mailing cannot answer one: an old mailbox stays as it is."""
    first = Mailing.objects.aggregate(first=Min("approved_at"))["first"]
    since: date = (first or timezone.now()).date() - timedelta(days=1)
    found = client.search(["UID", f"{last + 1}:*", "SINCE", since])
    return sorted(uid for uid in found if uid > last)  # `*` also stands for the last one, however small


def _batches(client: IMAPClient, uids: Sequence[int]) -> Iterator[dict[int, int]]:
    """{uid: bytes} in groups that one answer can hold; sizes are asked before any message is."""
    for start in range(0, len(uids), 500):
        sizes = client.fetch(uids[start : start + 500], ["RFC822.SIZE"])
        group: dict[int, int] = {}
        for uid in sorted(sizes):
            size = int(sizes[uid].get(b"RFC822.SIZE", 0))
            if group and (len(group) >= BATCH or sum(group.values()) + size > BATCH_BYTES):
                yield group
                group = {}
            group[uid] = size
        if group:
            yield group


def _contents(client: IMAPClient, folder: Folder, batch: dict[int, int]) -> Iterator[tuple[int, bytes | None]]:
    """The bytes of each message that we do not have yet, without marking it as seen; None = the server refuses it."""
    sources = {folder.source(uid): uid for uid in batch}
    known = Raw.objects.filter(channel="imap", source__in=sources).values_list("source", flat=True)
    wanted = sorted(set(batch) - {sources[source] for source in known})
    whole = [uid for uid in wanted if batch[uid] <= intake.BIGGEST]
    yield from _asked(client, whole, b"BODY[]", "BODY.PEEK[]")
    heads = [uid for uid in wanted if batch[uid] > intake.BIGGEST]
    yield from _asked(client, heads, b"BODY[HEADER]<0>", f"BODY.PEEK[HEADER]<0.{HEAD}>")


def _asked(client: IMAPClient, uids: list[int], key: bytes, what: str) -> Iterator[tuple[int, bytes | None]]:
    if not uids:
        return
    try:
        found: Any = client.fetch(uids, [what])
    except IMAPClientAbortError:
        raise
    except IMAPClientError:
        if len(uids) == 1:
            yield uids[0], None
            return
        for uid in uids:  # one that the server cannot read must not keep the others back
            yield from _asked(client, [uid], key, what)
        return
    for uid in uids:
        if uid in found and key in found[uid]:  # else somebody moved it meanwhile
            yield uid, bytes(found[uid][key] or b"")


def _take(folder: Folder, uid: int, raw: bytes, size: int) -> Verdict | None:
    """Put one message on our disk; of one that is too large its headers, for a person to look at."""
    if not raw.strip():
        return None
    if size <= intake.BIGGEST:
        return intake.accept(raw, "", return_path(raw), "imap", folder.source(uid))
    stored = intake.store(raw, "", return_path(raw), "imap", folder.source(uid))
    if stored.kind != Kind.UNREAD:
        return sorting.verdict_of(stored)
    words = f"{size // 1_000_000} MB is too big: only its headers are here, the message stays in folder {folder.name}"
    return sorting.quarantine(stored, words)


def _place(client: IMAPClient, done: str) -> str:
    """The folder for what was taken, made where it is not there; "" where the server cannot move."""
    if not client.has_capability("MOVE"):
        return ""  # RFC 6851; without it a move ends in deleting, and we delete nothing
    if not client.folder_exists(done):
        client.create_folder(done)
    return done


def _move(client: IMAPClient, folder: Folder, uids: list[int]) -> None:
    """Move what is on our disk and is ours: answers, bounces, wishes to leave. What we do not know stays."""
    if not folder.done:
        return
    sources = {folder.source(uid): uid for uid in uids}
    rows = (
        Raw.objects.filter(channel="imap", source__in=sources)
        .exclude(kind=Kind.UNREAD)
        .only("source", "kind", "detail", "delivery_id", "answers_id")
    )
    ours = [
        sources[row.source]
        for row in rows
        if row.delivery_id or row.answers_id or row.detail == "canary" or row.kind == Kind.UNSUBSCRIBE
    ]
    if ours:
        client.move(ours, folder.done)


@contextmanager
def alone(config: Config, key: str) -> Iterator[None]:
    """One reader for each mailbox. The system frees the lock when its holder dies. Raises mailbox-busy."""
    limit = time.monotonic() + PATIENCE
    with (config.var / f"imap-{key}.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= limit:
                    words = f"Mailbox {key} is being read by another process"
                    hint = "Wait until it has ended; the worker reads it by itself."
                    raise NewsletterError(Problem("mailbox-busy", words, hint), exit=Exit.REFUSED) from None
            time.sleep(0.05)
        yield


def troubled(key: str, folder: str, words: str) -> None:
    """Keep what is in the way, for `doctor` and the red line of `replies list`."""
    MailboxState.objects.update_or_create(mailbox=key, folder=folder, defaults={"trouble": storable(words, 300)})


def well(key: str, folder: str) -> None:
    """It was read just now, and nothing is in the way."""
    facts = {"trouble": "", "seen": timezone.now()}
    MailboxState.objects.update_or_create(mailbox=key, folder=folder, defaults=facts)


def troubles(config: Config) -> list[str]:
    """What keeps mailboxes from being read now, one sentence each; `doctor` and `replies list` show it."""
    found = []
    for row in MailboxState.objects.exclude(trouble="").order_by("mailbox", "folder"):
        mailbox = config.mailboxes.get(row.mailbox)
        if mailbox is None or mailbox.kind != "imap":
            continue  # newsletter.toml no longer speaks of it
        if row.folder not in (WHOLE, *mailbox.folders) and "junk" not in map(str.lower, mailbox.folders):
            continue
        since = f"last read {timezone.localtime(row.seen):%d %b %Y %H:%M}" if row.seen else "never read yet"
        where = "" if row.folder == WHOLE else f"Mailbox {row.mailbox}: "
        found.append(f"{where}{row.trouble}; {since}")
    return found
