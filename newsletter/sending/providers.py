"""The mailbox providers, how gently each wants to be treated, and which of them an address belongs to."""

from __future__ import annotations

import queue
import re
import threading
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("providers.toml")
DEFAULT = "default"
LONGEST = 60  # letters of a group, as Delivery.provider takes them
KEEP = 3600.0  # seconds that DNS's answer holds; a domain that moves its mail within a mailing costs nothing
RETRY = 300.0  # seconds before a domain is asked again that DNS had no answer for
TIMEOUT = 2.0  # seconds for one question; nobody waits for it, but the questions wait for each other
WAITING = 10_000  # questions waiting at most; domains beyond that are asked when they are met again


@dataclass(frozen=True)
class Signal:
    """Words in an answer, how often within an hour they count, and what follows for how many seconds."""

    pattern: re.Pattern[str]
    times: int = 1
    slow: float = 0.0  # mails a minute; 0 = not slowed
    one: bool = False  # one mail at a time
    suspend: bool = False
    seconds: float = 1800.0


@dataclass(frozen=True)
class Provider:
    """One provider: its key, its name for people, and its limits (0 = none)."""

    key: str
    name: str
    connections: int = 0
    messages: int = 0
    rate: float = 0.0
    tls: bool = False
    mx: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True)
class Table:
    """All providers, `default` among them; made once from providers.toml."""

    groups: Mapping[str, Provider]
    by_domain: Mapping[str, str]

    def provider(self, group: str) -> Provider:
        """The numbers for a group; a small provider (`default/mx.example`) has those of `default`."""
        return self.groups.get(group) or self.groups[DEFAULT]

    def name(self, group: str) -> str:
        """The group's name for a person: "Google", "others", or the small provider's own domain."""
        kept, _, site = group.partition("/")
        return site or self.provider(kept).name

    def of_domain(self, domain: str) -> str:
        """The group of a well-known domain, without asking anybody; else `default`."""
        return self.by_domain.get(domain, DEFAULT)

    def of_mx(self, host: str) -> str:
        """The group of a mail server: a provider by the end of its name, else a small provider of its own."""
        host = f".{host.rstrip('.').lower()}"
        for key, provider in self.groups.items():
            if any(host.endswith(end) for end in provider.mx):
                return key
        site = ".".join(host.strip(".").split(".")[-3:])  # mx1.mail.example.org and mx2.… are one; .co.uk needs three
        return f"{DEFAULT}/{site}"[:LONGEST] if site else DEFAULT


def kind(group: str) -> str:
    """The group as it is stored and shown in sums: the small providers are `default` together."""
    return group.partition("/")[0]


@cache
def table() -> Table:
    """The providers as shipped."""
    return read(FILE.read_text(encoding="utf-8"))


def read(text: str) -> Table:
    """A Table from the text of a providers.toml; ValueError (or a kin of it) when it is not one."""
    groups = {key: _provider(key, value) for key, value in tomllib.loads(text).items()}
    if DEFAULT not in groups:
        raise ValueError("providers.toml needs [default]")
    return Table(groups, {domain: key for key, provider in groups.items() for domain in provider.domains})


def _provider(key: str, value: dict[str, Any]) -> Provider:
    rest: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in value.items()}
    rest["signals"] = tuple(_signal(entry) for entry in value.get("signals", ()))
    return Provider(key, **rest)


def _signal(value: dict[str, Any]) -> Signal:
    rest = dict(value)
    pattern = re.compile(rest.pop("text"), re.IGNORECASE)
    return Signal(pattern, seconds=60.0 * rest.pop("minutes"), **rest)


class Groups:
    """Which group an address belongs to, by the MX of its domain. It answers at once, always: what DNS has not said
    yet is answered by the well-known domains, and asked in the background."""

    def __init__(
        self,
        table: Table,
        nameserver: tuple[str, int] | None = None,
        *,
        timeout: float = TIMEOUT,
        keep: float = KEEP,
        retry: float = RETRY,
    ) -> None:
        """`nameserver` is (address, port) instead of the computer's own."""
        self._table, self._nameserver = table, nameserver
        self._timeout, self._keep, self._retry = timeout, keep, retry
        self._known: dict[str, tuple[str, float]] = {}  # domain → group, monotonic second until which it holds
        self._asked: set[str] = set()
        self._questions: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def of(self, domain: str) -> str:
        """The group of a recipient's domain; never waits."""
        known = self._known.get(domain)
        if known and (known[1] > time.monotonic() or domain in self._asked):
            return known[0]
        group = known[0] if known else self._table.of_domain(domain.lower().rstrip("."))
        self._ask(domain)
        return group

    def settle(self, seconds: float) -> bool:
        """Wait until everything asked so far is answered, at most `seconds`: for tests and for `doctor`."""
        until = time.monotonic() + seconds
        while self._asked and time.monotonic() < until:
            time.sleep(0.005)
        return not self._asked

    def close(self) -> None:
        """End the background thread; what was asked and not answered stays as it is."""
        if self._thread:
            self._questions.put(None)
            self._thread = None

    def _ask(self, domain: str) -> None:
        if len(self._asked) >= WAITING or domain in self._asked:
            return
        self._asked.add(domain)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="asking DNS")
            self._thread.start()
        self._questions.put(domain)

    def _work(self) -> None:
        ask = self._resolver()
        while (domain := self._questions.get()) is not None:
            group, holds = self._answer(ask, domain)
            self._known[domain] = (group, time.monotonic() + holds)
            self._asked.discard(domain)

    def _resolver(self) -> Any:
        import dns.resolver  # 80 ms; only a process that sends needs it

        if self._nameserver:
            resolver = dns.resolver.Resolver(configure=False)
            resolver.nameservers, resolver.port = [self._nameserver[0]], self._nameserver[1]
        else:
            try:
                resolver = dns.resolver.Resolver()
            except dns.resolver.NoResolverConfiguration:  # a computer without a network
                return None
        resolver.timeout = resolver.lifetime = self._timeout
        return resolver

    def _answer(self, resolver: Any, domain: str) -> tuple[str, float]:
        """(group, how long it holds). Whatever DNS does, mail goes on: an unknown domain is `default`."""
        import dns.exception

        guess = self._table.of_domain(domain.lower().rstrip("."))
        if resolver is None:
            return guess, self._retry
        try:
            found = resolver.resolve(domain, "MX", search=False)
        except (dns.exception.DNSException, OSError, UnicodeError, ValueError):
            return guess, self._retry
        return self._table.of_mx(_first(found)), self._keep


def _first(answer: Iterable[Any]) -> str:
    """The host that mail goes to first; of equals the first by name, so that the group does not change."""
    return min((entry.preference, str(entry.exchange).lower()) for entry in answer)[1]
