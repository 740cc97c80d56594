"""Who is at the desk: a colleague of [staff], by --as or NEWSLETTER_STAFF, or the only one there is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean
from newsletter.sending import logbook

VARIABLE = "NEWSLETTER_STAFF"


@dataclass(frozen=True)
class Colleague:
    """One of [staff]. `key` is what the log and the conversations hold."""

    key: str
    name: str
    address: str = ""
    teams: tuple[str, ...] = ()


def colleague(config: Config, key: str = "", environment: Mapping[str, str] = os.environ) -> Colleague:
    """Who does this. Raises NewsletterError: no-staff, unknown-staff, who-are-you."""
    wanted = key or environment.get(VARIABLE, "")
    if not config.staff:
        hint = 'Add yourself to newsletter.toml: [staff.jo] with name = "Jo Malik" and address = "jo@council.example".'
        raise _refused("no-staff", "Nobody is at the desk: there is no [staff] in newsletter.toml", hint, Exit.CONFIG)
    if wanted:
        return named(config, wanted)
    if len(config.staff) == 1:
        return named(config, next(iter(config.staff)))
    hint = f"Add --as NAME, or set {VARIABLE} once: {', '.join(config.staff)}."
    raise _refused("who-are-you", "Several colleagues work here; say which one you are", hint, Exit.USAGE)


def reader(config: Config, key: str = "", environment: Mapping[str, str] = os.environ) -> Colleague:
    """Who reads. Without any [staff] it is the account that runs the command, so that a first look needs no setting."""
    if not config.staff and not key and not environment.get(VARIABLE):
        name = logbook.user()
        return Colleague(name, name)
    return colleague(config, key, environment)


def named(config: Config, key: str) -> Colleague:
    """The colleague of this key. Raises NewsletterError(unknown-staff)."""
    found = config.staff.get(key)
    if found is None:
        hint = did_you_mean(key, config.staff) or f"They are: {', '.join(config.staff)}."
        raise _refused("unknown-staff", f"There is no colleague called {key!r}", hint, Exit.USAGE)
    return Colleague(key, found.name, found.address, found.teams)


def called(config: Config, key: str) -> str:
    """The name to show for a key of [staff] or [teams]; the key itself where the colleague has gone."""
    if key in config.staff:
        return config.staff[key].name
    return config.teams[key].title if key in config.teams else key


def _refused(code: str, message: str, hint: str, exit: Exit) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint), exit=exit)
