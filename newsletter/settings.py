"""Config → Django settings: the only module that knows both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

APPS = ["newsletter.audience", "newsletter.sending", "newsletter.replies", "newsletter.web"]
CONNECT_WAIT = 10  # seconds for PostgreSQL to answer at all
PASSED_ON = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs")  # to libpq
LOCK_WAIT = 20.0  # seconds for another writer; imports and sending hold the lock for a tenth of one at a time


def database(config: Config) -> dict[str, Any]:
    """The DATABASES entry of `[database] url`: sqlite:///path (relative to the workspace) or postgresql://…"""
    url = urlsplit(config.database.url)
    if url.scheme == "sqlite":
        name = unquote(url.path).removeprefix("/")
        path = Path("/" + name.lstrip("/")) if name.startswith("/") else config.root / name
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(path),
            "OPTIONS": {
                # IMMEDIATE takes the write lock at BEGIN: no transaction fails half-way with "locked".
                "transaction_mode": "IMMEDIATE",
                "timeout": LOCK_WAIT,
                # NORMAL in WAL survives kill -9; FULL would also survive power loss, at 0.7 of the rate.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
            },
        }
    if url.scheme in ("postgresql", "postgres"):
        return _postgresql(config)
    raise _bad_url(config, "Write sqlite:///var/newsletter.db or postgresql://user@host:5432/name.")


def has_database(config: Config) -> bool:
    """False when the file was never made; looking must not make one. A server is asked when it is needed."""
    entry = database(config)
    return not entry["ENGINE"].endswith("sqlite3") or Path(entry["NAME"]).is_file()


def _postgresql(config: Config) -> dict[str, Any]:
    try:
        url = urlsplit(config.database.url)
        options = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        host, port = url.hostname or "", url.port
    except ValueError as error:
        hint = "Write letters such as / @ : # in a name or password as %2F %40 %3A %23."
        raise _bad_url(config, hint) from error
    name = unquote(url.path.removeprefix("/"))
    if not name or "/" in name or url.fragment:
        raise _bad_url(config, "The name of the database follows the host: postgresql://user@host:5432/name.")
    if unknown := sorted(options.keys() - {"host", *PASSED_ON}):
        hint = f"After the ? may stand: host, {', '.join(PASSED_ON)}."
        raise _bad_url(config, hint, f": there is no {unknown[0]}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(url.username or ""),
        "PASSWORD": config.database.password or unquote(url.password or ""),
        "HOST": options.pop("host", "") or unquote(host),
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,  # seconds; a new connection takes 3 ms and a page of ours 2
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": CONNECT_WAIT,
            "application_name": "newsletter",  # what pg_stat_activity calls us
            # Django turns prepared statements off, also for who asks for one (quickly, store.Run.prepared).
            "prepare_threshold": sys.maxsize,
            # A statement that waits for another program gives up as on SQLite. Compiling a query to machine code
            # takes longer (100 ms) than any of ours.
            "options": f"-c lock_timeout={int(LOCK_WAIT * 1000)} -c jit=off",
            **options,
        },
    }


def _bad_url(config: Config, hint: str, more: str = "") -> NewsletterError:
    message = f"[database] url cannot be {config.database.shown!r}{more}"
    where = config.where("database.url")
    return NewsletterError(Problem("bad-database-url", message, hint=hint, where=where), exit=Exit.CONFIG)


def values(config: Config, secret: str) -> dict[str, Any]:
    """Every Django setting this product uses."""
    return {
        "DEBUG": False,
        "SECRET_KEY": secret,
        "ALLOWED_HOSTS": ["*"],  # the public pages hold no session and no link built from the Host header
        "INSTALLED_APPS": APPS,
        "DATABASES": {"default": database(config)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": config.site.time_zone,
        "ROOT_URLCONF": "newsletter.web.urls",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.jinja2.Jinja2",
                "DIRS": [str(Path(__file__).parent / "web" / "pages")],
                "OPTIONS": {"environment": "newsletter.web.jinja.environment"},
            }
        ],
        "MIDDLEWARE": ["django.middleware.security.SecurityMiddleware", "newsletter.web.middleware.headers"],
        "NEWSLETTER": config,
        "LOGGING_CONFIG": None,
    }


def setup(config: Config, secret: str = "unused until staff log in") -> None:  # noqa: S107
    """Configure Django for this workspace; called again for another workspace, turn to that one.

    Django is configured once per process; the second call changes what depends on the workspace and closes this
    thread's connection to the database that was open.
    """
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(**values(config, secret))
        django.setup()
    elif config != settings.NEWSLETTER:  # type: ignore[misc]
        _turn_to(config)


def current() -> Config:
    """The configuration of the workspace that Django is set up for."""
    from django.conf import settings

    config: Config = settings.NEWSLETTER  # type: ignore[misc]
    return config


def _turn_to(config: Config) -> None:
    from django.conf import settings
    from django.db import connections
    from django.utils import timezone

    connections.close_all()
    entry = connections.databases["default"]
    before = entry["ENGINE"]
    fresh = connections.configure_settings({"default": database(config)})["default"]
    entry.clear()
    entry.update(fresh)
    if entry["ENGINE"] != before:
        del connections["default"]  # this thread's: it speaks to the other kind of database
    settings.NEWSLETTER = config
    settings.TIME_ZONE = config.site.time_zone
    timezone.get_default_timezone.cache_clear()  # type: ignore[attr-defined]
