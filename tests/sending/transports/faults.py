"""An SMTP server on loopback that answers with the bytes a test gives it, whatever they are, at any phase."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

HANG_UP = b"<hang up>"
RESET = b"<reset>"
SILENT = b"<silent>"
USUAL = {
    "greeting": b"220 faults.example ready\r\n",
    "ehlo": b"250-faults.example\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    "starttls": b"220 2.0.0 Ready\r\n",
    "auth": b"235 2.7.0 Welcome\r\n",
    "rset": b"250 2.0.0 Ok\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 Go on\r\n",
    "dot": b"250 2.0.0 Ok: queued as ABC123\r\n",
    "quit": b"221 2.0.0 Bye\r\n",
}


@dataclass
class FaultServer:
    """`answers` by phase: bytes, or a list of bytes taken one after another (the last one stays).

    `drip` seconds pass between two bytes of an answer. `commands` and `texts` are what came; `connections` counts.
    `tls` with `implicit` encrypts from the first byte, else after STARTTLS (which an answer for ehlo must offer).
    """

    answers: dict[str, bytes | list[bytes]] = field(default_factory=dict)
    drip: float = 0
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    on_data: Callable[[], None] = lambda: None
    commands: list[bytes] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __enter__(self) -> FaultServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._open:
            sock.close()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.tls and self.implicit:
                sock = self._encrypted(sock)
            self._talk(sock)
        except (OSError, EOFError, ValueError):
            pass
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    def _encrypted(self, sock: socket.socket) -> socket.socket:
        assert self.tls
        wrapped = self.tls.wrap_socket(sock, server_side=True)
        self._open.append(wrapped)
        return wrapped

    def _talk(self, sock: socket.socket) -> None:
        lines = self._lines(sock)
        if not self._answer(sock, "greeting"):
            return
        for line in lines:
            self.commands.append(line)
            phase = line.split(b" ")[0].rstrip().lower().decode("ascii", "replace")
            if not self._answer(sock, phase):
                return
            if phase == "starttls" and self.tls:
                sock = self._encrypted(sock)
                lines2 = self._lines(sock)
                return self._rest(sock, lines2)
            if phase == "data" and self._last.startswith(b"354"):
                self.on_data()
                if not self._body(sock, lines):
                    return
            if phase == "quit":
                return

    def _rest(self, sock: socket.socket, lines: Iterator[bytes]) -> None:
        for line in lines:
            self.commands.append(line)
            phase = line.split(b" ")[0].rstrip().lower().decode("ascii", "replace")
            if not self._answer(sock, phase):
                return
            if phase == "data" and self._last.startswith(b"354") and not self._body(sock, lines):
                return

    def _body(self, sock: socket.socket, lines: Iterator[bytes]) -> bool:
        text = b""
        for line in lines:
            if line == b".\r\n":
                self.texts.append(text)
                return self._answer(sock, "dot")
            text += line[1:] if line.startswith(b".") else line
            if "half" in self.answers:
                return self._answer(sock, "half")
        return False

    def _answer(self, sock: socket.socket, phase: str) -> bool:
        answer = self.answers.get(phase, USUAL.get(phase, b"502 5.5.2 What?\r\n"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        self._last = answer
        if answer == HANG_UP:
            return False
        if answer == RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if answer == SILENT:
            self._stopping.wait(10)
            return False
        if self.drip:
            for byte in answer:
                sock.sendall(bytes((byte,)))
                time.sleep(self.drip)
                if self._stopping.is_set():
                    return False
        else:
            sock.sendall(answer)
        return True

    def _lines(self, sock: socket.socket) -> Iterator[bytes]:
        rest = b""
        while True:
            while b"\r\n" in rest:
                line, _, rest = rest.partition(b"\r\n")
                yield line + b"\r\n"
            data = sock.recv(65536)
            if not data:
                return
            rest += data
