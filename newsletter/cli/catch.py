"""`newsletter catch`: take mail here instead of sending it, and read it in the browser."""

from __future__ import annotations

import errno
import signal
import threading
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.cli.catch_page import Page
    from newsletter.config import Config


@click.command()
@click.option("--smtp", metavar="HOST:PORT", default="", help="Take mail here instead of [catch] smtp; port 0 = any.")
@click.option("--web", metavar="HOST:PORT", default="", help="Show it here instead of [catch] web; port 0 = any.")
@click.pass_obj
def command(output: Output, smtp: str, web: str) -> int:
    """Catch mail on this computer and read it in the browser. Ctrl-C ends it.

    Nothing leaves this computer. Answers that you send to a reply address of this newsletter are taken in, so that
    `newsletter replies list` shows them.

    \b
    newsletter catch
    newsletter -C staffordshire catch
    newsletter catch --web 127.0.0.1:9000      another port for the page
    """
    from newsletter.audience import database
    from newsletter.sending.transports.catcher import Catcher

    config = output.config()
    database.ready(config)
    host, port = _place(smtp or config.catch.smtp, "smtp")
    with Catcher(config.var / "mail", host, port, Answers(config)) as catcher:
        page = _page(config, web or config.catch.web)
        output.done(f"Catching mail at {host}:{catcher.port}")
        output.say(f"  Read it at {page.url}")
        output.say(f"  Files: {config.var / 'mail'}")
        output.say("  Ctrl-C ends it.")
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        page.start()
        stopped.wait()
        page.stop()
    output.say("\nStopped. The mail stays where it is.")
    return Exit.FINE


class Answers:
    """What the catcher calls for each mail: what is for us goes through the door for replies."""

    def __init__(self, config: Config) -> None:
        self._domains = {config.mail.reply_domain.lower(), config.mail.bounce_domain.lower()}

    def __call__(self, raw: bytes, sender: str, recipients: list[str]) -> None:
        from newsletter.mail.addresses import unwrapped

        ours = [one for one in recipients if unwrapped(one).rpartition("@")[2].lower() in self._domains]
        if not ours:
            return
        from newsletter.replies import intake

        for recipient in ours:
            intake.accept(raw, recipient, sender, channel="catcher")


def _page(config: Config, place: str) -> Page:
    from newsletter.cli.catch_page import Page
    from newsletter.sending.transports.catcher import only_here

    host, port = _place(place, "web")
    only_here(host)
    try:
        return Page(config.var / "mail", host, port, config.site.time_zone)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        message = f"Another program is using port {port}" if taken else f"Cannot listen on {place}: {error.strerror}"
        hint = f"Stop it, or choose another port: newsletter catch --web {host}:{port + 1 if port < 65535 else 8025}"
        raise NewsletterError(Problem("port-taken", message, hint=hint), exit=Exit.TRY_AGAIN) from None


def _place(text: str, key: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        hint = f'Write host and port, as in {key} = "127.0.0.1:1025".'
        raise NewsletterError(Problem("bad-value", f"Not a place to listen: {text!r}", hint=hint), exit=Exit.USAGE)
    return host.strip("[]"), int(port)
