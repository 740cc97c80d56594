"""What is kept from one request to the next: connections, and what is the same for everybody. Never a person's copy."""

from __future__ import annotations

import re
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from newsletter.mail.tokens import Purpose, new_id
from newsletter.web.server import THREADS
from tests.web.archived import SLUG, sent
from tests.web.conftest import Site

NAMES = {f"{name.lower()}@home.example": name for name in ("Ameera", "Bronwen", "Cledwyn", "Dilys")}


def own_links(site: Site) -> dict[str, str]:
    """The link of a mail, by the name of whose it is."""
    from newsletter.sending.models import Delivery

    for address, name in NAMES.items():
        site.workspace.people(address, first_name=name)
    sent(site.workspace)
    return {
        NAMES[row.canonical]: f"/v/{site.keyring.make(Purpose.VIEW, bytes(row.token))}"
        for row in Delivery.objects.order_by("pk")
    }


def test_nobody_is_shown_the_copy_of_another_however_they_ask(site: Site) -> None:
    links = own_links(site)
    assert set(links) == set(NAMES.values())

    def look(name: str) -> tuple[str, str, str]:
        led = site.get(links[name])
        shared = led.headers["location"].partition("?")[0]
        own, public = site.get(led.headers["location"]), site.get(shared)
        assert (led.status, own.status, public.status) == (303, 200, 200)
        assert "no-store" in own.headers["cache-control"]
        return name, own.text, public.text

    with ThreadPoolExecutor(8) as several:
        for name, own, public in several.map(look, list(NAMES.values()) * 12):
            assert f"Hello {name}" in own
            assert not [other for other in NAMES.values() if other != name and other in own]
            assert not [other for other in NAMES.values() if other in public] and "Hello neighbour" in public


def test_a_seal_for_one_copy_shows_no_other(site: Site) -> None:
    links = own_links(site)
    first, second = (site.get(links[name]).headers["location"] for name in ("Ameera", "Dilys"))
    stored, seal = (re.search(r"own=([0-9a-f]+)-(.+)$", one) for one in (first, second))
    assert stored and seal
    answer = site.get(f"{first.partition('?')[0]}?own={stored[1]}-{seal[2]}")
    assert "Hello neighbour" in answer.text and "Ameera" not in answer.text and "Dilys" not in answer.text


def test_another_mailing_of_the_same_number_is_not_the_one_that_is_remembered(site: Site) -> None:
    """As when another database is put in the place of this one."""
    from newsletter.sending.models import Mailing

    sent(site.workspace, words="the first database.")
    assert "the first database." in site.get(f"/archive/{SLUG}").text
    mailing = Mailing.objects.get()
    mailing.public[""]["html"] = [
        part.replace("the first database.", "another one.") if isinstance(part, str) else part
        for part in mailing.public[""]["html"]
    ]
    mailing.public_id = new_id()
    mailing.save()
    assert "another one." in site.get(f"/archive/{SLUG}").text


def test_requests_find_the_database_open(site: Site) -> None:
    from django.db.backends.signals import connection_created

    opened: list[object] = []

    def count(**_: object) -> None:
        opened.append(1)

    connection_created.connect(count)
    try:
        for _ in range(4 * THREADS):
            assert site.get("/healthz").status == 200
    finally:
        connection_created.disconnect(count)
    assert len(opened) <= THREADS


@pytest.mark.sqlite
def test_a_backup_that_is_put_back_meanwhile_is_what_is_read_and_written(site: Site) -> None:
    from newsletter.audience.models import Subscription

    link = site.leave_link()
    path = site.workspace.root / "var" / "newsletter.db"
    with sqlite3.connect(path) as source, sqlite3.connect(path.with_name("backup.db")) as target:
        source.backup(target)
    for _ in range(2 * THREADS):
        assert "You have left" not in site.get(link).text
    from django.db import connections

    connections.close_all()
    shutil.move(path.with_name("backup.db"), path)
    for name in ("newsletter.db-wal", "newsletter.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    assert site.post(link, action="leave").status == 200
    for _ in range(2 * THREADS):
        assert site.get(link).status == 200
    assert Subscription.objects.get().state == "left"
