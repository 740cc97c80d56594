"""The LMTP server: listens on this computer only, a thread for each connection, and one that sorts what was kept."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from django.db import connections

from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import intake
from newsletter.replies.door import Door
from newsletter.replies.lmtp import Session

MOST_CONNECTIONS = 10  # each may hold 50 MB; more of them wait until one ends
SILENCE = 120.0  # seconds without a byte, then a connection is closed
AGAIN = 5.0  # seconds until what could not be sorted (no key, another process at it) is looked at once more
ENDING = 15.0  # seconds for connections to finish the message they are at

log = logging.getLogger(__name__)


class Server:
    """Listens at `place`: host:port (port 0 = any free one), or the path of a unix socket."""

    def __init__(self, config: Config, place: str) -> None:
        self._config, self.place = config, place
        self._ending = threading.Event()
        self._kept = threading.Event()
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listening: socket.socket | None = None
        self._door = Door(config, self._kept.set)

    def start(self) -> Server:
        """Listen. Raises NewsletterError: lmtp-not-local, bad-value, port-taken."""
        self._listening, self.place = listen(self._config, self.place)
        for work in (self._accept, self._sort):
            thread = threading.Thread(target=work, name=f"lmtp-{work.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Take no more; a message whose end was read is kept and answered, every other is the mail server's still."""
        self._ending.set()
        self._kept.set()
        if self._listening is None:
            return
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for _ in range(2):  # the second time for a connection that came in meanwhile
            with self._lock:
                still = dict(self._open)
            for connection in still:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
            for thread in (*still.values(), *self._threads):
                thread.join(ENDING)
        if "/" in self.place:
            Path(self.place).unlink(missing_ok=True)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self) -> None:
        assert self._listening
        while not self._ending.is_set():
            self._slots.acquire()
            try:
                connection, _ = self._listening.accept()
            except OSError:
                self._slots.release()
                if not self._ending.wait(0.1):
                    continue  # such as no file number left; the peer tries again
                return
            thread = threading.Thread(target=self._speak, args=(connection,), name="lmtp", daemon=True)
            with self._lock:
                self._open[connection] = thread
                thread.start()

    def _speak(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(SILENCE)
            with connection, connection.makefile("rb") as lines, connection.makefile("wb") as answers:
                name = self._config.mail.reply_domain or "localhost"
                Session(cast(BinaryIO, lines), cast(BinaryIO, answers), self._door, name).run()
        except (OSError, EOFError) as error:
            log.info("a connection ended early: %s", error)
        except Exception:
            log.exception("a connection ended by a fault of ours; the mail server keeps its message")
        finally:
            connections.close_all()
            with self._lock:
                self._open.pop(connection, None)
            self._slots.release()

    def _sort(self) -> None:
        """Sort what was kept, outside the connections: a hostile message holds up no mail server."""
        left = 1  # what another run may have left
        while not self._ending.is_set():
            self._kept.wait(AGAIN if left else None)
            self._kept.clear()
            try:
                left = 0 if self._ending.is_set() else intake.finish_unread()
            except Exception as error:  # a database that is being restarted; everything is kept meanwhile
                log.warning("what came in waits to be sorted: %s", error)
                left = 1
                connections.close_all()
        connections.close_all()


def listen(config: Config, place: str) -> tuple[socket.socket, str]:
    """A listening socket and where it is. Whoever can reach it can hand us mail, so it is on this computer only."""
    try:
        if "/" in place:
            path = config.root / place
            _remove_stale(path)
            listening = socket.socket(socket.AF_UNIX)
            try:
                listening.bind(str(path))
                path.chmod(0o666)  # whoever may enter the folder; Postfix runs as a user of its own
                listening.listen(MOST_CONNECTIONS)
            except OSError:
                listening.close()
                raise
            return listening, str(path)
        host, port = _host_and_port(place)
        listening = socket.create_server((host, port), family=_family(host), backlog=MOST_CONNECTIONS)
        return listening, f"{host}:{listening.getsockname()[1]}"
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        message = f"Another program is listening at {place}" if taken else f"Cannot listen at {place}: {error.strerror}"
        hint = "One process takes in mail: end the other worker or `replies serve`, or choose another place."
        raise NewsletterError(Problem("port-taken", message, hint), exit=Exit.TRY_AGAIN) from error


def _host_and_port(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        hint = 'Write host and port, as in listen = "127.0.0.1:8024", or the path of a socket, "var/lmtp.sock".'
        raise NewsletterError(Problem("bad-value", f"Not a place to listen: {place!r}", hint), exit=Exit.CONFIG)
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        hint = "Listen at 127.0.0.1 and let the mail server of this computer, such as Postfix, face the network."
        problem = Problem("lmtp-not-local", f"LMTP has no log-in, and {host} can be reached from outside", hint)
        raise NewsletterError(problem, exit=Exit.CONFIG)
    return host, int(port)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that died; one that answers stays, and binding then fails as it should."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
