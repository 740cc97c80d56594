"""A mail server that fails as it is told, at any phase, and counts the copies of each address: the oracle of chaos.

It keeps to the protocol where it is not told otherwise: commands that arrive in one packet are answered one by one and
in their order, MAIL inside an open transaction gets 503, and so does DATA without a recipient. An answer that slipped
to the wrong person would therefore be seen.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from newsletter.config import Relay

# In the order of the talk. "half" is in the middle of a body, "after" when our 250 to the dot was written.
PHASES = ("greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "half", "dot", "after")
USUAL = {
    "greeting": b"220 faulty.example ready\r\n",
    "starttls": b"220 2.0.0 Ready\r\n",
    "auth": b"235 2.7.0 Welcome\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 Go on\r\n",
    "half": b"",
    "dot": b"250 2.0.0 Ok: queued as 4F1A2B\r\n",
    "after": b"",
}


class Act(Enum):
    """What a server does instead of answering."""

    FIN = auto()  # hangs up politely
    RST = auto()  # and impolitely
    SILENT = auto()  # says and reads nothing more, so that its window closes when the client goes on writing
    DRIP = auto()  # its usual answer, one byte after another and slower than anybody waits
    TWICE = auto()  # its usual answer two times


Plan = Callable[[str, str], "bytes | Act | None"]


class _Ended(Exception):
    """This connection is over."""


def _nothing(phase: str, recipient: str) -> None:
    return None


@dataclass
class FaultyServer:
    """`plan(phase, recipient)` says what happens: None = the usual. It may also wait or kill somebody.

    `mails` are the recipient and body of each mail whose dot arrived and which was not refused: what a mailbox would
    hold. `commands` is all that was said to it.
    """

    plan: Plan = _nothing
    pipelining: bool = True
    auth: bool = False
    tls: ssl.SSLContext | None = None
    offer_tls: bool = True  # False = STARTTLS is stripped on the way
    drip: float = 0.05  # seconds between two bytes of a slow answer
    window: int = 0  # bytes that its socket takes before it is read; 0 = the system's
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    connections: int = 0
    grouped: int = 0  # packets that brought more than one command

    def __enter__(self) -> FaultyServer:
        self._listener = socket.socket()
        if self.window:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.window)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(100)
        self.port = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def relay(self, pipelining: str = "auto", **more: object) -> Relay:
        return Relay(host="127.0.0.1", port=self.port, pipelining=pipelining, **more)  # type: ignore[arg-type]

    def copies(self) -> Counter[str]:
        """How many copies each address has got: the only truth."""
        return Counter(recipient for recipient, _ in list(self.mails))

    def quiet(self) -> bool:
        """True when no client is connected any more: then `copies` is final."""
        return not self._open

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(sock)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        talk = _Talk(self, sock)
        try:
            talk.run()
        except (OSError, _Ended, ValueError):
            pass
        finally:
            with contextlib.suppress(OSError):
                talk.sock.close()
            self._open.discard(sock)


class _Talk:
    """One connection: what is open in it, and what was read of it."""

    def __init__(self, server: FaultyServer, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.rest = b""
        self.sender = self.recipient = ""  # of the open transaction
        self.secret = not server.tls

    def run(self) -> None:
        self._say("greeting")
        while (line := self._line()) is not None:
            self.server.commands.append(line)
            word = line[:4].upper().strip()
            if word == b"QUIT":
                self.sock.sendall(b"221 2.0.0 Bye\r\n")
                return
            self._command(word, line)

    def _command(self, word: bytes, line: bytes) -> None:
        if word in (b"EHLO", b"HELO"):
            self.sender = self.recipient = ""
            self._say("ehlo")
        elif word == b"STAR":
            self._encrypt()
        elif word == b"AUTH":
            self._say("auth")
        elif word == b"MAIL":
            if self.sender or self.recipient:
                self.sock.sendall(b"503 5.5.1 Nested MAIL command\r\n")
            elif self._say("mail"):
                self.sender = _path(line) or "<>"
        elif word == b"RCPT":
            if not self.sender:
                self.sock.sendall(b"503 5.5.1 Need MAIL first\r\n")
            elif self._say("rcpt", _path(line)):
                self.recipient = _path(line)
        elif word == b"DATA":
            if not self.recipient:
                self.sock.sendall(b"503 5.5.1 No valid recipients\r\n")
            elif self._say("data", good=b"3"):
                self._body()
        elif word == b"RSET":
            self.sender = self.recipient = ""
            self.sock.sendall(b"250 2.0.0 Ok\r\n")
        else:
            self.sock.sendall(b"500 5.5.2 What?\r\n")

    def _body(self) -> None:
        text: list[bytes] = []
        while (line := self._line()) != b".\r\n":
            if line is None:
                raise _Ended
            text.append(line[1:] if line.startswith(b".") else line)
            if len(text) == 20 and self.server.plan("half", self.recipient) is not None:
                self._say("half")
                raise _Ended  # who answers in the middle of a body reads no more of it, and has no mail
        planned = self.server.plan("dot", self.recipient)
        # The mail is there when its dot is, whatever becomes of our answer; only a clear no says otherwise.
        if not (isinstance(planned, bytes) and planned[:1] in (b"4", b"5") and planned[:3].isdigit()):
            self.server.mails.append((self.recipient, b"".join(text)))
        self._do(planned, "dot")
        self._say("after")
        self.sender = self.recipient = ""

    def _encrypt(self) -> None:
        if not self.server.tls or not self._say("starttls"):
            return
        wrapped = self.server.tls.wrap_socket(self.sock, server_side=True)
        self.sock, self.rest, self.secret = wrapped, b"", True

    def _say(self, phase: str, recipient: str = "", good: bytes = b"2") -> bool:
        """Answer for this phase; True when the answer lets the talk go on."""
        planned = self.server.plan(phase, recipient or self.recipient)
        return self._do(planned, phase)[:1] == good

    def _do(self, planned: bytes | Act | None, phase: str) -> bytes:
        usual = self._ehlo() if phase == "ehlo" else USUAL[phase]
        if planned is None or isinstance(planned, bytes):
            answer = usual if planned is None else planned
            self.sock.sendall(answer)
            if answer[:3] == b"421":
                raise _Ended
            return answer
        if planned is Act.TWICE:
            self.sock.sendall(usual * 2)
        elif planned is Act.RST:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise _Ended
        elif planned is Act.FIN:
            raise _Ended
        elif planned is Act.SILENT:
            self._until_it_hangs_up()
        elif planned is Act.DRIP:
            for place in range(len(usual)):
                self.sock.sendall(usual[place : place + 1])
                if self.server._stopping.wait(self.server.drip):
                    raise _Ended
        return usual

    def _until_it_hangs_up(self) -> None:
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        while not self.server._stopping.is_set() and not poll.poll(50):
            pass
        raise _Ended

    def _ehlo(self) -> bytes:
        offers = ["faulty.example", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offers += ["PIPELINING"] if self.server.pipelining else []
        offers += ["STARTTLS"] if self.server.tls and self.server.offer_tls and not self.secret else []
        offers += ["AUTH PLAIN"] if self.server.auth else []
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        return "".join(line + "\r\n" for line in lines).encode()

    def _line(self) -> bytes | None:
        while b"\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.server.grouped += data.startswith(b"MAIL") and b"DATA\r\n" in data
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].partition(b">")[0].decode()
