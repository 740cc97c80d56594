"""One open connection in the hands of a loop that never waits: bytes out, answers in, one mail after the other."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from newsletter.sending.transports.opening import Timeouts, reason
from newsletter.sending.transports.outcome import Outcome, Phase
from newsletter.sending.transports.reply import ReplyReader
from newsletter.sending.transports.session import LONE_DOT, Extensions, Next, Transaction

Job = TypeVar("Job")
READ = 65536
# One TLS record a call: of a longer text OpenSSL tells nothing until all of it has left, and then a connection lost
# behind the dot would look like one lost before it.
RECORD = 16384


class What(Enum):
    BODY = auto()  # the server waits for the text of `job`: answer with `body()` once its start is durable
    DONE = auto()  # `outcome` is what became of `job`
    BACK = auto()  # `job` was named to the server but never begun, and nothing was wrong with it


class Event(NamedTuple, Generic[Job]):
    what: What
    job: Job
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Mail(Generic[Job]):
    job: Job
    data: bytes
    talk: Transaction


class Wire(Generic[Job]):
    """Carries mails over one socket. With pipelining the text of a mail leaves in one write with the next mail's
    MAIL, RCPT and DATA, so a mail costs one round trip (RFC 2920 3.1 lets a text begin a group of commands).

    Never more than one text is on its way: the next one begins only when the answer to the one before is there.
    Every method returns at once; the loop calls `readable` and `writable` when the socket is, and `overdue` now and
    then. After a Lost connection `alive` is False and the events say what became of every mail that was on it.
    """

    def __init__(
        self,
        smtp: smtplib.SMTP,
        extensions: Extensions,
        timeouts: Timeouts,
        *,
        pipelining: bool,
        messages: int = 0,
        sender: str = "",
    ) -> None:
        assert smtp.sock is not None
        self._smtp = smtp  # keeps what the opening made alive
        self.socket: socket.socket = smtp.sock
        self.socket.setblocking(False)
        self.extensions = extensions
        self.pipelining = pipelining
        self._sender = sender  # instead of each mail's own, where the relay takes no other
        self.left = messages or -1  # mails that may still be offered; -1 = any number
        self._carried: Counter[str] = Counter()  # provider group → mails, where the group has a limit
        self.alive = True
        self.tag: Any = None  # whatever the loop wants to know of it
        self.begun = False  # a text is on its way, or was sent and waits for its answer
        self._encrypted = isinstance(self.socket, ssl.SSLSocket)
        self._timeouts = timeouts
        # An answer to anything else is waited for as long as to a command.
        self._patience = {Phase.DATA: timeouts.data, Phase.DOT: timeouts.dot}
        self._mails: deque[_Mail[Job]] = deque()  # the first is talked about; a second one was named after its text
        self._reader = ReplyReader()
        self._reset_first = False
        self._out = memoryview(b"")
        self._held = False  # the server waits for a text that we have not begun
        self._until = float("inf")  # monotonic: when the answer, or the room to write, must be there

    # --- what the loop asks ------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is talked about."""
        return not self._mails

    @property
    def room(self) -> bool:
        """Another mail may be offered now."""
        return self.alive and self.left != 0 and not self._mails

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out)

    @property
    def held(self) -> bool:
        """The server waits for a text."""
        return self._held

    def jobs(self) -> list[Job]:
        """The mails on this connection, the one that is talked about first."""
        return [mail.job for mail in self._mails]

    def last_for(self, group: str, most: int) -> bool:
        """Count one mail more to a provider; True when that is as many as it wants over one connection (0 = any)."""
        if not most:
            return False
        self._carried[group] += 1
        return self._carried[group] >= most

    # --- what the loop says ------------------------------------------------------------------------------------

    def offer(self, job: Job, sender: str, recipient: str, data: bytes) -> list[Event[Job]]:
        """Name the next mail to the server; the answer comes as events."""
        start = self._name(job, sender, recipient, data)
        return self._say(self._timeouts.command, start)

    def body(self, following: tuple[Job, str, str, bytes] | None = None) -> list[Event[Job]]:
        """Send the text that the server waits for; its start must be durable. `following` is named in the same
        write, where `may_follow`."""
        mail = self._mails[0]
        self._held = False
        self.begun = True
        mail.talk.body_sent()
        # One write: text and dot in two ran orders of magnitude slower (Nagle against delayed acknowledgement).
        behind = LONE_DOT + self._name(*following) if following else LONE_DOT
        return self._say(self._timeouts.dot, mail.data, behind)

    @property
    def may_follow(self) -> bool:
        """The next mail can be named together with the text that is about to begin."""
        return self.pipelining and self.left != 0

    def close(self, *, politely: bool = True) -> None:
        """Hang up; with QUIT when nothing is talked about and the socket takes it at once."""
        if self.alive and politely and not self._mails and not self._out:
            with contextlib.suppress(OSError):
                self.socket.send(b"QUIT\r\n")
        self.alive = False
        self._smtp.close()

    def abandon(self) -> list[Event[Job]]:
        """Drop the connection though nothing is wrong with it. Mails that were only named come back."""
        return self._lost("the connection was given up", ours=True)

    # --- what the socket says ----------------------------------------------------------------------------------

    def readable(self) -> list[Event[Job]]:
        """Take what has come."""
        events: list[Event[Job]] = []
        while self.alive:
            try:
                data = self.socket.recv(READ)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                return events + self._lost(reason(error))
            if not data:
                return events + self._lost("the server hung up")
            self._reader.feed(data)
            events += self._answers()
            if len(data) < READ and not self._encrypted:
                break  # an encrypted socket may hold more than the poll knows of
        return events

    def writable(self) -> list[Event[Job]]:
        """Write on what is left."""
        return self._flush()

    def overdue(self, now: float) -> list[Event[Job]]:
        """A server that is silent for longer than RFC 5321 4.5.3.2 grants is given up."""
        return self._lost("no answer in time") if now > self._until else []

    # --- inside ------------------------------------------------------------------------------------------------

    def _name(self, job: Job, sender: str, recipient: str, data: bytes) -> bytes:
        talk = Transaction(
            self._sender or sender,
            recipient,
            len(data),
            self.extensions,
            reset_first=self._reset_first,
            grouped=self.pipelining,
        )
        self._reset_first = False
        self.left -= self.left > 0
        self._mails.append(_Mail(job, data, talk))
        return talk.start()

    def _say(self, seconds: float, *parts: bytes) -> list[Event[Job]]:
        self._until = time.monotonic() + seconds
        if self._out or self._encrypted:
            self._out = memoryview(b"".join((self._out, *parts)))
            return self._flush()
        try:
            sent = self.socket.sendmsg(parts)  # no copy of 40 KB only to write them in one go
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._out = memoryview(b"".join(parts))  # none of it has left
            return self._lost(reason(error))
        if sent < sum(map(len, parts)):
            self._out = memoryview(b"".join(parts))[sent:]
        return []

    def _flush(self) -> list[Event[Job]]:
        most = RECORD if self._encrypted else len(self._out)
        try:
            while self._out:
                self._out = self._out[self.socket.send(self._out[:most]) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            return self._lost(reason(error))
        return []

    def _answers(self) -> list[Event[Job]]:
        events: list[Event[Job]] = []
        while self.alive and (reply := self._reader.next()) is not None:
            if not self._mails or not self._mails[0].talk.waiting:
                # Its surplus would be read as the answer to the next command, and at last to somebody's dot.
                return events + self._lost("the server answered before it was asked")
            mail = self._mails[0]
            early = self.begun and bool(self._out) and not self._dot_has_left(mail)
            step = mail.talk.answer(reply)
            if early:  # no answer to a dot that has not left: a refusal counts, a "yes" cannot be one; the rest stays
                if 200 <= reply.code <= 299:
                    mail.talk.unsent("the server answered before it had the whole text")
                mail.talk.usable = False
            if step is Next.WAIT:
                self._expect(mail.talk.phase)
            elif isinstance(step, bytes):
                events += self._say(self._timeouts.command, step)
            elif step is Next.BODY:
                self._held, self._until = True, float("inf")
                events.append(Event(What.BODY, mail.job))
            else:
                events += self._done(mail)
        return events

    def _done(self, mail: _Mail[Job]) -> list[Event[Job]]:
        self._mails.popleft()
        self.begun = False
        events = [Event(What.DONE, mail.job, mail.talk.outcome)]
        if not mail.talk.usable:
            return events + self._lost("the connection cannot be used again", ours=True)
        self._reset_first = mail.talk.needs_reset
        if self._mails:
            self._expect(self._mails[0].talk.phase)
        else:
            self._until = float("inf")
        return events

    def _expect(self, phase: Phase) -> None:
        self._until = time.monotonic() + self._patience.get(phase, self._timeouts.command)

    def _lost(self, why: str, *, ours: bool = False) -> list[Event[Job]]:
        """The end of this connection, and of every mail that is on it. Only the first can have met the trouble:
        one named behind a text goes back as if it had never been named."""
        events: list[Event[Job]] = []
        unwritten = bool(self._out)
        for place, mail in enumerate(self._mails):
            if place or (ours and not self.begun):
                events.append(Event(What.BACK, mail.job))
            elif self.begun and unwritten and not self._dot_has_left(mail):
                # Our own kernel did not take the last bytes of the text, so the server cannot have the dot.
                events.append(Event(What.DONE, mail.job, mail.talk.unsent(why)))
            else:
                events.append(Event(What.DONE, mail.job, mail.talk.lost(why)))
        self._mails.clear()
        self.begun = self._held = False
        self._out = memoryview(b"")
        self.close(politely=False)
        return events

    def _dot_has_left(self, mail: _Mail[Any]) -> bool:
        """True when what is still unwritten begins behind this mail's dot: only the next envelope is missing."""
        behind = self._mails[1].talk.said if len(self._mails) > 1 else 0
        return len(self._out) <= behind
