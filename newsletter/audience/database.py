"""Opens the workspace's database, brings it up to date, and says in words what is wrong with it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter import settings
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Where

WAIT = 20.0  # seconds for another process that is bringing the same file up to date

# SQLite's result code → (our code, what is wrong, what to do, exit). https://www.sqlite.org/rescode.html
_SQLITE = {
    "SQLITE_BUSY": (
        "database-locked",
        "Another program is writing to the database {file} and did not finish in time",
        "Wait until the other `newsletter` command is done, then try again. Nothing was changed.",
        Exit.TRY_AGAIN,
    ),
    "SQLITE_READONLY": (
        "database-unwritable",
        "The database {file} cannot be written",
        "Check that you own the file and its folder, and that the disk is not mounted read-only.",
        Exit.CONFIG,
    ),
    "SQLITE_CANTOPEN": (
        "database-unwritable",
        "The database {file} cannot be opened or made",
        "Check that the folder exists and that you may write to it. [database] url in newsletter.toml names the file.",
        Exit.CONFIG,
    ),
    "SQLITE_FULL": (
        "database-full",
        "The disk is full: the database {file} cannot grow",
        "Make room and try again. What was not finished was undone.",
        Exit.TRY_AGAIN,
    ),
    "SQLITE_IOERR": (
        "database-unwritable",
        "The disk answered with an error while the database {file} was in use",
        "Check the disk and its connection. What was not finished was undone.",
        Exit.CONFIG,
    ),
    "SQLITE_NOTADB": (
        "database-damaged",
        "The file {file} is not a database",
        "Move it away and restore a backup, or correct [database] url in newsletter.toml.",
        Exit.CONFIG,
    ),
    "SQLITE_CORRUPT": (
        "database-damaged",
        "The database {file} is damaged",
        "Copy the file to a safe place first, then restore a backup.",
        Exit.CONFIG,
    ),
}
_SQLITE["SQLITE_LOCKED"] = _SQLITE["SQLITE_BUSY"]
_SQLITE["SQLITE_PERM"] = _SQLITE["SQLITE_AUTH"] = _SQLITE["SQLITE_CANTOPEN"]


def ready(config: Config) -> None:
    """Set Django up for this workspace and bring its database up to date; every command that needs it calls this.

    When the file is current this is one SELECT; otherwise one process migrates and the others wait for it.
    Raises NewsletterError: database-locked, -newer, -unwritable, -full, -damaged, bad-database-url.
    """
    settings.setup(config)
    path = _path(config)
    with problems_of(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _said("SQLITE_CANTOPEN", path) from error
        # Two processes that switch one new file to WAL at the same moment get "locked" at once, without waiting.
        if path.exists() and path.stat().st_size and not _missing(path):
            return
        with _alone(path):
            if _missing(path):
                from django.core.management import call_command

                call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def problems_of(path: Path | None = None) -> Iterator[None]:
    """Turn the database's errors inside the block into NewsletterError; our own bugs pass through unchanged."""
    from django.db import DatabaseError

    try:
        yield
    except DatabaseError as error:
        plain = explained(error, path)
        if plain is None:
            raise
        raise plain from error


def explained(error: BaseException, path: Path | None = None) -> NewsletterError | None:
    """The NewsletterError for a full disk, a locked or damaged file and the like; None when it is a bug of ours.

    `error` is what Django raised: SQLite's own code (sqlite_errorname, Python ≥ 3.11) is in its chain of causes.
    """
    name = ""
    cause: BaseException | None = error
    while cause and not name:
        name, cause = str(getattr(cause, "sqlite_errorname", "")), cause.__cause__ or cause.__context__
    known = next((code for code in _SQLITE if name.startswith(code)), None)
    return _said(known, path or Path(_current())) if known else None


def _said(sqlite_code: str, path: Path) -> NewsletterError:
    code, message, hint, ending = _SQLITE[sqlite_code]
    return NewsletterError(Problem(code, message.format(file=path), hint=hint, where=Where(str(path))), exit=ending)


def _path(config: Config) -> Path:
    return Path(settings.database(config)["NAME"])


def _current() -> str:
    from django.db import connection

    return str(connection.settings_dict["NAME"])


def _missing(path: Path) -> bool:
    """True when migrations wait to be applied. Reads file names, not modules: importing them all costs 30 ms."""
    from django.apps import apps
    from django.db import connection

    known = {
        (app.label, file.stem)
        for app in apps.get_app_configs()
        for file in Path(app.path, "migrations").glob("[0-9]*.py")
    }
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        if "django_migrations" not in tables:
            if tables:
                raise _other_program(path)
            return True
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    if unknown := sorted(applied - known):
        raise NewsletterError(
            Problem(
                "database-newer",
                f"A newer version of newsletter has written {path} (it has {'.'.join(unknown[-1])})",
                hint="Update newsletter on this computer, or restore a backup made with this version.",
                where=Where(str(path)),
            ),
            exit=Exit.CONFIG,
        )
    return bool(known - applied)


def _other_program(path: Path) -> NewsletterError:
    problem = Problem(
        "database-damaged",
        f"The file {path} holds the tables of another program",
        hint='Name a file of its own in newsletter.toml, such as [database] url = "sqlite:///var/newsletter.db".',
        where=Where(str(path)),
    )
    return NewsletterError(problem, exit=Exit.CONFIG)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock beside the file, so that two first commands do not both make the tables."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        limit = time.monotonic() + WAIT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise _said("SQLITE_BUSY", path) from None
                time.sleep(0.05)
        yield
