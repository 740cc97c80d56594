"""Opens the workspace's database, brings it up to date, and says in words what is wrong with it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter import files, settings
from newsletter.audience import database_trouble as trouble
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Where

WAIT = 20.0  # seconds for another process that is bringing the same file up to date

LOCK = 0x6E6577736C  # "newsl": PostgreSQL's advisory lock while one process brings the tables up to date


def ready(config: Config) -> None:
    """Set Django up for this workspace and bring its database up to date; every command that needs it calls this.

    When the database is current this is one SELECT; otherwise one process migrates and the others wait for it.
    Raises NewsletterError: database-locked, -newer, -unwritable, -full, -damaged, -missing, -refused, -unreachable,
    bad-database-url.
    """
    settings.setup(config)
    if settings.database(config)["ENGINE"].endswith("sqlite3"):
        _ready_file(Path(settings.database(config)["NAME"]))
    else:
        _ready_server(_current())


def _ready_file(path: Path) -> None:
    with problems_of(str(path)):
        try:
            files.private(path.parent)
        except OSError as error:
            raise trouble.said("SQLITE_CANTOPEN", str(path)) from error
        # Two processes that switch one new file to WAL at the same moment get "locked" at once, without waiting.
        if path.exists() and path.stat().st_size and not _missing(str(path)):
            return
        with _alone(path):
            _migrate(str(path))


def _ready_server(place: str) -> None:
    with problems_of(place):
        if not _missing(place):
            return
        with _alone_on_the_server(place):
            _migrate(place)


def _migrate(place: str) -> None:
    if _missing(place):
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def problems_of(place: str = "") -> Iterator[None]:
    """Turn the database's errors inside the block into NewsletterError; our own bugs pass through unchanged."""
    from django.db import Error

    try:
        yield
    except Error as error:
        plain = explained(error, place)
        if plain is None:
            raise
        raise plain from error


def explained(error: BaseException, place: str = "") -> NewsletterError | None:
    """The NewsletterError for a full disk, a locked file, a lost server and the like; None when it is a bug of ours."""
    return trouble.explained(error, place or _current())


def is_away(error: BaseException) -> bool:
    """True for a server that does not answer, which may be back in a moment."""
    known = error if isinstance(error, NewsletterError) else explained(error)
    return known is not None and known.problems[0].code == "database-unreachable"


def _current() -> str:
    """The file, or the server's address without its password."""
    from django.db import connection

    if connection.vendor == "sqlite":
        return str(connection.settings_dict["NAME"])
    return settings.current().database.shown.partition("?")[0]


def _missing(place: str) -> bool:
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
                raise _other_program(place)
            return True
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = set(cursor.fetchall())
    if unknown := sorted(applied - known):
        raise NewsletterError(
            Problem(
                "database-newer",
                f"A newer version of newsletter has written {place} (it has {'.'.join(unknown[-1])})",
                hint="Update newsletter on this computer, or restore a backup made with this version.",
                where=_where(place),
            ),
            exit=Exit.CONFIG,
        )
    return bool(known - applied)


def _other_program(place: str) -> NewsletterError:
    kind = "file" if _where(place) else "database"
    problem = Problem(
        "database-damaged",
        f"The {kind} {place} holds the tables of another program",
        hint='Name one of its own in newsletter.toml, such as [database] url = "sqlite:///var/newsletter.db".',
        where=_where(place),
    )
    return NewsletterError(problem, exit=Exit.CONFIG)


def _where(place: str) -> Where | None:
    return Where(place) if Path(place).is_absolute() else None


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
                    raise trouble.said("SQLITE_BUSY", str(path)) from None
                time.sleep(0.05)
        yield


@contextmanager
def _alone_on_the_server(place: str) -> Iterator[None]:
    """The same by PostgreSQL's advisory lock, which ends with the connection, however the process ends.

    Asked for again and again, not waited for: a waiting statement would hold a snapshot that migrations wait for.
    """
    from django.db import connection

    limit = time.monotonic() + WAIT
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if cursor.fetchone()[0]:
                break
            if time.monotonic() > limit:
                raise trouble.locked(place)
            time.sleep(0.05)
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
