"""`newsletter web`: serve the public pages that a mail points to."""

from __future__ import annotations

import signal
from typing import Any

import click

from newsletter.cli.output import Output
from newsletter.problems import Exit, Problem, Severity

ADDRESSES = (  # docs/reference/web-addresses.md has all of them
    ("/subscribe", "sign up; /subscribe/form has the lines for another website"),
    ("/archive", "what was sent; /feed.xml is the same for feed readers"),
    ("/preview/…", "what `newsletter preview --link` shows before sending"),
    ("/c/…", "the link of a mail that somebody asked for: confirm, change of address, data, forget"),
    ("/p/…", "a person’s own page: which messages, pause, language, area"),
    ("/r/…", "reply on a page: one box, one button, files on the page after"),
    ("/u/…", "leave, with a button and an undo; also the mail services’ one-click"),
    ("/v/…", "view in browser: a person’s own copy, or the public one"),
    ("/i/…", "pictures and linked files"),
    ("/rate/…", "was this useful? with two answers"),
    ("/healthz", "says ok while the database answers"),
)


@click.command()
@click.option("--listen", metavar="HOST:PORT", default="", help="Serve here instead of [web] listen; port 0 = any.")
@click.option("--form", is_flag=True, help="Print the sign-up form for another website, and end.")
@click.pass_obj
def command(output: Output, listen: str, form: bool) -> int:
    """Serve the public pages: sign up, choose, reply, unsubscribe, view in browser, pictures. Ctrl-C ends it.

    \b
    newsletter web
    newsletter web --form > form.html          lines to paste into a page of your website
    newsletter web --listen 127.0.0.1:8001     another port
    """
    from newsletter.audience import database
    from newsletter.web.server import Server

    config = output.config()
    database.ready(config)
    if form:
        from newsletter.web.subscribe import embedded

        click.echo(embedded(), nl=False)
        return Exit.FINE
    server = Server(config, listen)
    output.done(f"Serving the public pages of {config.site.name} on {server.url}")
    output.facts(ADDRESSES)
    if config.base_url != server.url:
        output.say(f"  The mails point to {config.base_url}: that address must lead here.")
    output.problems(_nobody_mails())
    output.say("  Ctrl-C ends it.")
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.run(carrying=True)
    except KeyboardInterrupt:
        server.stop()
    output.say("\nStopped.")
    return Exit.FINE


def _nobody_mails() -> list[Problem]:
    """What people ask for on the pages goes out from here; everything else is the worker's."""
    from newsletter.sending import heartbeats

    if not (why := heartbeats.absent()):
        return []
    message = f"Answers and mailings wait until a worker runs ({why}); what is asked for on the pages is sent from here"
    hint = "Start newsletter worker beside this and keep it running: docs/how-to/run-the-worker.md"
    return [Problem("no-worker", message, hint, severity=Severity.WARNING)]


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt
