"""The command. Each subcommand lives in its own module and is imported only when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import sys
from pathlib import Path

import click

from newsletter import __version__
from newsletter.cli.helping import Help
from newsletter.cli.output import Output, asked, report_bug, report_error
from newsletter.problems import Exit, NewsletterError, Problem

# What a machine can refuse anywhere, and a person can put right; every other OSError that gets here is our bug.
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO)
MACHINE = (*REFUSED, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)  # the last three: a path that cannot be
_NOBODY = Problem(
    "no-answer",
    "This needs an answer, and nobody is here to give one",
    hint="Run it in a terminal, or say the answer with an option; `--help` lists them.",
)

# name → (module, group heading, one line for --help). The lines stand here so that --help imports no module.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("init", "Start", "Make a new newsletter folder (five questions, or --defaults)."),
    "demo": ("demo", "Start", "Try it: made-up people, the example issue, the built-in catcher."),
    "doctor": (
        "doctor",
        "Start",
        "Check this machine and the mail settings, and say how to fix each problem.",
    ),
    "config": ("config", "Start", "Show every setting and where it came from."),
    "explain": ("explain", "Start", "Explain a problem code, such as unknown-block."),
    "new": ("new", "Write", "Start a new issue from a theme or the last issue."),
    "list": ("list", "Write", "List the issues and how far each one is."),
    "preview": ("preview", "Write", "See an issue in the browser; it refreshes when you save."),
    "check": ("check", "Write", "Check an issue; exit 1 when something must be fixed."),
    "render": ("render", "Write", "Write the HTML, the plain text and the .eml."),
    "recipients": ("recipients", "People", "Import, list, count, show and export people."),
    "test": ("test", "Send", "Send one test copy to yourself."),
    "approve": ("approve", "Send", "Say yes to an issue that a colleague will send."),
    "send": ("send", "Send", "Send an issue; says how many people first, and asks."),
    "status": ("status", "Send", "Show how a mailing is going."),
    "report": ("report", "Send", "Say what became of a mailing: delivered, failed and why, by provider."),
    "pause": ("pause", "Send", "Pause a mailing; nobody is missed or sent twice."),
    "resume": ("resume", "Send", "Carry on with a paused mailing."),
    "stop": ("stop", "Send", "Stop a mailing for good; the rest is cancelled."),
    "settle": ("settle", "Send", "Settle who is uncertain: by the mail server's log, or by a decision."),
    "recover": ("recover", "Send", "After a restored backup: find out who got mail, then go on."),
    "correct": ("correct", "Send", "Start a correction, for exactly those who got the first message."),
    "archive": ("archive", "Send", "Put a note above a message in the public archive, or withdraw it."),
    "replies": ("replies", "Answers", "Receive, list and show what people answered."),
    "worker": ("worker", "Run", "Send what is due: schedules, people to be tried again, what was cut off."),
    "catch": ("catch", "Run", "Run the mail catcher: read mail here instead of sending it."),
    "dkim": ("dkim", "Run", "Make and show the keys that seal our mail (DKIM)."),
    "web": ("web", "Run", "Serve the public pages: reply, unsubscribe, view in browser, pictures."),
}
GROUPS = ("Start", "Write", "People", "Send", "Answers", "Run")


click.Context.formatter_class = Help  # of every command below ours, whichever module it lives in


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, never for --help (89 ms against 720 ms)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`newsletter status -C demo` means `newsletter -C demo status`: nobody should have to know the order."""
        return super().parse_args(ctx, hoisted(args))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]  # `list` is a command here, and its module takes the name once it is imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            raise click.exceptions.NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        module = importlib.import_module(f"newsletter.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in GROUPS:
            with formatter.section(group):
                formatter.write_dl([(name, line) for name, (_, where, line) in COMMANDS.items() if where == group])


