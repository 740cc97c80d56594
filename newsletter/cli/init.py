"""Makes a new newsletter folder: five questions, then a settings file that explains itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.config.examples import ORGANISATION, POSTAL_ADDRESS, SENDER
from newsletter.problems import Exit, NewsletterError, Problem, Where

FOLDERS = ("issues", "recipients", "templates", "var")
IGNORED = ("/var/", "/build/")
TLS_OF_PORT = {465: "implicit", 587: "starttls"}


def one_line(text: str) -> str:
    """An answer as it may stand in the file: one printable line, or ValueError with words for the person."""
    if not text.strip() or not text.isprintable():
        raise ValueError("Please write it on one line.")
    return text.strip()


def address(text: str) -> str:
    """An e-mail address, or ValueError."""
    from newsletter.mail.addresses import parse

    return parse(text.strip()).typed


def web_address(text: str) -> str:
    """Empty, or http(s)://host; `news.example.org` gets its https:// added."""
    text = text.strip().rstrip("/")
    if text and "://" not in text:
        text = f"https://{text}"
    if text and not re.fullmatch(r"https?://[^\s/?#\"\\]+(/[^\s?#\"\\]*)?", text):
        raise ValueError("Write it like https://news.example.org, or leave it empty.")
    return text


def relay(text: str) -> str:
    """Empty, or host:port (587 where no port is given)."""
    text = text.strip()
    if text and not re.fullmatch(r"[\w.-]+(:\d{1,5})?|\[[0-9a-fA-F:]+\]:\d{1,5}", text):
        raise ValueError("Write it like smtp.example.org:587, or leave it empty.")
    return text if not text or ":" in text else f"{text}:587"


