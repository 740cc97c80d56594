"""The other side of LMTP, as Postfix speaks it; and bytes that no mail server would send."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


class Peer:
    """A connection to our LMTP server. A `place` is host:port or the path of a socket."""

    def __init__(self, place: str, hello: bool = True) -> None:
        if "/" in place:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(place)
        else:
            host, _, port = place.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.settimeout(30)
        self.lines = self.socket.makefile("rb")
        self.greeting = self.answer()
        self.hello = self.say("LHLO peer.example") if hello else ""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.lines.close()
        self.socket.close()

    def answer(self) -> str:
        """One answer, its lines joined; "" where the connection is at its end."""
        found = []
        while True:
            line = self.lines.readline().decode()
            found.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return " | ".join(found)

    def say(self, line: str | bytes) -> str:
        self.raw(line if isinstance(line, bytes) else f"{line}\r\n".encode())
        return self.answer()

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def begin(self, *recipients: str, sender: str = "ameera@example.net") -> list[str]:
        """MAIL, the RCPTs and DATA: the answers."""
        said = [self.say(f"MAIL FROM:<{sender}> SIZE=1000 BODY=8BITMIME")]
        said += [self.say(f"RCPT TO:<{one}>") for one in recipients]
        return [*said, self.say("DATA")]

    def send(self, raw: bytes, *recipients: str, sender: str = "ameera@example.net") -> list[str]:
        """A whole message; the answers after its end, one for each recipient."""
        assert self.begin(*recipients, sender=sender)[-1].startswith("354")
        self.raw(wire(raw) + b".\r\n")
        return [self.answer() for _ in recipients]


def wire(raw: bytes) -> bytes:
    """A message with CR LF and its dots doubled."""
    lines = raw.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what another thread or process brings about."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def all_sorted() -> bool:
    """True when nothing that came in waits to be sorted."""
    from newsletter.replies.models import Raw

    return not Raw.objects.filter(kind="").exists()
