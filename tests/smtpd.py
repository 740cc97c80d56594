"""aiosmtpd for tests, ending as it should: its own `stop` leaves the socket of whoever is still connected open."""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class _Session(SMTP):
    def __init__(self, open_now: set[SMTP], *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self._open_now = open_now

    def connection_made(self, transport: Any) -> None:
        self._open_now.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_now.discard(self)
        super().connection_lost(error)


class Smtpd(Controller):
    """Port 0 takes a free one."""

    def __init__(self, *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self._open_now: set[SMTP] = set()

    def factory(self) -> SMTP:
        return _Session(self._open_now, self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # the library knocks at `port`, which was 0
        super()._trigger_server()

    def stop(self, no_assert: bool = False) -> None:
        if self.loop.is_running():
            asyncio.run_coroutine_threadsafe(self._emptied(), self.loop).result(20)
        super().stop(no_assert)

    async def _emptied(self) -> None:
        self.server.close()
        await asyncio.sleep(0)  # who has just been let in has a session then
        while self._open_now:
            for session in list(self._open_now):
                session.transport.abort()
            await asyncio.sleep(0)
