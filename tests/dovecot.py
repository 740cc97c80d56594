"""A Dovecot of the tests' own: on loopback, with its own configuration and folders. It needs root and the package."""

from __future__ import annotations

import base64
import hmac
import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from imapclient import IMAPClient

DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "news@council.example", "right-password"
CONF = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
mail_location = maildir:{root}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
auth_failure_delay = 0
namespace inbox {{
  inbox = yes
  mailbox {junk} {{
    special_use = \\Junk
    auto = create
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {root}/oauth2
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={root}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service stats {{
  client_limit = 100
}}
"""
OAUTH2 = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={root}/keys/
username_attribute = email
"""
KEY = b"k" * 32


def token(seconds: int) -> str:
    """An OAuth2 token (RFC 9068) that is good for so long; Dovecot checks its signature and its end."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": USER, "email": USER, "iat": now - 3600, "exp": now + seconds}
    text = part(b'{"alg":"HS256","typ":"JWT","kid":"default"}') + b"." + part(json.dumps(claims).encode())
    return (text + b"." + part(hmac.digest(KEY, text, "sha256"))).decode()


@dataclass
class Dovecot:
    root: Path
    port: int
    tls_port: int

    def password(self, password: str) -> None:
        """From now on this is the password. Dovecot looks at the file once a second; a reload would hang up."""
        (self.root / "users").write_text(f"{USER}:{password}\n")
        _until_it_answers(self, password)

    def client(self, password: str = PASSWORD) -> IMAPClient:
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        try:
            client.login(USER, password)
        except BaseException:
            client.shutdown()
            raise
        return client

    def put(self, *messages: bytes, folder: str = "INBOX", password: str = PASSWORD) -> None:
        with self.client(password) as client:
            for message in messages:
                client.append(folder, message)

    def number_anew(self, validity: int, folder: str = "INBOX") -> None:
        """Another UIDVALIDITY, as after a restored backup."""
        conf = self.root / "conf"
        command = ["doveadm", "-c", conf, "mailbox", "update", "-u", USER, "--uid-validity", str(validity), folder]
        subprocess.run(command, check=True, capture_output=True)

    def names(self, folder: str = "INBOX") -> list[int]:
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            return list(client.search())

    def kick(self) -> None:
        """Cut every connection, as a restart of the server does."""
        subprocess.run(["doveadm", "-c", self.root / "conf", "kick", USER], check=False, capture_output=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(certificate: tuple[Path, Path] | None = None, junk: str = "Junk") -> Iterator[Dovecot]:
    if not DOVECOT or os.geteuid() != 0:
        pytest.skip("no Dovecot that may be started here: `make system` installs it, and root starts it")
    root = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
    root.chmod(0o755)
    server = Dovecot(root, free_port(), free_port())
    for name in ("mail", "run", "state"):
        (root / name).mkdir()
    os.chown(root / "mail", pwd.getpwnam("nobody").pw_uid, -1)
    (root / "users").write_text(f"{USER}:{PASSWORD}\n")
    (root / "oauth2").write_text(OAUTH2.format(root=root))
    (root / "keys" / "default" / "HS256").mkdir(parents=True)
    (root / "keys" / "default" / "HS256" / "default").write_bytes(base64.b64encode(KEY))
    lines = f"ssl_cert = <{certificate[0]}\nssl_key = <{certificate[1]}" if certificate else ""
    conf = CONF.format(
        root=root,
        ssl="yes" if certificate else "no",
        certificate=lines,
        port=server.port,
        tls_port=server.tls_port,
        junk=junk,
    )
    (root / "conf").write_text(conf)
    process = subprocess.Popen(
        [DOVECOT, "-F", "-c", root / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _until_it_answers(server)
        yield server
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(root, ignore_errors=True)


def _until_it_answers(server: Dovecot, password: str = PASSWORD) -> None:
    for _ in range(400):
        try:
            with server.client(password):
                return
        except (OSError, ssl.SSLError, IMAPClient.Error):
            time.sleep(0.025)
    raise AssertionError((server.root / "log").read_text() if (server.root / "log").exists() else "it says nothing")
