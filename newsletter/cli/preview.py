"""`newsletter preview`: the issue in the browser as its readers will see it, fresh after every save."""

from __future__ import annotations

import errno
import threading

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem


@click.command()
@click.argument("issue", required=False)
@click.option("--as", "address", metavar="EMAIL", default="", help="Begin with the copy of this person.")
@click.option("--lang", default="", metavar="CODE", help="Begin with this language, such as cy.")
@click.option("--port", type=click.IntRange(0, 65535), default=8010, show_default=True, help="0 = any free port.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--link", is_flag=True, help="Print an address for colleagues, served by newsletter web, that ends.")
@click.option("--for", "how_long", metavar="TIME", default="7d", show_default=True, help="How long --link lasts: 36h.")
@json_option
@click.pass_obj
def command(
    output: Output,
    issue: str | None,
    address: str,
    lang: str,
    port: int,
    no_browser: bool,
    link: bool,
    how_long: str,
    as_json: bool,
) -> int:
    """See an issue in the browser; it refreshes when you save.

    On a phone, on a desktop, in the dark, as plain text, with pictures blocked, as any recipient. Runs until Ctrl-C and
    answers to this computer only.

    \b
    newsletter preview 2026-11-24
    newsletter preview --as sam@example.org --no-browser
    newsletter preview --link --for 2d       the page as everybody will see it, for colleagues elsewhere
    """
    if link:
        from newsletter.cli.preview_link import print_link

        return print_link(output, issue, how_long, as_json)
    from newsletter.cli.preview_server import Preview, Server
    from newsletter.content import finding

    folder = finding.find(output.config(), issue, output.folder)
    preview = Preview(output.config, folder, address)
    begin = f"/?language={lang}" if (lang := finding.language(folder, lang)) else ""
    try:
        server = Server(port, preview)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        hint = "Another preview may be running; choose another with --port, or --port 0 for any."
        raise NewsletterError(Problem("port-taken", f"Port {port} is taken", hint=hint), exit=Exit.CONFIG) from error
    url = f"{server.url}{begin}"
    if as_json:
        print_json(url=url, issue=folder.name)
    else:
        output.say(f"{output.style(folder.name, bold=True)}  {output.style(url, fg='cyan')}   Ctrl-C to stop")
    if not no_browser:
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        output.say()
    finally:
        preview.stopped.set()
        server.server_close()
    return int(Exit.FINE)
