"""The real server on a port of its own, a person with links, and a client that shows everything it got."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest

from newsletter.mail.tokens import Keyring, Purpose, new_id
from tests.workspace import Workspace

# Playwright keeps an event loop in the test's thread; Django would refuse the database there. Nothing here is async.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """The running server and its workspace."""

    workspace: Workspace
    host: str
    port: int
    made: dict[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """One request on one connection; header names with _ for -."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        named = {"Connection": "close", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        got = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, got, response.read())
        connection.close()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, **form: str) -> Answer:
        return self.ask("POST", path, urlencode(form), Content_Type="application/x-www-form-urlencoded")

    @property
    def keyring(self) -> Keyring:
        return Keyring.load(self.workspace.root / "var" / "secret.key")

    def leave_link(
        self, address: str = "ameera.k@example.net", lists: tuple[str, ...] = ("all-residents",), **facts: object
    ) -> str:
        """The path of a person's unsubscribe link; the person is on these lists."""
        from newsletter.sending.models import UnsubscribeKey

        self.workspace.people(address, lists=lists, **facts)
        key = UnsubscribeKey.objects.create(
            canonical=address, lists=sorted(lists), lists_key=" ".join(sorted(lists)), token=new_id()
        )
        return f"/u/{self.keyring.make(Purpose.UNSUBSCRIBE, bytes(key.token))}"


@pytest.fixture
def site(workspace: Workspace) -> Iterator[Site]:
    from newsletter.web.server import Server

    server = Server(workspace.config, "127.0.0.1:0")
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Site(workspace, server.host, server.port)
    server.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()


def everything() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, to see that nothing was written."""
    from django.db import connection

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = {}
        for table in sorted(tables):
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')
            found[table] = cursor.fetchall()
    return found
