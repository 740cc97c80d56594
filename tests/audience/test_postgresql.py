"""The server's troubles, said in words: a real PostgreSQL that is stopped, closed, full of nobody, or not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from newsletter import settings
from newsletter.audience import database
from newsletter.cli.config import values
from newsletter.problems import Exit, NewsletterError
from tests import postgres
from tests.postgres import Cluster
from tests.workspace import Workspace

pytestmark = pytest.mark.integration


@pytest.fixture
def server(folder: Workspace, migrated_postgresql: Cluster) -> Iterator[Cluster]:
    """A workspace whose database is an empty one of the server, called `own`."""
    from django.db import connections

    folder.url = migrated_postgresql.copy("own")
    yield migrated_postgresql
    connections.close_all()
    migrated_postgresql.drop("own")


def refused(folder: Workspace, url: str) -> NewsletterError:
    folder.url = url
    with pytest.raises(NewsletterError) as caught:
        folder.toml("")
    return caught.value


def test_the_first_command_makes_the_tables(folder: Workspace, server: Cluster) -> None:
    server.drop("own")
    server.execute('CREATE DATABASE "own"')
    folder.toml("")
    assert folder.people("sam@example.org")
    assert folder.run("recipients", "list").exit == 0


def test_eight_first_commands_at_once_make_the_tables_once(folder: Workspace, server: Cluster) -> None:
    from django.db import connections

    server.drop("own")
    server.execute('CREATE DATABASE "own"')
    (folder.root / "newsletter.toml").write_text((folder.root / "newsletter.toml").read_text() + folder.database)
    settings.setup(folder.config)
    wrong: list[BaseException] = []

    def first() -> None:
        try:
            folder.ready()
        except BaseException as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    twice = "SELECT name FROM django_migrations WHERE app = 'audience' GROUP BY name HAVING count(*) > 1"
    assert server.execute("SELECT count(*) > 0 FROM django_migrations", database="own") == [(True,)]
    assert server.execute(twice, database="own") == []


def test_a_server_that_is_not_there_is_tried_again_later(folder: Workspace) -> None:
    error = refused(folder, "postgresql://sam:swordfish@127.0.0.1:1/people")
    assert error.problems[0].code == "database-unreachable" and error.exit == Exit.TRY_AGAIN
    assert "swordfish" not in str(error) + repr(folder.config)


def test_a_database_that_is_not_there_is_named(folder: Workspace, server: Cluster) -> None:
    error = refused(folder, server.url("nowhere"))
    assert error.problems[0].code == "database-missing" and "nowhere" in error.problems[0].message


def test_a_wrong_password_is_refused_and_never_shown(folder: Workspace, server: Cluster) -> None:
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all stranger scram-sha-256\n" + before)
    server.execute("SELECT pg_reload_conf()", "CREATE ROLE stranger SUPERUSER LOGIN PASSWORD 'right'")
    url = server.url("own").replace(f"{server.user}@", "stranger:swordfish@")
    try:
        error = refused(folder, url)
        assert error.problems[0].code == "database-refused" and error.exit == Exit.CONFIG
        folder.environment["NEWSLETTER_DATABASE__PASSWORD"] = "right"
        folder.ready()
    finally:
        from django.db import connections

        connections.close_all()
        rules.write_text(before)
        server.execute("SELECT pg_reload_conf()", "DROP ROLE stranger")
    shown = {key: value for key, value, _ in values(folder.config)}
    assert "stranger:***@" in str(shown["database.url"]) and "right" not in str(shown["database.password"])
    ran = folder.run("doctor")
    assert "swordfish" not in ran.out + ran.err and "swordfish" not in folder.run("config", "show", "--json").out


def test_another_programs_tables_are_left_alone(folder: Workspace, server: Cluster) -> None:
    server.drop("own")
    server.execute('CREATE DATABASE "own"')
    server.execute("CREATE TABLE pigeons (name text)", database="own")
    error = refused(folder, server.url("own"))
    assert error.problems[0].code == "database-damaged" and "another program" in error.problems[0].message


def test_a_newer_versions_tables_are_left_alone(folder: Workspace, server: Cluster) -> None:
    server.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('audience', '9000_future', now())", database="own"
    )
    assert refused(folder, server.url("own")).problems[0].code == "database-newer"


@pytest.mark.parametrize(
    ("statement", "code", "exit"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", "database-unreachable", Exit.TRY_AGAIN),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$", "database-full", Exit.TRY_AGAIN),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$", "database-locked", Exit.TRY_AGAIN),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P01'; END $$", "database-unreachable", Exit.TRY_AGAIN),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'XX001'; END $$", "database-damaged", Exit.CONFIG),
    ],
    ids=["closed by the administrator", "disk full", "deadlock", "shutting down", "damaged"],
)
def test_trouble_on_the_way_is_said(folder: Workspace, server: Cluster, statement: str, code: str, exit: Exit) -> None:
    from django.db import connection

    folder.toml("")
    with pytest.raises(NewsletterError) as caught, database.problems_of():
        connection.cursor().execute(statement)
    assert caught.value.problems[0].code == code and caught.value.exit == exit


def test_a_read_only_server_is_said(folder: Workspace, server: Cluster) -> None:
    from django.db import connection

    folder.toml("")
    connection.cursor().execute("SET default_transaction_read_only = on")
    with pytest.raises(NewsletterError) as caught, database.problems_of():
        folder.people("sam@example.org")
    assert caught.value.problems[0].code == "database-unwritable"


def test_a_table_that_somebody_holds_is_locked_not_waited_for_for_ever(folder: Workspace, server: Cluster) -> None:
    import psycopg
    from django.db import connection

    folder.toml("")
    with psycopg.connect(host=str(server.socket), user=server.user, dbname="own") as other:
        other.execute("LOCK TABLE audience_subscriber")
        connection.cursor().execute("SET lock_timeout = 20")  # milliseconds; 20,000 in earnest
        with pytest.raises(NewsletterError) as caught, database.problems_of():
            folder.people("sam@example.org")
    assert caught.value.problems[0].code == "database-locked"


def test_our_own_bugs_are_not_dressed_up(folder: Workspace, server: Cluster) -> None:
    from django.db import DatabaseError, connection

    folder.toml("")
    with pytest.raises(DatabaseError), database.problems_of():
        connection.cursor().execute("SELECT nonsense FROM nowhere")


def test_the_tests_find_a_postgresql_only_with_all_it_needs() -> None:
    found = postgres.find_binaries()
    assert found is None or (found / "pg_ctl").exists()
