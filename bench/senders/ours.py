"""Our sender: drain() on a real workspace, ledger and all. `python -m bench.senders.ours ROOT PORT [--approve]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.senders import clock
from newsletter import config as configuration
from newsletter.audience import database

CONNECTIONS = 10


def main(root: Path, port: int, approve: bool, connections: int = CONNECTIONS) -> None:
    """Measured from drain() to its return; with `approve` from the approval on, the issue being rendered already."""
    config = configuration.load(root)
    database.ready(config)
    from bench.senders import prepare
    from newsletter.cli.sending_issue import public_copies
    from newsletter.config import Relay
    from newsletter.sending import mailings
    from newsletter.sending.drain import drain
    from newsletter.sending.models import Mailing
    from newsletter.sending.transports.connection import Connection

    # No pauses for the sake of mailbox providers, and no new connection after every 100 mails: smtp-source has neither.
    relay = Relay(host="127.0.0.1", port=port, providers=False, messages=0, connections=connections)
    if approve:
        found = prepare.prepared(config)
        public = public_copies(config, found)
    else:
        mailing = Mailing.objects.get()
        mailings.start(mailing)
    with clock.measured(0) as said:
        if approve:
            mailing = mailings.approve(config, found.renders, found.issue, public=public)
            mailings.start(mailing)
        ended = drain(config, mailing, lambda: Connection(relay), connections=connections)
        said["messages"] = ended.counts["accepted"]
        said["how"] = str(ended.how)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--approve", action="store_true")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args()
    main(given.root, given.port, given.approve, given.connections)
