"""Who may hand mail to us, word by word: the answers to RCPT, and the answer after a message is on our disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from django.db import Error

from newsletter.audience import database
from newsletter.config import Config
from newsletter.mail.addresses import unwrapped
from newsletter.mail.tokens import Keyring
from newsletter.problems import NewsletterError
from newsletter.replies import identifying, intake

# An address of our shape that we did not make is taken, for somebody may have typed it off a printed page. A flood of
# them is held back, not lost: the mail server tries again for days. 60 a minute are 86,400 a day.
FORGED_A_MINUTE = 60
ALWAYS = ("postmaster", "abuse")  # RFC 5321 4.5.1 and RFC 2142: somebody must hear these
FULL = "452 4.3.1 Our disk is full; keep it and try again"
BUSY = "452 4.3.2 Our database is busy; keep it and try again"
LATER = "451 4.3.0 It could not be kept; keep it and try again"
KEPT = "250 2.0.0 Kept"

log = logging.getLogger(__name__)


class Door:
    """The answers to a mail server that speaks to us. One for all connections of a process."""

    def __init__(self, config: Config, on_kept: Callable[[], None], clock: Callable[[], float] = time.monotonic):
        self._config, self._on_kept, self._clock = config, on_kept, clock
        self._forged: deque[float] = deque()
        self._lock = threading.Lock()

    def recipient(self, address: str) -> str:
        """The answer to RCPT: 550 only for what can be no address of ours, in words for the person who wrote."""
        local, _, domain = unwrapped(address).lower().rpartition("@")
        ours = (self._config.mail.reply_domain.lower(), self._config.mail.bounce_domain.lower())
        shared = self._config.replies.mailbox.lower()
        if shared and f"{local}@{domain}" == shared:
            return "250 2.1.5 Ok"
        token = identifying.token_in(address, self._config)
        if token is not None:
            return self._forged_or_not(token)
        if local in ALWAYS and domain in ours:
            return "250 2.1.5 Ok"
        return f"550 5.1.1 {self.refusal()}" if domain in ours else f"550 5.7.1 {self.refusal()}"

    def refusal(self) -> str:
        """What the writer reads in the message that comes back; ASCII, as SMTP without extensions wants it."""
        name = self._config.site.name.encode("ascii", "ignore").decode() or "us"
        page = f", or write at {self._config.base_url}/r/" if self._config.site.url else ""
        return f"Nobody reads this address. To write to {name}, press reply in the message you got{page}"

    def keep(self, raw: bytes, recipient: str, sender: str) -> str:
        """Store one message for one recipient; 250 only when it is on the disk for good."""
        try:
            with database.problems_of():
                intake.store(raw, recipient, sender, "lmtp")
        except NewsletterError as error:
            code = error.problems[0].code
            log.warning("a message was not kept: %s", error)
            return {"database-full": FULL, "database-locked": BUSY}.get(code, LATER)
        except Error as error:
            log.warning("a message was not kept: %s", error)
            return LATER
        except Exception:
            log.exception("a message was not kept")
            return LATER
        self._on_kept()
        return KEPT

    def _forged_or_not(self, token: str) -> str:
        try:
            known = Keyring.load(self._config.var / "secret.key").read(token) is not None
        except NewsletterError:
            known = True  # without the key nothing can be checked; it is kept, and sorted when the key is back
        if known:
            return "250 2.1.5 Ok"
        with self._lock:
            now = self._clock()
            while self._forged and self._forged[0] <= now - 60:
                self._forged.popleft()
            if len(self._forged) >= FORGED_A_MINUTE:
                return "450 4.7.1 Too many messages to addresses that we did not make; try again later"
            self._forged.append(now)
        return "250 2.1.5 Ok"
