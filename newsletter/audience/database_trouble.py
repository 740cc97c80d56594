"""What SQLite and PostgreSQL say when something is wrong, in words, with what to do about it."""

from __future__ import annotations

from pathlib import Path

from newsletter.problems import Exit, NewsletterError, Problem, Where

Said = tuple[str, str, str, Exit]  # our code, what is wrong, what to do, exit

# By SQLite's result code. https://www.sqlite.org/rescode.html
_SQLITE: dict[str, Said] = {
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

_UNREACHABLE: Said = (
    "database-unreachable",
    "The database {file} does not answer",
    "Check that PostgreSQL runs and that [database] url names its host and port, then try again.",
    Exit.TRY_AGAIN,
)
_LOST: Said = (
    "database-unreachable",
    "The connection to the database {file} was lost",
    "Check that PostgreSQL runs, then try again. What was not finished was undone.",
    Exit.TRY_AGAIN,
)
_REFUSED: Said = (
    "database-refused",
    "The database {file} does not let us in",
    "Check the user in [database] url, the password in NEWSLETTER_DATABASE__PASSWORD, and pg_hba.conf on the server.",
    Exit.CONFIG,
)
_UNWRITABLE: Said = (
    "database-unwritable",
    "The database {file} cannot be written",
    "Check that it is not a read-only copy, and that the user owns the database: it makes tables of its own.",
    Exit.CONFIG,
)
_LOCKED: Said = (
    "database-locked",
    "Another program holds the database {file} and did not finish in time",
    "Wait until the other program is done, then try again. What was not finished was undone.",
    Exit.TRY_AGAIN,
)
_DAMAGED: Said = (
    "database-damaged",
    "The database {file} is damaged",
    "Stop PostgreSQL, copy its files to a safe place, then restore a backup.",
    Exit.CONFIG,
)
# By SQLSTATE, or by its first letters. https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: dict[str, Said] = {
    "28": _REFUSED,
    "3D000": (
        "database-missing",
        "PostgreSQL has no database {file}",
        "Make it once: createdb --owner=USER NAME. [database] url in newsletter.toml names it.",
        Exit.CONFIG,
    ),
    "53100": (
        "database-full",
        "The disk is full: the database {file} cannot grow",
        "Make room on PostgreSQL's disk and try again. What was not finished was undone.",
        Exit.TRY_AGAIN,
    ),
    "53200": _UNREACHABLE,  # out of memory
    "53300": (
        "database-unreachable",
        "PostgreSQL takes no more connections to {file}",
        "Close other programs or raise max_connections, then try again.",
        Exit.TRY_AGAIN,
    ),
    "25006": _UNWRITABLE,
    "42501": _UNWRITABLE,
    "55P03": _LOCKED,
    "57014": _LOCKED,  # cancelled, such as by a statement_timeout
    "40001": _LOCKED,
    "40P01": _LOCKED,  # a deadlock: PostgreSQL undid one of the two
    "57P03": _UNREACHABLE,  # starting up or shutting down
    "57P": _LOST,
    "08": _LOST,
    "58030": (
        "database-unwritable",
        "PostgreSQL's disk answered with an error while {file} was in use",
        "Look into PostgreSQL's log and check the disk. What was not finished was undone.",
        Exit.CONFIG,
    ),
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
# A connection that never came about carries no SQLSTATE, only the server's or the library's words.
_WORDS: tuple[tuple[str, Said], ...] = (
    ("password authentication failed", _REFUSED),
    ("no password supplied", _REFUSED),
    ("no pg_hba.conf entry", _REFUSED),
    ("peer authentication failed", _REFUSED),
    ("ident authentication failed", _REFUSED),
    ('role "', _REFUSED),
    ("permission denied for database", _REFUSED),
    ("too many c", _POSTGRESQL["53300"]),
    ("remaining connection slots", _POSTGRESQL["53300"]),
    ("ssl", _REFUSED),
    ("certificate", _REFUSED),
    ('database "', _POSTGRESQL["3D000"]),
    ("the connection is closed", _LOST),
    ("the connection is lost", _LOST),
    ("server closed the connection", _LOST),
    ("consuming input failed", _LOST),
)


def explained(error: BaseException, place: str) -> NewsletterError | None:
    """The NewsletterError for a full disk, a locked file, a lost server and the like; None for a bug of ours.

    `error` is what Django raised: the database's own code is in its chain of causes (sqlite_errorname, Python ≥ 3.11;
    sqlstate). `place` is the file, or the server without its password.
    """
    from django.db import InterfaceError, OperationalError

    cause: BaseException | None = error
    ours = isinstance(error, OperationalError | InterfaceError)
    while cause:
        if name := str(getattr(cause, "sqlite_errorname", "")):
            code = next((code for code in _SQLITE if name.startswith(code)), "")
            return said(code, place) if code else None
        if hasattr(cause, "sqlstate"):  # of psycopg, looked up without importing it
            return _of_postgresql(str(cause.sqlstate or ""), str(cause).lower(), place, ours)
        cause = cause.__cause__ or cause.__context__
    if ours and isinstance(error, InterfaceError) and "connection already closed" in str(error):
        return _told(_LOST, place)
    return None


def said(sqlite_code: str, place: str) -> NewsletterError:
    """What SQLite's code means for this file."""
    return _told(_SQLITE[sqlite_code], place)


def locked(place: str) -> NewsletterError:
    """Another process of ours was bringing the same database up to date for too long."""
    return _told(_LOCKED, place)


def _of_postgresql(sqlstate: str, words: str, place: str, connecting: bool) -> NewsletterError | None:
    if sqlstate:
        known = next(
            (_POSTGRESQL[part] for part in (sqlstate, sqlstate[:3], sqlstate[:2]) if part in _POSTGRESQL), None
        )
        return _told(known, place) if known else None
    if not connecting:
        return None
    return _told(next((found for part, found in _WORDS if part in words), _UNREACHABLE), place)


def _told(known: Said, place: str) -> NewsletterError:
    code, message, hint, ending = known
    where = Where(place) if Path(place).is_absolute() else None
    return NewsletterError(Problem(code, message.format(file=place), hint=hint, where=where), exit=ending)
