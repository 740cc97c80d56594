"""`newsletter web`: serve the public pages that a mail points to."""

from __future__ import annotations

import signal
from typing import Any

import click

from newsletter.cli.output import Output
from newsletter.problems import Exit


@click.command()
@click.option("--listen", metavar="HOST:PORT", default="", help="Serve here instead of [web] listen; port 0 = any.")
@click.pass_obj
def command(output: Output, listen: str) -> int:
    """Serve the public pages: unsubscribe, view in browser, pictures. Ctrl-C ends it.

    \b
    newsletter web
    newsletter web --listen 0.0.0.0:8000     behind a web server that speaks https
    """
    from newsletter.audience import database
    from newsletter.web import server

    config = output.config()
    database.ready(config)
    serving = server.make(config, listen)
    here = f"http://{serving.effective_host}:{serving.effective_port}"
    output.done(f"Serving the public pages of {config.site.name} on {here}")
    output.facts(
        [
            ("/u/…", "leave, with a button and an undo; also the mail services’ one-click"),
            ("/v/…", "view in browser: a person’s own copy, or the public one"),
            ("/i/…", "pictures and linked files"),
            ("/healthz", "ok, when the database answers"),
        ]
    )
    if config.base_url != here:
        output.say(f"  The mails point to {config.base_url}; that address must lead here.")
    output.say("  Ctrl-C ends it.")
    signal.signal(signal.SIGTERM, _stop)
    try:
        serving.run()  # waitress lets requests finish when Ctrl-C comes
    finally:
        serving.close()
    output.say("\nStopped.")
    return Exit.FINE


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt
