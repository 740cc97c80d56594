"""A Postfix of the tests' own: on loopback, with its own configuration, queue and log, handing everything to one place.

It needs root (Postfix changes its user) and the system's package postfix; else the test is skipped and says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
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
relayhost = [127.0.0.1]:{next_hop}
default_transport = smtp
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtp_bind_address = 127.0.0.1
alias_maps =
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_destination_concurrency_limit = 5
"""
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


@contextmanager
def postfix(next_hop: int, main: str = "", master: str = "") -> Iterator[Postfix]:
    """A running Postfix that hands everything to the SMTP server on `next_hop` of this computer.

    `main` and `master` are more lines for its two files; `{folder}` in them is the folder of this Postfix.
    """
    if not POSTFIX:
        pytest.skip("no Postfix on this machine: it comes with the system's package postfix")
    if os.geteuid() != 0:
        pytest.skip("a Postfix of our own needs root: it changes its user")
    folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-", dir="/tmp"))
    try:
        folder.chmod(0o755)  # its user must get through
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = int(taken.getsockname()[1])
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        more = main.replace("{folder}", str(folder))
        (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder, next_hop=next_hop) + more)
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
