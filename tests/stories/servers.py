"""A mail host with real mailboxes, and https in front of our pages: what surrounds a newsletter in real life."""

from __future__ import annotations

import contextlib
import mailbox
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.smtpd import Smtpd

USER, PASSWORD = "news@town.example", "correct horse battery"


class MailHost:
    """An SMTP server that wants encryption and a login, and delivers into a Maildir for each person."""

    def __init__(self, folder: Path, context: ssl.SSLContext) -> None:
        self.folder, self.context = folder, context
        folder.mkdir()

    def __enter__(self) -> MailHost:
        self.controller = Smtpd(
            self,
            hostname="127.0.0.1",
            port=0,
            tls_context=self.context,
            require_starttls=True,
            authenticator=self._authenticate,
            auth_required=True,
        )
        self.controller.start()
        self.port = self.controller.port
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == good)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        for recipient in envelope.rcpt_tos:
            mailbox.Maildir(self.folder / recipient).add(envelope.original_content)
        return "250 2.0.0 Ok: queued as 4F1A2B"

    def read(self, address: str) -> list[bytes]:
        """The mails in one person's mailbox."""
        folder = self.folder / address
        if not folder.exists():
            return []
        box = mailbox.Maildir(folder, create=False)
        return [box.get_bytes(key) for key in sorted(box.keys())]


@contextlib.contextmanager
def https(context: ssl.SSLContext, port: int, behind: int) -> Iterator[None]:
    """Encryption on `port` in front of the plain server on `behind`, as a web server does."""

    def accept() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(raw,), daemon=True).start()

    def serve(raw: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(raw, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", behind)) as inner,
        ):
            request = b""
            while b"\r\n\r\n" not in request:
                request += outer.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
            while length and len(body) < int(length[1]):
                body += outer.recv(65536)
            inner.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            while answer := inner.recv(65536):
                outer.sendall(answer)

    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextlib.contextmanager
def running(folder: Path, word: str, port: int, environment: dict[str, str]) -> Iterator[Path]:
    """`newsletter web` or `catch` for as long as the block runs; gives the file with what it said."""
    log = folder / f"{word}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "-C", str(folder), word],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.05)  # a process of its own: there is nothing to wait on but its port
            yield log
        finally:
            process.terminate()
            process.wait(timeout=20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
