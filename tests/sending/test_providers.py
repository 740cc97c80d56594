"""Which provider an address belongs to: by its MX from a real DNS server, and never by waiting for one."""

from __future__ import annotations

import socket
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dnslib import MX, QTYPE, RCODE, RR, DNSRecord

from newsletter.sending import providers
from newsletter.sending.providers import DEFAULT, Groups, kind, read, table

MXES = {
    "gmail.com": "gmail-smtp-in.l.google.com",
    "school.example": "aspmx.l.google.com",
    "council.example": "council-example.mail.protection.outlook.com",
    "dane.example": "council.a-v1.mx.microsoft",
    "hotmail.com": "hotmail-com.olc.protection.outlook.com",
    "sky.com": "mx-eu.mail.am0.yahoodns.net",
    "small.example": "mx1.mail.small.example",
    "twin.example": "mx2.mail.small.example",
    "nomail.example": ".",
}


@contextmanager
def name_server(answer: Callable[[DNSRecord], bytes | None]) -> Iterator[tuple[str, int]]:
    """A DNS server on this computer that answers each question as `answer` says; None = not at all."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    data, client = listening.recvfrom(4096)
                except TimeoutError:
                    continue
                if (reply := answer(DNSRecord.parse(data))) is not None:
                    listening.sendto(reply, client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            stop.set()
            thread.join()


class Names:
    """Answers from MXES, NXDOMAIN for all else; counts the questions."""

    def __init__(self, silent: frozenset[str] = frozenset()) -> None:
        self.asked: list[str] = []
        self.silent = silent

    def __call__(self, question: DNSRecord) -> bytes | None:
        name = str(question.q.qname).rstrip(".")
        self.asked.append(name)
        if name in self.silent:
            return None
        reply = question.reply()
        if name in MXES:
            reply.add_answer(RR(name, QTYPE.MX, rdata=MX("backup.example.", 20), ttl=60))
            reply.add_answer(RR(name, QTYPE.MX, rdata=MX(MXES[name], 10), ttl=60))
        elif name != "empty.example":
            reply.header.rcode = RCODE.NXDOMAIN
        return bytes(reply.pack())


@contextmanager
def groups(names: Names, **facts: float) -> Iterator[Groups]:
    with name_server(names) as address:
        its = Groups(table(), address, **facts)  # type: ignore[arg-type]
        thread = None
        try:
            yield its
        finally:
            thread = its._thread
            its.close()
            if thread:
                thread.join(5)
                assert not thread.is_alive()


@pytest.mark.parametrize(
    ("domain", "at_once", "by_dns"),
    [
        ("gmail.com", "google", "google"),
        ("school.example", DEFAULT, "google"),
        ("council.example", DEFAULT, "microsoft365"),
        ("dane.example", DEFAULT, "microsoft365"),
        ("hotmail.com", "outlook", "outlook"),
        ("sky.com", "yahoo", "yahoo"),
        ("small.example", DEFAULT, "default/mail.small.example"),
        ("twin.example", DEFAULT, "default/mail.small.example"),
        ("nomail.example", DEFAULT, DEFAULT),
        ("empty.example", DEFAULT, DEFAULT),
        ("nowhere.example", DEFAULT, DEFAULT),
        ("btinternet.com", "bt", "bt"),
    ],
)
def test_a_domain_belongs_to_whoever_takes_its_mail(domain: str, at_once: str, by_dns: str) -> None:
    with groups(Names()) as here:
        assert here.of(domain) == at_once
        assert here.settle(10)
        assert here.of(domain) == by_dns


def test_a_domain_is_asked_once_however_many_people_are_there() -> None:
    names = Names()
    with groups(names) as here:
        for _ in range(1000):
            here.of("school.example")
        assert here.settle(10)
        for _ in range(1000):
            assert here.of("school.example") == "google"
    assert names.asked == ["school.example"]


def test_nobody_waits_for_a_name_server_that_is_silent() -> None:
    with groups(Names(silent=frozenset({"slow.example", "gmail.com"})), timeout=0.2) as here:
        began = time.monotonic()
        assert [here.of(domain) for domain in ("slow.example", "gmail.com") * 100][:2] == [DEFAULT, "google"]
        assert time.monotonic() - began < 0.15
        assert here.settle(10)
        assert [here.of(domain) for domain in ("slow.example", "gmail.com")] == [DEFAULT, "google"]


def test_a_silent_one_does_not_keep_the_next_answer_back_for_long() -> None:
    with groups(Names(silent=frozenset({"slow.example"})), timeout=0.2) as here:
        here.of("slow.example"), here.of("school.example")
        assert here.settle(10)
        assert here.of("school.example") == "google"


def test_an_old_answer_is_used_until_the_new_one_is_there() -> None:
    names = Names()
    with groups(names, keep=0.0) as here:
        here.of("school.example")
        assert here.settle(10)
        assert here.of("school.example") == "google"
        assert here.settle(10)
    assert len(names.asked) == 2


def test_no_name_server_at_all_is_no_trouble() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:  # nobody listens on a port that was just freed
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
    here = Groups(table(), address, timeout=0.2)
    assert (here.of("gmail.com"), here.of("council.example")) == ("google", DEFAULT)
    assert here.settle(10)
    assert (here.of("gmail.com"), here.of("council.example")) == ("google", DEFAULT)
    here.close()


@pytest.mark.parametrize("domain", ["", ".", "x" * 300, "a..b", "bücher.example", "with space.example", "\x00"])
def test_whatever_stands_behind_the_at_sign_is_no_trouble(domain: str) -> None:
    with groups(Names()) as here:
        assert here.of(domain) == DEFAULT
        assert here.settle(10)
        assert here.of(domain) == DEFAULT


def test_a_group_is_short_enough_for_the_ledger() -> None:
    group = table().of_mx("mx." + ".".join(["a" * 60] * 4))
    assert len(group) <= 60
    assert kind(group) == kind(DEFAULT) == DEFAULT
    assert kind("google") == "google"


def test_people_read_names() -> None:
    names = [table().name(key) for key in ("google", "outlook", "microsoft365", "yahoo", "icloud", DEFAULT)]
    assert names == ["Google", "Outlook.com", "Microsoft 365", "Yahoo", "iCloud", "others"]
    assert table().name("default/mx.small.example") == "mx.small.example"


def test_a_suffix_is_a_whole_part_of_the_name() -> None:
    assert table().of_mx("mx.notgoogle.com") == "default/mx.notgoogle.com"
    assert table().of_mx("SMTP.GOOGLE.COM.") == "google"


def test_the_numbers_are_those_of_the_sources() -> None:
    """KumoMTA's shaping files as read in November 2026: a number changed by mistake changes how we are received."""
    limits = {key: (group.connections, group.messages) for key, group in table().groups.items()}
    assert (
        limits | {"bt": (10, 100)}
        == limits
        == {
            "default": (10, 100),
            "google": (5, 50),
            "outlook": (5, 50),
            "microsoft365": (5, 50),
            "yahoo": (10, 20),
            "bt": (10, 100),
            "icloud": (10, 5),
            "gmx": (4, 20),
            "orange": (2, 100),
            "comcast": (25, 1000),
            "mimecast": (10, 100),
            "barracuda": (10, 15),
        }
    )


def test_every_table_of_the_file_says_where_its_numbers_are_from() -> None:
    text = Path(providers.FILE).read_text(encoding="utf-8")
    for key in tomllib.loads(text):
        before = text.partition(f"\n[{key}]\n")[0].rpartition("\n\n")[2]
        assert "[K]" in before or "[C]" in before or "[own]" in before, key


def test_no_domain_belongs_to_two() -> None:
    domains = [domain for group in table().groups.values() for domain in group.domains]
    assert len(domains) == len(set(domains)) == len(table().by_domain)


@pytest.mark.parametrize(
    "text", ["[google]\nname = 'Google'", "[default]\nnom = 1", "[default", "[default]\nname='x'\nsignals=[{}]"]
)
def test_a_file_that_is_no_table_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        read(text)