def domain(text: str) -> str:
    """A mail domain, or ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*", text):
        raise ValueError("Write only the part after the @, like reply.example.org.")
    return text.lower()


# option → (question, check); the defaults of the later ones follow from the earlier answers
QUESTIONS: dict[str, tuple[str, Any]] = {
    "organisation": ("1. What is your organisation called?", one_line),
    "sender": ("2. Which e-mail address do the mails come from?", address),
    "public_address": (
        "3. At which web address can people read your mails and leave the list?\n"
        "   For example https://news.example.org; leave it empty if there is none yet.",
        web_address,
    ),
    "relay": (
        "4. Which mail server sends for you?\n"
        "   Such as smtp.example.org:587; leave it empty to keep mail on this computer.",
        relay,
    ),
    "replies": ("5. What stands after the @ of the addresses that answers come to?", domain),
}


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--defaults", is_flag=True, help="Ask nothing; change newsletter.toml later.")
@click.option("--organisation", help="Answer 1: the organisation's name.")
@click.option("--sender", help="Answer 2: the address in From.")
@click.option("--public-address", help="Answer 3: https://… of the public pages.")
@click.option("--relay", help="Answer 4: host:port of your mail server.")
@click.option("--replies", help="Answer 5: the domain of the reply addresses.")
@json_option
@click.pass_obj
def command(output: Output, /, folder: Path, defaults: bool, as_json: bool, **given: str | None) -> int:
    """Make a new newsletter in DIR (default: here). Never writes over a file that is there.

    \b
    Example:
      newsletter init our-news
      newsletter init our-news --defaults
    """
    root = (output.folder / folder).resolve()
    _refuse_to_overwrite(root)
    answers = _answers(output, given, ask=not defaults and not as_json)
    try:
        made = make(root, answers)
    except OSError as error:
        message = f"Cannot make a newsletter in {root}: {error.strerror or error}"
        hint = "Name a folder that you may write to, such as one in your home."
        raise NewsletterError(Problem("cannot-write", message, hint, Where(str(root))), exit=Exit.CONFIG) from error
    if as_json:
        print_json(workspace=str(root), made=made, answers=answers)
        return Exit.FINE
    output.done(f"Made {root}: {', '.join(made)}")
    output.say("  newsletter.toml explains itself; open it once and put your postal address in.")
    output.say("  var/secret.key signs every reply and unsubscribe address: keep it secret, and in your backup.")
    if answers["relay"] and not answers["public_address"].startswith("https://"):
        output.say("  Mail stays on this computer until [site] url is an https address.")
    go = "" if root == Path.cwd() else f"cd {folder if str(output.folder) == '.' else root} && "
    output.next(f'{go}newsletter new "Our first news"', "or `newsletter doctor` to check this computer")
    return Exit.FINE


def _refuse_to_overwrite(root: Path) -> None:
    for name in ("newsletter.toml", "var/secret.key"):
        if (root / name).exists():
            hint = "Change newsletter.toml by hand, or name another folder."
            problem = Problem("already-there", f"There is a newsletter here already: {name}", hint, Where(str(root)))
            raise NewsletterError(problem, exit=Exit.REFUSED)


def _answers(output: Output, given: dict[str, str | None], *, ask: bool) -> dict[str, str]:
    """Every answer, checked: from its option, else asked (until it is right), else the default."""
    answers: dict[str, str] = {}
    usual = {"organisation": ORGANISATION, "sender": SENDER, "public_address": "", "relay": ""}
    for name, (question, check) in QUESTIONS.items():
        if name == "replies":
            usual[name] = "reply." + answers["sender"].rpartition("@")[2].encode("idna").decode()
        option, text = f"--{name.replace('_', '-')}", given[name]
        if text is None and ask:
            try:
                answers[name] = _asked(output, question, usual[name], check)
            except click.Abort as error:
                if not isinstance(error.__context__, EOFError):
                    raise
                raise _nobody_answers() from error
            continue
        try:
            answers[name] = check(usual[name] if text is None else text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from error
    return answers


def _nobody_answers() -> NewsletterError:
    options = ", ".join(f"--{name.replace('_', '-')}" for name in QUESTIONS)
    hint = f"newsletter init --defaults asks nothing. Answers can be given, too: {options}."
    message = "init asks five questions, and nobody is here to answer them"
    return NewsletterError(Problem("no-answer", message, hint), exit=Exit.REFUSED)


def _asked(output: Output, question: str, default: str, check: Any) -> str:
    while True:
        lines = question if not default else f"{question} [{default}]"
        text = click.prompt(output.folded(lines, 3), default=default, show_default=False, prompt_suffix=" ")
        try:
            return str(check(text))
        except ValueError as error:
            output.failed(str(error))


def make(root: Path, answers: dict[str, str]) -> list[str]:
    """Write the workspace and return what was made; the key comes first and newsletter.toml last, so that a
    folder with a newsletter.toml is always complete."""
    from newsletter.files import write_atomically
    from newsletter.mail.tokens import Keyring

    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var").chmod(0o700)  # people's addresses will lie here
    Keyring.create(root / "var" / "secret.key")
    ignore = root / ".gitignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    write_atomically(ignore, "\n".join(dict.fromkeys([*lines, *IGNORED])) + "\n")
    write_atomically(root / "newsletter.toml", settings(answers))
    return ["newsletter.toml", ".gitignore", "var/secret.key", "issues/", "recipients/", "templates/"]


def settings(answers: dict[str, str]) -> str:
    """The text of newsletter.toml for these answers."""
    from string import Template

    host, _, port = answers["relay"].rpartition(":")
    ready = host and answers["public_address"].startswith("https://")
    url = f"url = {_quoted(answers['public_address'])}"
    words = {
        "organisation": _quoted(answers["organisation"]),
        "postal_address": _quoted(POSTAL_ADDRESS),
        "sender": _quoted(answers["sender"]),
        "why": _quoted(f"You get this because you asked for news from {answers['organisation']}."),
        "url": url if answers["public_address"] else '# url = "https://news.example.org"',
        "transport": _quoted("smtp" if ready else "catcher"),
        "replies": _quoted(answers["replies"]),
        "relay": _relay_section(host or "smtp.example.org", int(port or 587), in_use=bool(host)),
    }
    template = Path(__file__).with_name("init_newsletter.toml.txt").read_text(encoding="utf-8")
    return Template(template).substitute(words)


def _relay_section(host: str, port: int, *, in_use: bool) -> str:
    lines = [
        "[relays.main]",
        f"host = {_quoted(host.strip('[]'))}",
        f"port = {port}",
        f'tls = "{TLS_OF_PORT.get(port, "none")}"                       # none, starttls (587) or implicit (465)',
        '# user = "news"                        # where the server asks for a login',
        '# password_file = "var/relay-password"   # a file with the password and nothing else',
    ]
    return "\n".join(lines if in_use else [line if line.startswith("#") else f"# {line}" for line in lines])


def _quoted(text: str) -> str:
    """Text as a TOML string: JSON's escapes are TOML's (only printable text gets here)."""
    return json.dumps(text, ensure_ascii=False)
