"""The worker's IMAP: one thread for each mailbox that hears of new mail at once (IDLE), or looks every minute."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

from django.db import DatabaseError, close_old_connections, connection
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError

from newsletter.audience import database
from newsletter.config import Config
from newsletter.problems import NewsletterError
from newsletter.replies import imap
from newsletter.replies.imap_session import opened

SLICE = 1.0  # seconds of waiting at a time, so that the end of the worker is noticed
ROUND = 120.0  # seconds after which the other folders (Junk) are read too; RFC 2177 wants IDLE renewed within 29 min
LOOK = 60.0  # seconds between two looks at a server without IDLE
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds before the next try, while something is in the way


class Watching:
    """Keeps a thread for each mailbox of kind imap; what they have to tell is collected by `ensure`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._threads: dict[str, threading.Thread] = {}
        self._ending = threading.Event()
        self._idle: set[str] = set()
        self._next: dict[str, int] = {}  # UIDNEXT of the first folder when we last began to wait
        self._said: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def ensure(self) -> tuple[list[str], list[str]]:
        """(what happened, what is in the way) since the last call, in words; starts what is not running."""
        for key, mailbox in self._config.mailboxes.items():
            thread = self._threads.get(key)
            if mailbox.kind == "imap" and (thread is None or not thread.is_alive()):
                self._threads[key] = threading.Thread(target=self._watch, args=(key,), name=f"imap {key}", daemon=True)
                self._threads[key].start()
        told: dict[str, list[str]] = {"chore": [], "trouble": []}
        while not self._said.empty():
            what, words = self._said.get()
            told[what].append(words)
        return told["chore"], told["trouble"]

    def idling(self, key: str) -> bool:
        """True while the server is asked to tell us."""
        return key in self._idle

    def close(self) -> None:
        """End; what is on the disk by then was taken in, the rest is there next time."""
        self._ending.set()
        for thread in self._threads.values():
            thread.join(10)

    def _watch(self, key: str) -> None:
        """Read, wait, read …; what goes wrong is said once, and tried again after a while that grows."""
        pause, last = FIRST_PAUSE, ""
        try:
            while not self._ending.is_set():
                try:
                    for words in self._session(key):
                        if last:
                            self._said.put(("chore", f"{key}: the mailbox can be read again"))
                        pause, last = FIRST_PAUSE, ""
                        if words:
                            self._said.put(("chore", words))
                    continue
                except (NewsletterError, DatabaseError, OSError) as error:
                    words = str(error)
                except Exception as error:  # a fault of ours must not end the watch for good
                    words = f"{type(error).__name__}: {error}"
                if words != last:
                    self._said.put(("trouble", f"{key}: {words}"))
                # A connection that was cut while all was well is opened again at once.
                quick = not last and "the connection ended" in words
                last = words
                self._ending.wait(SLICE if quick else pause)
                pause = min(pause if quick else pause * 2, LONGEST_PAUSE)
        finally:
            connection.close()

    def _session(self, key: str) -> Iterator[str]:
        """One connection: yields words after each reading ("" = nothing new), until we end or it breaks."""
        mailbox = self._config.mailboxes[key]
        try:
            with opened(key, mailbox) as client:
                can_idle = client.has_capability("IDLE")
                while not self._ending.is_set():
                    close_old_connections()
                    with database.problems_of(), imap.alone(self._config, key):
                        found = imap.read(self._config, key, client, lambda so_far: not self._ending.is_set())
                    yield f"{key}: {found.taken} taken in" if found.taken else ""
                    for trouble in found.trouble:
                        self._said.put(("trouble", f"{key}: {trouble}"))
                    self._wait(key, client, can_idle)
        except NewsletterError as error:
            imap.troubled(key, imap.WHOLE, str(error))
            raise

    def _wait(self, key: str, client: IMAPClient, can_idle: bool) -> None:
        """Until there is something new in the first folder, or it is time for a round."""
        name = imap.there(client, self._config.mailboxes[key].folders[0])
        if not can_idle or name is None:
            self._ending.wait(LOOK)
            return
        # What came between reading and waiting shows in the next number; a second look is cheaper than a lost hour.
        following = int(client.select_folder(name, readonly=True).get(b"UIDNEXT", 0))
        if self._next.get(key) != following:
            self._next[key] = following
            return
        limit = time.monotonic() + ROUND
        client.idle()
        self._idle.add(key)
        try:
            silent = 0
            while not self._ending.is_set() and time.monotonic() < limit:
                began = time.monotonic()
                answers = client.idle_check(timeout=SLICE)
                if any(b"EXISTS" in answer for answer in answers):
                    break
                # The library takes a lost connection for an empty answer, at once and for ever.
                silent = silent + 1 if not answers and time.monotonic() - began < SLICE / 2 else 0
                if silent >= 5 or any(b"BYE" in answer for answer in answers):
                    raise IMAPClientAbortError("the server hung up")
        finally:
            self._idle.discard(key)
        client.idle_done()
