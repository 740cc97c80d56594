"""A newsletter folder of its own for one test: configuration, key, and an up-to-date empty database.

Django can be configured once per process, so `settings.setup` turns to the next workspace instead; migrations run once
per test session, into a file that each test gets a copy of (3 ms instead of 150). With `--database postgresql` it is
a database of the tests' own server, copied in 40 ms.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import pytest

from newsletter import config as configuration
from newsletter import settings
from newsletter.config import Config
from tests import postgres
from tests.postgres import Cluster

_numbers = itertools.count(1)
TOML = """\
[site]
name = "Example Council"
postal_address = "Example Council, 1 Example Street, Stafford"
[senders.council]
name = "Example Council"
address = "news@council.example"
[lists.all-residents]
title = "All residents"
why = "You get this because you asked for messages to all residents."
[lists.monthly]
title = "The monthly letter"
why = "You get this because you asked for the monthly letter."
[fields.ward]
title = "Ward"
example = "Stafford North"
[fields.meeting]
type = "date"
title = "Next meeting"
example = "2026-12-08"
[mail]
reply_domain = "reply.council.example"
bounce_domain = "bounce.council.example"
"""

# Modules with models can be imported only once Django is configured, and tests import them in their first lines.
settings.setup(configuration.load(Path(__file__).parent))


@dataclass
class Ran:
    """What a command did: its exit code and what it printed."""

    exit: int
    out: str
    err: str


@dataclass
class Workspace:
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""  # [database] url, where it is not the file

    @property
    def config(self) -> Config:
        return configuration.load(self.root, MappingProxyType(self.environment))

    def toml(self, more: str, base: str = TOML) -> Config:
        """Write newsletter.toml anew with `more` at its end, and turn to it."""
        database = "" if "[database]" in base + more else self.database
        (self.root / "newsletter.toml").write_text(base + more + database, encoding="utf-8")
        return self.ready()

    @property
    def database(self) -> str:
        """The section [database] of newsletter.toml; nothing for the file that is the default."""
        return f'\n[database]\nurl = "{self.url}"\n' if self.url else ""

    def write(self, name: str, data: str | bytes) -> Path:
        """A file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def ready(self) -> Config:
        """The configuration, with Django turned to this workspace's database."""
        from newsletter.audience import database

        config = self.config
        database.ready(config)
        return config

    def people(self, *addresses: str, lists: tuple[str, ...] = ("all-residents",), **facts: Any) -> list[int]:
        """Subscribers by address, confirmed on `lists`; `facts` are columns of Subscriber. Returns their ids."""
        from newsletter.audience import traits
        from newsletter.audience.models import MailingList, Subscriber, Subscription

        ids = []
        for address in addresses:
            person, new = Subscriber.objects.get_or_create(
                canonical=address.lower(), defaults={"address": address, **facts}
            )
            if new and (person.attributes or person.language):
                traits.keep(person.pk)
            for key in lists:
                chosen, _ = MailingList.objects.get_or_create(key=key)
                Subscription.objects.get_or_create(subscriber=person, list=chosen)
            ids.append(person.pk)
        return ids

    def run(self, *arguments: str, stdin: str | bytes = "") -> Ran:
        """`newsletter -C <here> …` in this process: quick, and without a terminal."""
        from newsletter.cli import main

        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        given = io.TextIOWrapper(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin), encoding="utf-8")
        argv = ["newsletter", "-C", str(self.root), *arguments]
        code = 0
        with mock.patch.multiple(sys, argv=argv, stdin=given, stdout=out, stderr=err):
            try:
                main()
            except SystemExit as ending:
                code = int(ending.code or 0)
        return Ran(code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """This test process's PostgreSQL; skipped with the reason where it is not installed, which CI does not accept."""
    binaries = postgres.find_binaries()
    if binaries is None:
        reason = "no PostgreSQL on this machine: `make system` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with postgres.running(binaries) as running:
        yield running


@pytest.fixture(scope="session")
def migrated_postgresql(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The server with the database that every test's is a copy of."""
    from django.db import connections

    cluster.execute(f"CREATE DATABASE {postgres.TEMPLATE}")
    first = _folder(tmp_path_factory.mktemp("template"))
    first.url = cluster.url(postgres.TEMPLATE)
    first.toml("")
    connections.close_all()
    return cluster


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that every test's database is a copy of."""
    from django.db import connections

    first = _folder(tmp_path_factory.mktemp("template"))
    first.ready()
    connections["default"].cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    connections.close_all()
    return first.root / "var" / "newsletter.db"


@pytest.fixture
def folder(tmp_path: Path) -> Workspace:
    """A workspace without a database: newsletter.toml and var/secret.key."""
    return _folder(tmp_path)


@pytest.fixture
def workspace(folder: Workspace, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A workspace with an empty, current database; Django's models work on it."""
    from django.db import connections

    if request.config.getoption("--database") == "postgresql":
        server: Cluster = request.getfixturevalue("migrated_postgresql")
        name = f"test_{next(_numbers)}"
        folder.url = server.copy(name)
        folder.toml("")
        yield folder
        connections.close_all()
        server.drop(name)
        return
    migrated: Path = request.getfixturevalue("migrated")
    shutil.copyfile(migrated, folder.root / "var" / "newsletter.db")
    folder.ready()
    yield folder
    connections.close_all()


def _folder(root: Path) -> Workspace:
    from newsletter.mail.tokens import Keyring

    (root / "newsletter.toml").write_text(TOML, encoding="utf-8")
    (root / "var").mkdir()
    Keyring.create(root / "var" / "secret.key")
    return Workspace(root)
