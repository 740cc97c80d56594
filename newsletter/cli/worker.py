"""`newsletter worker`: sends what is due, keeps schedules and tries again for days, until it is told to end."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, visible
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.worker import Event, Worker


@click.command()
@click.option("--once", is_flag=True, help="Send what is due now, then end; for cron.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for everything that happens.")
@click.pass_obj
def command(output: Output, once: bool, as_json: bool) -> int:
    """Send whatever is due: scheduled mailings, ones that were cut off, people to be tried again.

    It runs until Ctrl-C or SIGTERM, then finishes what is in flight. Several at once are harmless.

    \b
    newsletter worker           keep it running: docs/how-to/run-the-worker.md has a systemd unit
    newsletter worker --once    from cron, every five minutes
    """
    from newsletter.cli.sending_mailing import workspace
    from newsletter.cli.sending_run import heard_or_not

    config = workspace(output)
    from newsletter.sending import keys
    from newsletter.worker import Worker  # needs the database that `workspace` opened

    keys.keyring(config)
    worker = Worker(config, lambda event: heard_or_not(_tell, output, event, as_json))
    _until_told(worker)
    if once:
        return Exit.FINE if worker.once() else Exit.TRY_AGAIN
    if not as_json:
        output.say(f"Working for {config.site.name}. Ctrl-C ends it; what is in flight is finished first.")
    worker.run()
    return Exit.FINE


def _tell(output: Output, event: Event, as_json: bool) -> None:
    from django.utils import timezone

    at = timezone.localtime()
    if as_json:
        said = {"event": event.what, "at": at.isoformat(timespec="seconds"), "issue": event.issue, "words": event.words}
        click.echo(json.dumps({**said, **event.facts}, ensure_ascii=False))
    elif event.what == "trouble":
        output.failed(f"{at:%H:%M:%S} {visible(event.words)}")
    else:
        output.say(f"{at:%H:%M:%S} {visible(event.words)}")


def _until_told(worker: Worker) -> None:
    """Ctrl-C and SIGTERM end it after what is in flight; a second one at once, as a crash would."""

    def on_signal(number: int, frame: Any) -> None:
        if worker.ending.is_set():
            raise KeyboardInterrupt
        worker.ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
