"""An LMTP server that kills itself at one moment. Run as `python -m tests.replies.lmtp_victim ROOT POINT`.

POINT is `before store`, `after store` (committed, not yet answered), `before sort` … or nothing. Prints its place.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from newsletter import config as configuration
from newsletter.audience import database


def main(root: str, point: str) -> None:
    config = configuration.load(Path(root))
    database.ready(config)
    from newsletter.replies.lmtp_server import Server
    from tests.replies.receiver import _die_at

    if point:
        _die_at(point)
    with Server(config, "127.0.0.1:0") as server:
        print(server.place, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