def hoisted(args: list[str]) -> list[str]:
    """The words with -C DIR, --plain, --quiet and --debug moved to the front; what follows `--` is left alone."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word in ("--plain", "--debug", "--quiet", "-q"):
            front.append(word)
        elif word == "-C":
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return [*front, *rest]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Work in DIR instead of here.",
    metavar="DIR",
)
@click.option("--plain", is_flag=True, help="No colours, bars or boxes (also where output is not a terminal).")
@click.option("-q", "--quiet", is_flag=True, help="Say only what must be said.")
@click.option("--debug", is_flag=True, help="Show the traceback of a bug.")
@click.version_option(__version__, "-V", "--version", package_name="newsletter-desk", prog_name="newsletter")
@click.pass_context
def group(ctx: click.Context, folder: Path, plain: bool, quiet: bool, debug: bool) -> None:
    """Write a newsletter as files, send it with an exact ledger, and hear the people who answer.

    First time here? `newsletter demo` shows the whole story on made-up people; nothing leaves this computer.
    """
    ctx.obj = Output(folder=folder, plain=plain, quiet=quiet, debug=debug)


def main() -> None:
    """Run the command and turn every ending into its exit code; never shows a person a traceback.

    At the end of a mail server's pipe every ending that is not about the message itself is 75: the server keeps it.
    """
    if not _for_a_mail_server():
        _main()
        return
    code: object = Exit.TRY_AGAIN
    try:
        _main()
    except SystemExit as ending:
        code = ending.code
    except BaseException as error:  # a report that cannot be written because the disk is full, Ctrl-C, --debug
        with contextlib.suppress(Exception):
            click.echo(f"Not kept ({type(error).__name__}): {error}", err=True)
    # 1 and 2 say of the message itself that it is too big, or that there was none.
    sys.exit(int(code) if code in (Exit.FINE, Exit.PROBLEMS, Exit.USAGE) else Exit.TRY_AGAIN)  # type: ignore[call-overload]


def _for_a_mail_server() -> bool:
    words = iter(sys.argv[1:])
    return "replies" in words and "receive" in words


def _main() -> None:
    if sys.platform == "win32":
        sys.exit("newsletter runs on Linux and macOS, and on Windows inside WSL: https://aka.ms/wsl")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without ✓ shows ?, and lives
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:  # `newsletter list | head -1`: the reader has all it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.TRY_AGAIN if _for_a_mail_server() else Exit.FINE  # nobody knows how far it came
    sys.exit(int(code))


def _run() -> int:
    try:
        result = group.main(prog_name="newsletter", standalone_mode=False)
        return result if isinstance(result, int) else Exit.FINE
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.exceptions.NoArgsIsHelpError as error:  # `newsletter recipients` alone: what there is
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
        return Exit.USAGE
    except click.ClickException as error:
        return _usage(error)
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__cause__ or error.__context__, EOFError):
            return _end(NewsletterError(_NOBODY, exit=Exit.REFUSED))
        click.echo("\nInterrupted.", err=True)
        return Exit.INTERRUPTED
    except NewsletterError as error:
        return _end(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        if asked("--debug") or error.errno not in MACHINE:
            return _bug(error)
        place = f": {error.filename}" if error.filename else ""
        hint = "Check the space on the disk and who may read and write there, then run the command again."
        problem = Problem("machine-refused", f"This computer refused: {error.strerror}{place}", hint=hint)
        return _end(NewsletterError(problem, exit=Exit.CONFIG))
    except Exception as error:
        return _database_trouble(error) or _bug(error)


def _end(error: NewsletterError) -> int:
    report_error(error)
    return error.exit


def _database_trouble(error: Exception) -> int:
    """A full disk or a lock can meet any query; 0 when the error is something else."""
    if "django.db" not in sys.modules:
        return 0
    from django.conf import settings

    from newsletter.audience.database import explained

    plain = explained(error) if settings.configured else None  # else a module was imported too early: a bug of ours
    return _end(plain) if plain else 0


def _bug(error: Exception) -> int:
    if asked("--debug"):
        raise error
    report_bug(error)
    return Exit.BUG


def _usage(error: click.ClickException) -> int:
    """A command that was typed wrong, said like every other problem."""
    parts = error.format_message().partition(" Did you mean ")
    near = f"Did you mean {parts[2]} " if parts[1] else ""
    words = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "newsletter"
    hint = f"{near}`{words} --help` shows how it is used."
    how = Exit.TRY_AGAIN if _for_a_mail_server() else Exit.USAGE
    message = re.sub(r"is not a valid integer( range)?", "is not a whole number", parts[0].rstrip("."))
    return _end(NewsletterError(Problem("wrong-usage", message, hint), exit=how))
