"""Opening the database: made when missing, left alone when current, and every trouble said in words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from newsletter.audience import database
from newsletter.problems import Exit, NewsletterError
from tests.workspace import Workspace

pytestmark = pytest.mark.sqlite


def refused(folder: Workspace) -> NewsletterError:
    with pytest.raises(NewsletterError) as caught:
        folder.ready()
    from django.db import connections

    connections.close_all()
    return caught.value


def file(folder: Workspace) -> Path:
    return folder.root / "var" / "newsletter.db"


def test_the_first_command_makes_the_database_and_its_folder(folder: Workspace) -> None:
    folder.ready()
    from newsletter.audience.models import Subscriber

    assert Subscriber.objects.count() == 0
    from django.db import connections

    connections.close_all()


def test_a_current_database_is_not_written_to(workspace: Workspace) -> None:
    before = file(workspace).stat().st_mtime_ns
    workspace.ready()
    assert file(workspace).stat().st_mtime_ns == before


def test_a_current_database_opens_while_another_program_writes(workspace: Workspace) -> None:
    with sqlite3.connect(file(workspace), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        workspace.ready()
        other.execute("ROLLBACK")
    other.close()


def test_two_workspaces_in_one_process_do_not_see_each_other(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from newsletter.audience.models import Subscriber

    workspace.people("sam@example.org")
    second = Workspace(tmp_path_factory.mktemp("second"))
    second.toml("")
    assert Subscriber.objects.count() == 0
    workspace.ready()
    assert Subscriber.objects.count() == 1


def test_a_database_of_a_newer_version_is_left_alone(workspace: Workspace) -> None:
    with sqlite3.connect(file(workspace)) as other:
        other.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('audience', '9000_future', '2030-01-01')"
        )
    other.close()
    error = refused(workspace)
    assert error.problems[0].code == "database-newer"
    assert "audience.9000_future" in error.problems[0].message
    assert error.exit == Exit.CONFIG


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"This is a letter, not a database. " * 100, "database-damaged"),
        (b"SQLite format 3\x00" + b"\xff" * 5000, "database-damaged"),
    ],
    ids=["a letter", "a cut header"],
)
def test_a_file_that_is_no_database_is_named_and_kept(folder: Workspace, content: bytes, code: str) -> None:
    file(folder).write_bytes(content)
    assert refused(folder).problems[0].code == code
    assert file(folder).read_bytes() == content


def test_the_database_of_another_program_is_left_alone(folder: Workspace) -> None:
    with sqlite3.connect(file(folder)) as other:
        other.execute("CREATE TABLE pigeons (name)")
    other.close()
    error = refused(folder)
    assert error.problems[0].code == "database-damaged"
    assert "another program" in error.problems[0].message


def test_a_folder_in_the_place_of_the_database_is_said(folder: Workspace) -> None:
    file(folder).mkdir()
    assert refused(folder).problems[0].code == "database-unwritable"


def test_a_file_in_the_place_of_the_folder_is_said(folder: Workspace) -> None:
    folder.write("data", "not a folder")
    folder.write(
        "newsletter.toml",
        (folder.root / "newsletter.toml").read_text() + '[database]\nurl = "sqlite:///data/people.db"\n',
    )
    assert refused(folder).problems[0].code == "database-unwritable"


def test_an_unmigrated_database_that_another_program_holds_is_locked_not_broken(
    folder: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.settings.LOCK_WAIT", 0.05)
    with sqlite3.connect(file(folder), isolation_level=None) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        error = refused(folder)
        other.execute("ROLLBACK")
    other.close()
    assert error.problems[0].code == "database-locked"
    assert error.exit == Exit.TRY_AGAIN


def test_our_own_bugs_are_not_dressed_up_as_database_trouble(workspace: Workspace) -> None:
    from django.db import DatabaseError, connection

    with pytest.raises(DatabaseError), database.problems_of():
        connection.cursor().execute("SELECT nonsense FROM nowhere")
