"""The ledger's own connection: it comes back when PostgreSQL hung up, and never does a thing twice."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error, connection

from newsletter.problems import NewsletterError
from newsletter.sending.store import Run, Store
from tests.workspace import Workspace


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is a file: there is nobody to hang up")
    found = Store()
    yield found
    found.close()


def hang_up(store: Store) -> None:
    """What an administrator does, or a restart: the server ends the process that serves this store."""
    held: Any = store.connection.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [held.info.backend_pid])


def commit(store: Store, *, on_the_disk: bool) -> str:
    def work(run: Run) -> str:
        return str(run("SHOW synchronous_commit").fetchall()[0][0])

    return store.together(work, on_the_disk=on_the_disk)


def test_the_next_transaction_connects_anew(store: Store) -> None:
    assert store.rows("SELECT 1") == [(1,)]
    hang_up(store)
    assert store.change("UPDATE sending_mailing SET state = 'sending' WHERE id = 0") == 0
    hang_up(store)
    assert store.rows("SELECT 1") == [(1,)]


def test_a_new_connection_is_told_again_what_must_be_on_the_disk(store: Store) -> None:
    assert commit(store, on_the_disk=True) == "on"
    assert commit(store, on_the_disk=False) == "off"
    hang_up(store)
    assert commit(store, on_the_disk=True) == "on"
    hang_up(store)
    assert commit(store, on_the_disk=True) == "on"


@pytest.mark.parametrize("alone", [False, True], ids=["several statements", "one alone"])
def test_a_transaction_that_the_server_did_not_take_is_done_again_from_the_start(store: Store, alone: bool) -> None:
    asked = []

    def work(run: Run) -> int:
        asked.append(1)
        if len(asked) == 1:
            hang_up(store)
        return int(run("SELECT 7").fetchall()[0][0])

    assert store.together(work, alone=alone) == 7
    assert len(asked) == 2


def test_a_statement_alone_without_an_answer_is_not_repeated(store: Store) -> None:
    """Here our own end is shut: nobody said what became of it."""
    asked = []

    def work(run: Run) -> None:
        held: Any = store.connection.connection
        asked.append(1)
        with socket.socket(fileno=os.dup(held.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        run("SELECT 7")

    with pytest.raises((NewsletterError, Error)):
        store.together(work, alone=True)
    assert len(asked) == 1
    assert store.rows("SELECT 1") == [(1,)]


def test_a_commit_without_an_answer_is_not_repeated(store: Store) -> None:
    """It may have happened: the sender ends, and whoever was in flight is uncertain."""
    asked = []

    def work(run: Run) -> None:
        asked.append(run("SELECT 1").fetchall())
        hang_up(store)

    with pytest.raises((NewsletterError, Error)):
        store.together(work)
    assert len(asked) == 1
    assert store.rows("SELECT 1") == [(1,)]
