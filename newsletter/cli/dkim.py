"""`newsletter dkim`: make the keys that seal our mail, and show what to put into the DNS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem, has_errors

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.mail.dkim_keys import Record


@click.group(cls=Group)
def command() -> None:
    """Make and show the keys that seal our mail (DKIM)."""


@command.command()
@click.option("--domain", metavar="DOMAIN", default="", help="Sign for this domain; default: the senders' domain.")
@click.option("--selector", metavar="NAME", default="", help="Name of the key in the DNS; default: year and month.")
@click.option("--ed25519", is_flag=True, help="Also an Ed25519 key, for a second signature beside the RSA one.")
@json_option
@click.pass_obj
def new(output: Output, domain: str, selector: str, ed25519: bool, as_json: bool) -> int:
    """Make a key in var/dkim/ and say what to put into the DNS. Never writes over a key.

    \b
    newsletter dkim new
    newsletter dkim new --ed25519 --selector n2027
    """
    from datetime import UTC, datetime

    from newsletter.mail import dkim_keys as keys
    from newsletter.mail.dkim import ED25519, RSA

    config = output.config()
    domain = _domain(config, domain)
    selector = selector.lower() or f"n{datetime.now(UTC):%Y%m}"
    if len(selector) > 62 or not keys.SELECTOR.fullmatch(selector):
        raise click.BadParameter("letters, digits and - only, such as n202611", param_hint="--selector")
    wanted = [(selector, RSA), *([(f"{selector}e", ED25519)] if ed25519 else [])]
    places = [(_folder(config) / domain / f"{name}.pem", name, algorithm) for name, algorithm in wanted]
    for path, _, _ in places:  # all or none
        if path.exists():
            raise keys.exists(path)
    made = [(path, keys.record(keys.create(path, algorithm), name, domain)) for path, name, algorithm in places]
    lines = _settings(config, domain, places)
    if as_json:
        print_json(keys=[_shown(path, record) for path, record in made], settings=lines)
        return Exit.FINE
    for path, record in made:
        output.done(f"Made {_short(config, path)}; only you can read it. Keep a copy in your backup.")
        _say(output, record)
    output.say(
        "\nWhen the DNS shows it (minutes to a day), put this into newsletter.toml in place of any older [dkim]:\n"
    )
    output.say("\n".join(f"  {line}" for line in lines))
    output.say()
    output.next("newsletter doctor", "says whether the record is published and whether the settings fit")
    return Exit.FINE


@command.command()
@json_option
@click.pass_obj
def show(output: Output, as_json: bool) -> int:
    """The DNS record of each key that is here, and which of them sign now."""
    from newsletter.mail import dkim_keys as keys

    config = output.config()
    found: list[tuple[Path, Record, bool]] = []
    problems: list[Problem] = []
    for path, name, domain, used in _present(config):
        try:
            found.append((path, keys.record(keys.load(path, keys.kind(path)), name, domain), used))
        except NewsletterError as error:
            problems += error.problems
    if as_json:
        print_json(problems, keys=[_shown(path, record) | {"signs": used} for path, record, used in found])
    else:
        for path, record, used in found:
            output.say(f"{_short(config, path)}   {'signs now' if used else 'not in newsletter.toml: does not sign'}")
            _say(output, record)
        if not found and not problems:
            output.say("There is no DKIM key here: the mail server signs, or nobody does.")
            output.next("newsletter dkim new", "makes one; docs/how-to/sign-with-dkim.md says when")
        output.problems(problems)
    return Exit.PROBLEMS if has_errors(problems) else Exit.FINE


def _say(output: Output, record: Record) -> None:
    """The record, ready to be copied: never folded."""
    output.facts([("Type", "TXT"), ("Name", record.name), ("Value", f"{len(record.value)} letters:")])
    if not output.quiet:
        click.echo(record.value)
        click.echo(f"  For a zone file, in pieces of at most 255 letters:\n{record.zone}")


def _shown(path: Path, record: Record) -> dict[str, Any]:
    return {
        "file": str(path),
        "name": record.name,
        "type": "TXT",
        "value": record.value,
        "strings": record.strings,
        "zone": record.zone,
    }


def _folder(config: Config) -> Path:
    return config.var / "dkim"


def _short(config: Config, path: Path) -> str:
    return str(path.relative_to(config.root)) if path.is_relative_to(config.root) else str(path)


def _settings(config: Config, domain: str, places: list[tuple[Path, str, str]]) -> list[str]:
    lines = ["[dkim]", f'domain = "{domain}"']
    for (path, name, _), prefix in zip(places, ("", "ed25519_"), strict=False):
        lines += [f'{prefix}selector = "{name}"', f'{prefix}key_file = "{_short(config, path)}"']
    return lines


def _present(config: Config) -> list[tuple[Path, str, str, bool]]:
    """(file, selector, domain, signs now) of the keys that the settings name, then of the others in var/dkim/."""
    dkim = config.dkim
    named = [(dkim.key_file, dkim.selector), (dkim.ed25519_key_file, dkim.ed25519_selector)]
    found = [(Path(file), selector, dkim.domain, True) for file, selector in named if file]
    known = {path.resolve() for path, *_ in found}
    others = sorted(path for path in _folder(config).glob("*/*.pem") if not path.name.startswith("."))
    return found + [(path, path.stem, path.parent.name, False) for path in others if path.resolve() not in known]


def _domain(config: Config, given: str) -> str:
    """The domain to sign for: the one that was asked for, that of [dkim], or the one all senders share."""
    from newsletter.config.checking import DOMAIN

    if given:
        if not given.isascii() or not DOMAIN.fullmatch(given):
            raise click.BadParameter(
                "a domain such as example.org (xn-- where it has other letters)", param_hint="--domain"
            )
        return given.lower()
    if config.dkim.domain:
        return config.dkim.domain
    domains = sorted({sender.address.rpartition("@")[2].lower() for sender in config.senders.values()})
    if len(domains) == 1 and domains[0].isascii():
        return domains[0]
    message = f"The senders have {len(domains)} domains: {', '.join(domains)}" if domains else "There is no sender yet"
    hint = "Say which domain to sign for: newsletter dkim new --domain example.org"
    raise NewsletterError(Problem("dkim-which-domain", message, hint), exit=Exit.USAGE)
