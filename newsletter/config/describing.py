"""How a setting is written down: its default, its choices, the line that explains it; and where secrets come from."""

from __future__ import annotations

from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any

from newsletter.problems import Exit, NewsletterError, Problem, Where


def described(
    text: str, default: Any = "", choices: tuple[str, ...] = (), *, required: bool = False, secret: bool = False
) -> Any:
    """A field with its line for the reference; a `secret` is taken from the environment only and never shown."""
    meta = {"help": text, "choices": choices, "required": required, "secret": secret}
    return field(default=default, metadata=meta, repr=not secret)


def settings_in(kind: Any) -> list[Field[Any]]:
    """The fields of a section that are keys of the file; another field is worked out from the file."""
    return [item for item in fields(kind) if "help" in item.metadata]


def secret_of(password: str, password_file: str, section: str) -> str:
    """The password, from the environment or from its file; empty where there is none.

    Raises NewsletterError(no-password-file) when the file cannot be read.
    """
    if password or not password_file:
        return password
    try:
        return Path(password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        whose = {"relays": "relay", "hooks": "webhook"}.get(section, "mailbox")
        name = "secret_file" if section == "hooks" else "password_file"
        raise NewsletterError(
            Problem(
                "no-password-file",
                f"The {whose}'s password file {password_file} cannot be read: {reason}",
                hint=f"[{section}] {name} names a file that holds the password and nothing else.",
                where=Where(password_file),
            ),
            exit=Exit.CONFIG,
        ) from error
