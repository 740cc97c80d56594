"""Our sender, as `newsletter send` starts it: a real workspace, its ledger, its relay. `… ROOT PORT [--approve]`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.senders import clock
from newsletter import config as configuration
from newsletter.audience import database
from newsletter.config import Config
from newsletter.sending.progress import Progress

CONNECTIONS = 10
# No pauses for the sake of mailbox providers, and no new connection after every 100 mails: smtp-source has neither.
RELAY = """
[relays.main]
host = "127.0.0.1"
port = {port}
connections = {connections}
providers = false
messages = 0
"""


def relayed(root: Path, port: int, connections: int) -> Config:
    """The workspace's configuration, its mail going to the sink. Written down, for every process of ours to read."""
    file = root / "newsletter.toml"
    toml = file.read_text(encoding="utf-8")
    if "\n[relays.main]\n" not in toml:
        toml = toml.replace('transport = "catcher"', 'transport = "smtp"') + RELAY.format(
            port=port, connections=connections
        )
        file.write_text(toml, encoding="utf-8")
    return configuration.load(root)


class Steady:
    """The rate in the middle of a run, when every helper has started (a second of its own) and none has ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []  # seconds, mails accepted by then; a point whenever that changes

    def __call__(self, progress: Progress) -> None:
        accepted = progress.counts["accepted"]
        if not self.seen or accepted != self.seen[-1][1]:
            self.seen.append((time.perf_counter(), accepted))

    def rate(self, people: int) -> float:
        middle = [point for point in self.seen if 0.4 * people <= point[1] <= 0.9 * people]
        if len(middle) < 2:
            return 0.0
        (began, before), (ended, after) = middle[0], middle[-1]
        return (after - before) / (ended - began)


def main(root: Path, port: int, approve: bool, connections: int = CONNECTIONS) -> None:
    """Measured from drain() to its return; with `approve` from the approval on, the issue being rendered already."""
    config = relayed(root, port, connections)
    database.ready(config)
    from bench.senders import prepare
    from newsletter.cli.sending_issue import public_copies
    from newsletter.sending import carrier, mailings
    from newsletter.sending.drain import drain
    from newsletter.sending.models import Mailing

    if approve:
        found = prepare.prepared(config)
        public = public_copies(config, found)
    else:
        mailing = Mailing.objects.get()
        mailings.start(mailing)
    steady = Steady()
    with clock.measured(0) as said:
        if approve:
            mailing = mailings.approve(config, found.renders, found.issue, public=public)
            mailings.start(mailing)
        with carrier.opened(config) as way:
            assert way.leaves  # into the sink, not into our own catcher
            ended = drain(config, mailing, way.factory, steady, connections=way.connections, ways=way.ways)
        said["messages"] = ended.counts["accepted"]
        said["steady"] = steady.rate(said["messages"])
        said["how"] = str(ended.how)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--approve", action="store_true")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args()
    main(given.root, given.port, given.approve, given.connections)
