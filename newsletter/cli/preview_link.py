"""`newsletter preview --link`: an address that shows the page of an issue that nobody has got yet, until it ends."""

from __future__ import annotations

from newsletter.cli.output import Output, print_json
from newsletter.problems import Exit, Problem


def print_link(output: Output, issue: str | None, how_long: str, as_json: bool) -> int:
    """An approved issue is shown as it was frozen; any other as it is now, kept until the link ends."""
    from django.utils import timezone

    from newsletter.cli.sending_mailing import workspace
    from newsletter.content import finding, when

    config = workspace(output)
    from newsletter.sending import keys, mailings, previewing  # need the database that `workspace` opened

    until = timezone.now() + previewing.duration(how_long)
    folder = finding.find(config, issue, output.folder)
    mailing = mailings.find(folder.name)
    problems: tuple[Problem, ...] = ()
    if mailing is None:
        from newsletter.cli.send import blocked
        from newsletter.cli.sending_issue import prepare
        from newsletter.rendering.model import Mode
        from newsletter.sending.store import whole

        prepared = prepare(config, folder, Mode.WEB)
        if prepared.broken:
            return blocked(output, prepared, as_json)
        problems = prepared.problems
        with whole():
            previewing.keep_draft(folder.name, prepared.renders, until)
    address = previewing.link(config, keys.keyring(config), folder.name, until)
    if as_json:
        print_json(problems, issue=folder.name, url=address, until=until.isoformat())
        return Exit.FINE
    output.say(address)
    output.say(f"  Works until {when.said(until, config.site.time_zone)}, for everybody who has it.")
    if mailing is None:
        output.say("  It shows the issue as it is now; run this again after a change.")
    return Exit.FINE
