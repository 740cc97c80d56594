"""A PostgreSQL of the tests' own: made, started and stopped by them, on a socket in a temporary folder.

One for each test process (so that xdist's workers never share one), a migrated template in it, and a copy of that for
each test. fsync is off: nothing here has to survive a power cut; so it lies in memory where there is room, for a copy
makes three hundred files (40 ms there, 143 on a disk, 2,900 times).
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

TEMPLATE = "migrated"
MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes that must be free there: eight servers take 0.3 GB each
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "''",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "autovacuum": "off",  # else it may hold the template at the moment when it is copied
}


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: the newest of Debian's, else the one on the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name.split(".")[0]))
    if on_path := shutil.which("postgres"):
        folders.insert(0, Path(on_path).resolve().parent)
    return next((one for one in reversed(folders) if (one / "initdb").exists() and (one / "postgres").exists()), None)


@dataclass
class Cluster:
    """The running server; `socket` is the folder of its socket."""

    binaries: Path
    data: Path
    socket: Path
    user: str
    log: Path
    prefix: tuple[str, ...]

    def url(self, name: str) -> str:
        """What `[database] url` says for one of its databases."""
        return f"postgresql://{self.user}@/{name}?host={quote(str(self.socket), safe='/')}"

    def execute(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as the owner, each on its own; the rows of the last one."""
        import psycopg

        with psycopg.connect(
            host=str(self.socket), user=self.user, dbname=database, autocommit=True, connect_timeout=10
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def copy(self, name: str, template: str = TEMPLATE) -> str:
        """A database of its own for one test; returns its address."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Away with it, whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        self._control("start", "-w", "-t", "60", "-l", str(self.log), "-o", f"{options} -k {self.socket}")

    def stop(self, mode: str = "immediate") -> None:
        self._control("stop", "-w", "-m", mode)

    def _control(self, *words: str) -> None:
        command = [*self.prefix, str(self.binaries / "pg_ctl"), "-D", str(self.data), "-s", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", timeout=90, check=False)
        if done.returncode:
            said = self.log.read_text(errors="replace") if self.log.exists() else ""
            raise RuntimeError(f"pg_ctl {words[0]} failed: {done.stderr.decode(errors='replace')}\n{said[-2000:]}")


@contextmanager
def running(binaries: Path) -> Iterator[Cluster]:
    """A new, empty, running server in a folder that is removed afterwards. PostgreSQL refuses to run as root."""
    place = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    root = Path(tempfile.mkdtemp(prefix="nlpg-", dir=place))  # short: a socket's path holds at most 107 letters
    try:
        user, prefix = pwd.getpwuid(os.geteuid()).pw_name, ()
        if os.geteuid() == 0:
            user = next(name for name in ("postgres", "nobody") if _exists(name))
            prefix = ("runuser", "-u", user, "--")
            shutil.chown(root, user)
        root.chmod(0o755)
        data = root / "data"
        made = [*prefix, str(binaries / "initdb"), "-D", str(data), "-U", user, "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*made, "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            timeout=90,
            check=True,
        )
        cluster = Cluster(binaries, data, root, user, root / "log", tuple(prefix))
        cluster.start()
        # It ends when our end of the pipe closes, however we end: a test run that is killed leaves no server behind.
        control = f"{shlex.join([*prefix, str(binaries / 'pg_ctl')])} -D '{data}' -s -m immediate stop"
        guard = subprocess.Popen(
            ["sh", "-c", f"read line; {control}; rm -rf '{root}'"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        try:
            yield cluster
        finally:
            guard.communicate(timeout=60)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
