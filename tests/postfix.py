"""A Postfix of the tests' own: on loopback, with its own configuration, queue and log, handing everything to one place
or dropping it.

It needs root (Postfix changes its user) and the system's package postfix; else the test is skipped and says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

POSTFIX = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = /tmp, /var
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtp_bind_address = 127.0.0.1
smtpd_peername_lookup = no
enable_long_queue_ids = {long_ids}
alias_maps =
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 5
"""
ONWARDS = "relayhost = [127.0.0.1]:{next_hop}\ndefault_transport = smtp\n"
NOWHERE = "default_transport = discard\nrelay_transport = discard\n"
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    port: int
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "maillog"

    def transaction(self, recipient: str, data: bytes, *, dot: bool = True, answer: bool = True) -> str:
        """Hand one mail over; without `dot` the line goes dead before it, without `answer` just after it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as talk:
            lines = talk.makefile("rb")

            def ask(command: bytes) -> str:
                if command:
                    talk.sendall(command + b"\r\n")
                while (line := lines.readline())[3:4] == b"-":
                    pass
                return line.decode()

            for command in (b"", b"EHLO here", b"MAIL FROM:<b@bounce.example>", f"RCPT TO:<{recipient}>".encode()):
                assert ask(command)[:1] == "2"
            assert ask(b"DATA")[:3] == "354"
            talk.sendall(data + (b".\r\n" if dot else b""))
            return ask(b"") if dot and answer else ""

    def wait_for(self, seen: Callable[[str], bool]) -> None:
        """Until the log says so; Postfix writes it a moment later."""
        for _ in range(400):
            if self.log.exists() and seen(self.log.read_text()):
                return
            time.sleep(0.025)
        raise AssertionError(self.log.read_text())

    def until_empty(self, seconds: float = 60) -> None:
        """Until everything that it took has left."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not any(self._queued()):
                return
            time.sleep(0.05)
        raise AssertionError(f"Postfix still holds mail:\n{self.log.read_text()[-3000:]}")

    def _queued(self) -> Iterator[Path]:
        for name in ("maildrop", "incoming", "active", "deferred"):
            yield from (path for path in (self.folder / "queue" / name).rglob("*") if path.is_file())


def missing() -> str:
    """Why there can be none here, or "" when there can."""
    if not POSTFIX:
        return "no Postfix on this machine: `make system` installs it"
    return "" if os.geteuid() == 0 else "a Postfix of our own needs root: it changes its user"


@contextmanager
def postfix(next_hop: int = 0, main: str = "", master: str = "", *, long_ids: bool = False) -> Iterator[Postfix]:
    """A running Postfix that hands everything to the SMTP server on `next_hop` of this computer; 0: to nobody.

    `main` and `master` are more lines for its two files; `{folder}` in them is the folder of this Postfix.
    """
    if why := missing():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-", dir="/tmp"))
    try:
        folder.chmod(0o755)  # its user must get through
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        text = MAIN.format(folder=folder, long_ids="yes" if long_ids else "no")
        text += ONWARDS.format(next_hop=next_hop) if next_hop else NOWHERE
        (folder / "etc" / "main.cf").write_text(text + main.replace("{folder}", str(folder)))
        more = master.replace("{folder}", str(folder))
        (folder / "etc" / "master.cf").write_text(MASTER.format(port=port) + more)
        _control(folder, "start")
        try:
            yield Postfix(port, folder)
        finally:
            _control(folder, "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _control(folder: Path, verb: str) -> None:
    assert POSTFIX
    done = subprocess.run([POSTFIX, "-c", str(folder / "etc"), verb], capture_output=True, text=True, timeout=60)
    log = folder / "maillog"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
