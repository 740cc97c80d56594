"""`newsletter replies serve`: take in mail by LMTP from the mail server of this computer, until told to end."""

from __future__ import annotations

import signal
import threading

import click

from newsletter.cli.output import Output
from newsletter.problems import Exit


@click.command()
@click.option("--listen", metavar="PLACE", default="", help="host:port or a path, instead of those in newsletter.toml.")
@click.pass_obj
def serve(output: Output, listen: str) -> int:
    """Take in answers by LMTP from the mail server of this computer. Ctrl-C ends it.

    `newsletter worker` does the same by itself where newsletter.toml has a [mailboxes.KEY] with kind = "lmtp".

    \b
    newsletter replies serve
    newsletter replies serve --listen 127.0.0.1:8024
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.config.inward import Mailbox
    from newsletter.replies.lmtp_server import Server

    configured = [mailbox.listen for mailbox in config.mailboxes.values() if mailbox.kind == "lmtp"]
    places = [listen] if listen else configured or [Mailbox().listen]
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    servers: list[Server] = []
    try:
        for place in places:
            servers.append(Server(config, place).start())
            output.done(f"Taking in mail by LMTP at {servers[-1].place}")
        output.say("  Ctrl-C ends it.")
        stopped.wait()
    finally:
        for server in servers:
            server.stop()
    output.say("\nStopped. What was not taken in stays with the mail server.")
    return Exit.FINE
