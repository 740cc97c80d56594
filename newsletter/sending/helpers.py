"""More processes for one mailing: signing 40 KB costs 0.3 ms of a core, and one Python uses one core."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.config import Config

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing


PAUSED = 9  # a helper's exit code: it has paused the mailing itself


def number(config: Config) -> int:
    """How many processes send: as set, else one for each core where we sign, else one (more buy nothing then)."""
    if config.sending.processes:
        return config.sending.processes
    return (os.cpu_count() or 1) if config.dkim.domain else 1


class Helpers:
    """Processes that take their share of a mailing until nobody waits; each has connections and leases of its own.

    They hold the sending lock with us, so that nobody takes over while one of them is still in the middle of
    something, and they finish what is in flight and end when our end of their standard input closes: at our kill -9.
    """

    def __init__(self, config: Config, mailing: Mailing, others: int, lock: int) -> None:
        command = [sys.executable, "-m", "newsletter.sending.helpers", str(config.root), str(mailing.pk)]
        # The package that runs now, wherever it was started from.
        package = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
        self._running = [
            subprocess.Popen(
                [*command, str(others + 1)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(lock,),
                env=environment,
                start_new_session=True,  # Ctrl-C of the terminal is ours to pass on
            )
            for _ in range(others)
        ]

    def running(self) -> bool:
        """True while one of them works."""
        return any(process.poll() is None for process in self._running)

    def paused(self) -> bool:
        """True when one of them has paused the mailing, and ended: nobody was asked, so nobody will resume it."""
        return any(process.poll() == PAUSED for process in self._running)

    def stop(self) -> None:
        """Let them finish what is in flight, and end."""
        for process in self._running:
            if process.stdin and not process.stdin.closed:
                process.stdin.close()

    def wait(self) -> None:
        """Until the last has ended."""
        self.stop()
        for process in self._running:
            process.wait()


def main(arguments: Sequence[str]) -> int:
    """One helper: `python -m newsletter.sending.helpers ROOT MAILING SHARE`; ends with its standard input.

    Exit code PAUSED when it paused the mailing, else 0.
    """
    from newsletter import config as configuration
    from newsletter.audience import database

    root, mailing, share = arguments
    config = configuration.load(Path(root), os.environ)
    database.ready(config)
    from newsletter.sending.drain import How, share_of
    from newsletter.sending.models import Mailing

    over = threading.Event()

    def listen() -> None:
        # Not sys.stdin: its lock, held by this thread at our end, made every helper die of SIGABRT.
        while os.read(0, 4096):
            pass
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    ended = share_of(config, Mailing.objects.get(pk=int(mailing)), int(share), over.is_set)
    return PAUSED if ended.how is How.PAUSED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
