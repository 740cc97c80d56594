"""One sender in a process of its own: `python -m tests.chaos.once '{"root": …}' PORT` goes on with the only mailing."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from newsletter import config as configuration
from newsletter.audience import database
from newsletter.config import Relay
from newsletter.problems import NewsletterError


def main(words: str, port: int) -> int:
    """0 = nobody waits, 1 = somebody does, 3 = a Problem, which is printed."""
    order = json.loads(words)
    config = configuration.load(Path(order["root"]), MappingProxyType(order["environment"]))
    try:
        database.ready(config)
        from newsletter.sending import mailings
        from newsletter.sending.drain import How, drain
        from newsletter.sending.models import Mailing
        from newsletter.sending.transports.connection import Connection

        mailing = Mailing.objects.get()
        mailings.start(mailing)
        relay = Relay(host="127.0.0.1", port=port)
        ended = drain(config, mailing, lambda: Connection(relay), connections=2, patience=timedelta(0))
    except NewsletterError as error:
        print(*(f"{problem.code}: {problem.message}" for problem in error.problems), sep="\n")
        return 3
    return 0 if ended.how is How.DONE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
