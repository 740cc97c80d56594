"""aiosmtplib on ten connections, with our own finished bytes: what a session costs there. `… ROOT PORT MESSAGES`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiosmtplib

from bench.senders import clock
from bench.senders.material import Material

CONNECTIONS = 10


async def carry(port: int, mine: list[tuple[str, str, bytes]]) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
        for sender, recipient, data in mine:
            await server.sendmail(sender, [recipient], data)


async def everybody(root: Path, port: int, messages: int) -> None:
    material = Material(root)
    mails = material.mails()
    people = [material.person(number) for number in range(messages)]
    ready = [(person["from"], person["to"], mails[at % len(mails)]) for at, person in enumerate(people)]
    with clock.measured(messages):
        await asyncio.gather(*(carry(port, ready[at::CONNECTIONS]) for at in range(CONNECTIONS)))


if __name__ == "__main__":
    asyncio.run(everybody(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
