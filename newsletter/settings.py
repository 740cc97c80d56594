"""Config → Django settings: the only module that knows both."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

APPS = ["newsletter.audience", "newsletter.sending", "newsletter.replies", "newsletter.web"]
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
    raise NewsletterError(
        Problem(
            "bad-database-url",
            f"[database] url cannot be {config.database.url!r}",
            hint="Write sqlite:///var/newsletter.db. PostgreSQL comes with the sending worker.",
        ),
        exit=Exit.CONFIG,
    )


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
    connections.databases["default"].update(database(config))
    settings.NEWSLETTER = config
    settings.TIME_ZONE = config.site.time_zone
    timezone.get_default_timezone.cache_clear()  # type: ignore[attr-defined]
