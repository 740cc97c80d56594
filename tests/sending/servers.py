"""A mail server for tests that does as it is told: answers, hangs up, or calls somebody at a chosen moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from newsletter.config import Relay

HANG_UP = "hang up"
# Where a plan is asked. "half" comes when half of the body is there, "late" after our 250 to the dot was written.
PHASES = ("greeting", "ehlo", "mail", "rcpt", "data", "half", "dot", "late")
USUAL = {
    "greeting": "220 sink.example ready",
    "ehlo": "250 sink.example",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 go on",
    "half": "",
    "dot": "250 2.0.0 Ok: queued as 4F1A2B",
    "late": "",
}


@dataclass
class Sink:
    """A real SMTP server on loopback, a thread per connection. `plan(phase, recipient)` returns an answer,
    HANG_UP, or "" for the usual one; it may also wait or kill. `mails` are those whose dot arrived and that the plan
    did not refuse: what a mailbox would hold."""

    plan: Callable[[str, str], str] = lambda phase, recipient: ""
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    keep_bodies: bool = True
    senders: list[str] = field(default_factory=list)  # of every MAIL

    def __enter__(self) -> Sink:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for talk in list(self._open):
            with contextlib.suppress(OSError):
                talk.shutdown(socket.SHUT_RDWR)
        for thread in (self._accepting, *self._threads):
            thread.join(10)

    @property
    def relay(self) -> Relay:
        return Relay(host="127.0.0.1", port=self.port)

    def copies(self) -> Counter[str]:
        """How many copies each address has got: the only truth."""
        return Counter(recipient for _, recipient, _ in self.mails)

    def _accept(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
            except OSError:
                return
            self._open.add(talk)
            thread = threading.Thread(target=self._serve, args=(talk,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, talk: socket.socket) -> None:
        try:
            self._talk(talk)
        except OSError:
            pass
        finally:
            self._open.discard(talk)
            talk.close()

    def _talk(self, talk: socket.socket) -> None:
        lines = talk.makefile("rb")
        sender = recipient = ""

        def say(phase: str) -> str:
            answer = self.plan(phase, recipient) or USUAL[phase]
            if answer == HANG_UP:
                raise ConnectionResetError
            if answer:
                talk.sendall(answer.encode() + b"\r\n")
            return answer

        say("greeting")
        while line := lines.readline():
            word = line[:4].upper()
            if word in (b"EHLO", b"HELO"):
                recipient = ""
                say("ehlo")
            elif word == b"MAIL":
                sender, recipient = _path(line), ""
                self.senders.append(sender)
                say("mail")
            elif word == b"RCPT":
                recipient = _path(line)
                say("rcpt")
            elif word == b"DATA":
                if say("data").startswith("354"):
                    body = self._body(lines, lambda: say("half"))
                    # The mail is there when its dot is, whatever becomes of our answer.
                    if self.plan("dot", recipient)[:1] not in ("4", "5"):
                        self.mails.append((sender, recipient, body if self.keep_bodies else b""))
                    say("dot")
                    say("late")
            elif word == b"QUIT":
                talk.sendall(b"221 bye\r\n")
                return
            else:
                talk.sendall(b"250 Ok\r\n")

    def _body(self, lines: object, half: Callable[[], str]) -> bytes:
        got: list[bytes] = []
        while (line := lines.readline()) not in (b".\r\n", b""):  # type: ignore[attr-defined]
            got.append(line)
            if len(got) == 20:
                half()
        if line == b"":
            raise ConnectionResetError
        return b"".join(got)


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].partition(b">")[0].decode()
