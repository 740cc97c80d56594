"""A real Postfix of our own for one test: own folders, a port on loopback, and it delivers nothing."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file_prefixes = {root}
maillog_file = {root}/mail.log
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
default_transport = discard
relay_transport = discard
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
disable_dns_lookups = yes
enable_long_queue_ids = {long}
"""


def missing() -> str:
    """Why there can be none here, or "" when there can."""
    if not shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return "no Postfix on this machine: `make system` installs it"
    return "" if os.geteuid() == 0 else "Postfix is started by root only"


@dataclass
class Postfix:
    port: int
    log: Path

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


@contextmanager
def running(*, long_ids: bool = False) -> Iterator[Postfix]:
    root = Path(tempfile.mkdtemp(prefix="postfix-", dir="/tmp"))
    root.chmod(0o755)
    try:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        conf = root / "conf"
        for name in ("conf", "queue", "data"):
            (root / name).mkdir()
        os.chown(root / "data", pwd.getpwnam("postfix").pw_uid, 0)
        (conf / "main.cf").write_text(MAIN.format(root=root, long="yes" if long_ids else "no"))
        (conf / "master.cf").write_text(MASTER.format(port=port))
        run = lambda verb: subprocess.run(["postfix", "-c", conf, verb], capture_output=True, text=True, check=False)  # noqa: E731
        started = run("start")
        assert started.returncode == 0, started.stdout + started.stderr + (root / "mail.log").read_text()
        try:
            yield Postfix(port, root / "mail.log")
        finally:
            run("stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)
