"""The stories use the certificates of the tests of transports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.balanced import balanced  # noqa: F401 (a fixture for every test)
from tests.postgres import Cluster
from tests.sending.transports.conftest import certificates  # noqa: F401 (a fixture)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Variables for a command that is to use the database of this run: none for SQLite, an empty one of PostgreSQL."""
    if request.config.getoption("--database") == "sqlite":
        yield {}
        return
    server: Cluster = request.getfixturevalue("cluster")
    server.execute('CREATE DATABASE "story"')
    yield {"NEWSLETTER_DATABASE__URL": server.url("story")}
    server.drop("story")
